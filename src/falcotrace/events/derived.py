"""Fields that are computed from stored columns: what each reads, and what it means.

`fields.tsv` names a function for every such field (`derived:FUNCTION`). `derived.tsv` gives its
inputs and the sentence that defines it; both engines implement the sentences, and a test holds them
to it. The constants here are the data that the sentences refer to. Nothing is computed.

A missing input makes the result missing unless the sentence says otherwise.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_{event,thread,fd}.cpp; container plugin
0.7.x.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from falcotrace.events.argument_forms import (
    ASYNC_EVENT,
    ASYNC_MARK,
    GENERIC_MARK,
    GENERIC_PARAMS,
    params_at,
)
from falcotrace.events.columns import BUFFER_PARAM, COLUMNS, Scope, params_by_name
from falcotrace.events.event_types import current_events
from falcotrace.events.flags import FLAG_TABLES
from falcotrace.events.tables import read_table


@dataclass(frozen=True, slots=True)
class Derived:
    """One derived function.

    Attributes:
        name: as `fields.tsv` spells it behind `derived:`.
        inputs: paths of the columns that it reads, in the order that implementations take them;
            those of `arg`, `rawarg` and `args` depend on the argument (`derived_inputs`).
        meaning: the sentence that defines it.
    """

    name: str
    inputs: tuple[str, ...]
    meaning: str


ENV_SEPARATOR = "\x1f"
"""Stands between the variables of one ancestor in `proc.aenv`."""

STANDARD_STREAMS = ("proc.stdin.type", "proc.stdout.type", "proc.stderr.type")
"""Types of the descriptors 0, 1 and 2."""

MOUNT_CHOICE = (
    "an argument of digits is the mount's index; any other text is a glob (`operators`, GLOB) on "
    "the source, for `mount_source` on the destination; the first that matches is chosen"
)
"""How the argument of the `mount` functions chooses; without a match the result is missing."""

DERIVED: Mapping[str, Derived] = MappingProxyType(
    {
        row["name"]: Derived(row["name"], tuple(row["inputs"].split()), row["meaning"])
        for row in read_table("derived")
    }
)
"""Every derived function by name."""


def derived_inputs(name: str, argument: str | int | None) -> tuple[str, ...]:
    """The columns that a derived function reads for one argument of the field.

    Example:
        >>> derived_inputs("arg", "flags")
        ('evt.arg.flags', 'evt.type', 'evt.arg.nativeID', 'evt.arg.plugin_id')
        >>> derived_inputs("rawarg", "flags")
        ('evt.rawarg.flags', 'evt.arg.flags')
    """
    if name not in {"arg", "rawarg", "args"}:
        return DERIVED[name].inputs
    params: Iterable[str] = params_by_name()
    if isinstance(argument, str):
        params = (argument,)
    elif isinstance(argument, int):
        marked = (GENERIC_PARAMS, tuple(param.name for param in ASYNC_EVENT.params))
        others = [names[argument] for names in marked if argument < len(names)]
        params = dict.fromkeys((*params_at(argument).values(), *others))
    paths = [path for param in params for path in _argument_paths(name, param)]
    marks = () if name == "rawarg" else ("evt.type", GENERIC_MARK, ASYNC_MARK)
    return tuple(dict.fromkeys((*paths, *marks)))


def derived_scope(inputs: tuple[str, ...]) -> Scope:
    """PROCESS if every input belongs to the process; EVENT otherwise."""
    if all(COLUMNS[path].scope is Scope.PROCESS for path in inputs):
        return Scope.PROCESS
    return Scope.EVENT


def _argument_paths(function: str, param: str) -> list[str]:
    plain, raw = f"evt.arg.{param}", f"evt.rawarg.{param}"
    paths = [plain] if function == "arg" else [raw, plain]
    if param == BUFFER_PARAM:
        paths.append("evt.buffer")
    return [path for path in paths if path in COLUMNS]


def _events_with_flag(*flags: str) -> frozenset[str]:
    return frozenset(name for name, event in current_events().items() if event.flags & {*flags})


def _events_in_category(*categories: str) -> frozenset[str]:
    return frozenset(n for n, event in current_events().items() if event.category in categories)


SINGLE_SIDED_EVENTS = frozenset(
    name for name, event in current_events().items() if not event.is_exit
)
"""Events that are no system call: scheduler switch, process exit, signal delivered ..."""

META_EVENTS = frozenset(name for name, event in current_events().items() if event.origin == "meta")
"""Events that a reader or a plugin makes up."""

FD_EVENTS = _events_with_flag("USES_FD", "CREATES_FD", "DESTROYS_FD")
"""Events for which fd fields have values."""

READ_EVENTS = _events_with_flag("READS_FD")
WRITE_EVENTS = _events_with_flag("WRITES_FD")
WAIT_EVENTS = _events_with_flag("WAITS")
IO_READ_EVENTS = _events_in_category("io_read")
IO_WRITE_EVENTS = _events_in_category("io_write")
IO_EVENTS = _events_in_category("io_read", "io_write", "io_other")
MEMORY_EVENTS = _events_in_category("memory")

CATEGORY_BY_EVENT: Mapping[str, str] = MappingProxyType(
    {
        name: "IPC" if event.category == "ipc" else event.category
        for name, event in current_events().items()
        if name not in IO_EVENTS
    }
)
"""evt.category of events that do no I/O; Falco writes `IPC` here and `ipc` for descriptors."""

OTHER_CATEGORY = "other"
"""evt.category of plain system calls, the generic event's."""

CLASS_BY_FD_TYPE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("file", "directory"), "file"),
        **dict.fromkeys(("ipv4", "ipv6"), "net"),
        **dict.fromkeys(("pipe", "unix", "event", "signalfd", "inotify", "userfaultfd"), "ipc"),
    }
)
"""evt.category of I/O by the type of its descriptor.

Source: libs 48dfd53c userspace/libsinsp/event.cpp, sinsp_evt::get_category.
"""

SOCKET_FD_TYPES = frozenset({"ipv4", "ipv6", "unix"})
IP_FD_TYPES = frozenset({"ipv4", "ipv6"})

OPEN_MODE_EVENTS = frozenset({"open", "openat", "openat2"})
OPEN_EVENTS = OPEN_MODE_EVENTS | {"open_by_handle_at"}
FILE_OPEN_EVENTS = OPEN_EVENTS | {"creat"}
SOCKET_OPEN_EVENTS = frozenset({"accept", "accept4", "connect"})

_OPEN_FLAG = FLAG_TABLES["file_flags"].value_of
O_RDONLY = _OPEN_FLAG("O_RDONLY")
O_WRONLY = _OPEN_FLAG("O_WRONLY")
O_CREAT = _OPEN_FLAG("O_CREAT")
O_TMPFILE = _OPEN_FLAG("O_TMPFILE")
O_F_CREATED = _OPEN_FLAG("O_F_CREATED")
EXECUTE_BITS = 0o111

ABSPATH_PARAMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "renameat": ("oldpath", "newpath"),
        "renameat2": ("oldpath", "newpath"),
        "linkat": ("oldpath", "newpath"),
        "symlinkat": ("linkpath", "linkpath"),
        "openat": ("name", "name"),
        "openat2": ("name", "name"),
        "unlinkat": ("name", "name"),
        "mkdirat": ("path", "path"),
        "fchmodat": ("filename", "filename"),
        "fchownat": ("pathname", "pathname"),
        "open_by_handle_at": ("path", "path"),
    }
)
"""evt.abspath: the argument that holds the path, for the plain field and `.src`, and for `.dst`."""

UNKNOWN_DIRECTORY = "<UNKNOWN>/"

TYPECHAR_BY_FD_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "file": "f",
        "directory": "d",
        "ipv4": "4",
        "ipv6": "6",
        "unix": "u",
        "pipe": "p",
        "event": "e",
        "signalfd": "s",
        "eventpoll": "l",
        "inotify": "i",
        "timerfd": "t",
        "netlink": "n",
        "bpf": "b",
        "userfaultfd": "u",
        "io_uring": "r",
        "memfd": "m",
        "pidfd": "P",
        # Packet and vsock sockets have no type text, and yet a character of their own.
        "<NA>": "o",
        "unsupported": "X",
    }
)
OTHER_TYPECHAR = "?"

TYPECHAR_BY_EVENT: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("openat", "openat2", "creat"), "f"),
        **dict.fromkeys(("socket", "accept", "accept4"), "4"),
        **dict.fromkeys(("pipe", "pipe2"), "p"),
        **dict.fromkeys(("eventfd", "eventfd2"), "e"),
        **dict.fromkeys(("signalfd", "signalfd4"), "s"),
        "timerfd_create": "t",
        **dict.fromkeys(("inotify_init", "inotify_init1"), "i"),
    }
)
"""fd.typechar where the descriptor is unknown; plain `open` is not among them."""
TYPECHAR_WITHOUT_FD = "o"
