"""What system calls do to files, sockets and processes: one table.

Each action says which way it carries something: into the process (what it read or ran can have been
the cause of what it did), out of it (what it wrote or sent is its impact), or neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Flow(StrEnum):
    """Which way an action carries something."""

    IN = "in"
    OUT = "out"
    NONE = "none"


class Target(StrEnum):
    """Where an event names what it acts on."""

    FD = "fd"
    PATH = "path"
    SOURCE = "source"
    NEW_PATH = "newpath"
    EXE = "exe"
    PID = "pid"


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a process does.

    Attributes:
        name: as people say it: the process NAME the object.
        flow: which way it carries something.
        is_change: whether the object is not what it was before.
    """

    name: str
    flow: Flow
    is_change: bool = False


RAN = Action("ran", Flow.IN)
READ = Action("read", Flow.IN)
OPENED = Action("opened", Flow.IN)
WROTE = Action("wrote", Flow.OUT, is_change=True)
OPENED_TO_WRITE = Action("opened to write", Flow.OUT)
CREATED = Action("created", Flow.OUT, is_change=True)
DELETED = Action("deleted", Flow.OUT, is_change=True)
CHANGED = Action("changed", Flow.OUT, is_change=True)
MOVED_FROM = Action("moved away", Flow.IN, is_change=True)
MOVED_TO = Action("moved to", Flow.OUT, is_change=True)
LINKED = Action("linked to", Flow.OUT, is_change=True)
CONNECTED = Action("connected to", Flow.OUT)
ACCEPTED = Action("accepted", Flow.IN)
LISTENED = Action("listened on", Flow.NONE)
SENT = Action("sent to", Flow.OUT)
RECEIVED = Action("received from", Flow.IN)
SIGNALLED = Action("signalled", Flow.OUT)
TRACED = Action("traced", Flow.OUT, is_change=True)
REDIRECTED = Action("redirected to", Flow.NONE)

ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        action.name: action
        for action in (
            RAN,
            READ,
            OPENED,
            WROTE,
            OPENED_TO_WRITE,
            CREATED,
            DELETED,
            CHANGED,
            MOVED_FROM,
            MOVED_TO,
            LINKED,
            CONNECTED,
            ACCEPTED,
            LISTENED,
            SENT,
            RECEIVED,
            SIGNALLED,
            TRACED,
            REDIRECTED,
        )
    }
)
"""Actions by name."""

MAKING = (WROTE, CREATED, MOVED_TO, LINKED, OPENED_TO_WRITE, CHANGED)
"""What makes a file what it is afterwards."""

TAKING = (RAN, OPENED, READ)
"""What brings a file into a process."""

SOCKETS: Mapping[str, str] = MappingProxyType({READ.name: RECEIVED.name, WROTE.name: SENT.name})
"""What reading and writing are called where the descriptor is a socket."""

_FD_READS = ("read", "pread", "readv", "preadv", "recvfrom", "recvmsg", "recvmmsg", "recv")
_FD_WRITES = ("write", "pwrite", "writev", "pwritev", "sendto", "sendmsg", "sendmmsg", "send")
_OPENS = ("open", "openat", "openat2", "creat", "open_by_handle_at")
_PATH_CHANGES = ("chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate", "setxattr")
_FD_CHANGES = ("fchmod", "fchown", "ftruncate", "fallocate")

EVENTS: tuple[tuple[str, str, Target], ...] = (
    *((name, RAN.name, Target.EXE) for name in ("execve", "execveat")),
    *((name, READ.name, Target.FD) for name in _FD_READS),
    *((name, WROTE.name, Target.FD) for name in (*_FD_WRITES, "sendfile")),
    *((name, OPENED.name, Target.FD) for name in _OPENS),
    *((name, DELETED.name, Target.PATH) for name in ("unlink", "unlinkat", "rmdir")),
    *((name, CREATED.name, Target.PATH) for name in ("mkdir", "mkdirat", "mknod", "mknodat")),
    *((name, CHANGED.name, Target.PATH) for name in _PATH_CHANGES),
    *((name, CHANGED.name, Target.FD) for name in _FD_CHANGES),
    *((name, MOVED_FROM.name, Target.SOURCE) for name in ("rename", "renameat", "renameat2")),
    *((name, MOVED_TO.name, Target.NEW_PATH) for name in ("rename", "renameat", "renameat2")),
    *((name, LINKED.name, Target.SOURCE) for name in ("link", "linkat")),
    *((name, CREATED.name, Target.SOURCE) for name in ("symlink", "symlinkat")),
    ("connect", CONNECTED.name, Target.FD),
    ("accept", ACCEPTED.name, Target.FD),
    ("accept4", ACCEPTED.name, Target.FD),
    ("listen", LISTENED.name, Target.FD),
    *((name, SIGNALLED.name, Target.PID) for name in ("kill", "tkill", "tgkill")),
    ("ptrace", TRACED.name, Target.PID),
    ("process_vm_writev", TRACED.name, Target.PID),
    *((name, REDIRECTED.name, Target.FD) for name in ("dup", "dup2", "dup3")),
)
"""Event type, action, and where the event names the object. `opened` becomes `opened to write` by
the flags; a duplicate counts only where it becomes descriptor 0, 1 or 2 of a socket or pipe."""
