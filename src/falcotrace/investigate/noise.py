"""What every program touches and nobody asks about: one table of paths.

Such files are left out of graphs, unless an alert is about them.
"""

import re

QUIET_DEVICES = r"/dev/(null|zero|full|u?random|tty|ptmx|pts(/.*)?)"
"""Quiet even when they are written to; a pattern for the whole path, of RE2 too."""

_READ_PATHS = (
    r"/proc(/.*)?",
    r"/sys(/.*)?",
    r"/dev/shm/?",  # noqa: S108 - a pattern
    r"(/usr)?/lib(32|64|x32)?/.*",
    r"/usr/(share|include|libexec)/.*",
    r".*/(site|dist)-packages/.*",
    r".*/__pycache__(/.*)?",
    r".*\.so(\.[0-9.]+)?",
    r".*\.pyc(\.[0-9]+)?",
    r"/etc/(ld\.so\.(cache|preload)|localtime|locale\.alias|nsswitch\.conf|host\.conf|gai\.conf)",
    r"/etc/(inputrc|terminfo/.*|mtab|machine-id|debian_version|os-release|bash\.bashrc|profile)",
    r"/(usr/)?s?bin/?",
    r"/run/(systemd|dbus|nscd|user)(/.*)?",
    r"/",
    r"\.?",
)

"""Quiet when they are read: whoever writes there does something uncommon."""

_QUIET = re.compile("|".join(f"(?:{path})" for path in (QUIET_DEVICES, *_READ_PATHS)))
_QUIET_WRITES = re.compile(QUIET_DEVICES)

_QUIET_KINDS = frozenset(
    ("eventpoll", "event", "eventfd", "signalfd", "timerfd", "inotify", "netlink", "directory")
)


def is_noise(kind: str, name: str, *, is_written: bool = False) -> bool:
    """Whether a thing says nothing about what a process was for.

    Example:
        >>> is_noise("file", "/usr/lib/x86_64-linux-gnu/libc.so.6")
        True
        >>> is_noise("file", "/usr/lib/x86_64-linux-gnu/libc.so.6", is_written=True)
        False
        >>> is_noise("file", "/etc/shadow")
        False
    """
    if kind in _QUIET_KINDS:
        return not is_written or kind != "directory"
    pattern = _QUIET_WRITES if is_written else _QUIET
    return kind == "file" and bool(pattern.fullmatch(name))
