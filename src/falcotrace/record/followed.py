"""A command that is followed: started only when the recorder is ready, and waited for."""

import os
from collections.abc import Sequence

from falcotrace.errors import RecordError

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_SIGNAL_BASE = 128
"""A program that a signal ended has this and the signal's number as its exit code, as in shells."""


class FollowedCommand:
    """A child process that waits for `release` before it executes the command.

    Its signals and its terminal are ours, so Ctrl-C reaches it too.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._gate_read, self._gate_write = os.pipe()
        self.pid = os.fork()
        self.exit_status: int | None = None
        if self.pid == 0:
            self._execute(command)
        os.close(self._gate_read)

    def _execute(self, command: Sequence[str]) -> None:
        os.close(self._gate_write)
        released = os.read(self._gate_read, 1)
        os.close(self._gate_read)
        if not released:
            os._exit(0)
        try:
            os.execvp(command[0], list(command))  # noqa: S606 - the user's own command, no shell
        except OSError as error:
            os.write(2, f"falcotrace: {command[0]}: {error.strerror}\n".encode())
            missing = isinstance(error, FileNotFoundError)
            os._exit(_NOT_FOUND if missing else _NOT_EXECUTABLE)

    def release(self) -> None:
        """Let the child execute the command."""
        os.write(self._gate_write, b"1")
        os.close(self._gate_write)

    def has_ended(self) -> bool:
        """Whether the command has ended; its descendants may live on."""
        if self.exit_status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.exit_status = code if code >= 0 else _SIGNAL_BASE - code
        return self.exit_status is not None


def start_command(command: Sequence[str]) -> FollowedCommand | None:
    """Prepare a command to follow; None if there is none.

    Raises:
        RecordError: no process can be made.
    """
    if not command:
        return None
    try:
        return FollowedCommand(command)
    except OSError as error:
        raise RecordError(f"cannot start {command[0]}: {error.strerror}") from None
