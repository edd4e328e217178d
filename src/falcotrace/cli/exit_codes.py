"""What the command's exit code says."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    CLEAN = 0
    ALERTS = 1
    ERROR = 2
    CHANGED = 1
    LOST_EVENTS = 3
    NO_CHAIN = 3
    INTERRUPTED = 130
