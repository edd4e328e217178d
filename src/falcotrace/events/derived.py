"""Fields that are computed from stored columns: what each reads, and what it means.

`fields.tsv` names a function for every such field (`derived:FUNCTION`). This table gives its inputs
and the sentence that defines it; both engines implement the sentences, and a test holds them to it.
The constants below the table are the data that the sentences refer to. Nothing is computed here.

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


_MARKS = f"{GENERIC_MARK} {ASYNC_MARK}"

_LABEL = "what follows `KEY=` in the first item that begins so, otherwise missing"

_ROWS: tuple[tuple[str, str, str], ...] = (
    ("local_time", "evt.time", "local `HH:MM:SS.nnnnnnnnn`"),
    ("local_time_s", "evt.time", "local `HH:MM:SS`"),
    ("time_iso8601", "evt.time", "UTC `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`"),
    ("local_datetime", "evt.time", "local `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`"),
    ("local_datetime_s", "evt.time", "local `YYYY-MM-DD HH:MM:SS`"),
    ("rawtime", "evt.time", "evt.time"),
    ("rawtime_s", "evt.time", "whole seconds of evt.time"),
    ("rawtime_ns", "evt.time", "nanoseconds of evt.time beyond whole seconds"),
    ("reltime", "evt.time", "evt.time minus that of the first event (footer)"),
    ("reltime_s", "evt.time", "whole seconds of reltime"),
    ("reltime_ns", "evt.time", "nanoseconds of reltime beyond whole seconds"),
    ("around", "evt.time", "true when evt.time is at most D ms away from the argument, ends too"),
    (
        "is_async",
        f"evt.type {ASYNC_MARK}",
        "the event is one of META_EVENTS or asynchronous (it has ASYNC_MARK)",
    ),
    ("asynctype", f"evt.type {ASYNC_MARK}", "evt.type where is_async, otherwise missing"),
    (
        "dir",
        f"evt.type {ASYNC_MARK}",
        "`>` for SINGLE_SIDED_EVENTS and asynchronous events, otherwise `<`",
    ),
    ("type_is", "evt.type", "1 when evt.type is the argument, otherwise 0"),
    ("syscall_type", f"evt.type {ASYNC_MARK}", "evt.type where dir is `<`, otherwise missing"),
    (
        "category",
        f"evt.type fd.type {_MARKS}",
        (
            "CATEGORY_BY_EVENT of plain events (those without GENERIC_MARK and ASYNC_MARK), "
            "`other` for all others; for plain IO_EVENTS instead the class of fd.type in "
            "CLASS_BY_FD_TYPE, `unknown` without one or without fd.type"
        ),
    ),
    ("is_io", f"evt.type {_MARKS}", "a plain event among READ_EVENTS or WRITE_EVENTS"),
    ("is_io_read", f"evt.type {_MARKS}", "a plain event among READ_EVENTS"),
    ("is_io_write", f"evt.type {_MARKS}", "a plain event among WRITE_EVENTS"),
    (
        "io_dir",
        f"evt.type {_MARKS}",
        "of plain events `write` for WRITE_EVENTS, else `read` for READ_EVENTS; else missing",
    ),
    ("is_wait", f"evt.type {_MARKS}", "a plain event among WAIT_EVENTS"),
    (
        "is_syslog",
        "evt.type fd.name",
        "the event is among WRITE_EVENTS and fd.name contains `/dev/log`; false without fd.name",
    ),
    ("failed", "evt.rawres", "evt.rawres < 0"),
    ("count_error", "evt.rawres", "1 when evt.rawres < 0, otherwise 0"),
    (
        "count_error_file",
        "evt.rawres evt.type fd.type",
        (
            "count_error where fd.type is `file` or `directory`, or there is no fd.type and the "
            "event is among FILE_OPEN_EVENTS; otherwise missing"
        ),
    ),
    (
        "count_error_net",
        "evt.rawres evt.type fd.type",
        (
            "count_error where fd.type is among SOCKET_FD_TYPES, or there is no fd.type and the "
            "event is among SOCKET_OPEN_EVENTS; otherwise missing"
        ),
    ),
    ("count_error_memory", "evt.rawres evt.type", "count_error for MEMORY_EVENTS, else missing"),
    (
        "count_error_other",
        "evt.rawres evt.type fd.type",
        (
            "count_error where fd.type is given and count_error_file and _net are missing, or "
            "there is no fd.type and the event is none of FILE_OPEN_, SOCKET_OPEN_ and "
            "MEMORY_EVENTS"
        ),
    ),
    ("count_exit", f"evt.type {ASYNC_MARK}", "1 where dir is `<`, otherwise missing"),
    (
        "count_procinfo",
        "evt.type thread.tid proc.pid",
        "1 for `procinfo` of a main thread (tid = pid), otherwise 0, also without tid or pid",
    ),
    ("count_threadinfo", "evt.type", "1 for `procinfo`, otherwise 0"),
    (
        "buflen",
        "evt.rawres evt.type fd.type",
        "evt.rawres where it is >= 0, fd.type is given and the event is among IO_EVENTS",
    ),
    ("buflen_in", "evt.rawres evt.type fd.type", "buflen of IO_READ_EVENTS"),
    ("buflen_out", "evt.rawres evt.type fd.type", "buflen of IO_WRITE_EVENTS"),
    ("buflen_file", "evt.rawres evt.type fd.type", "buflen where fd.type is `file`"),
    ("buflen_file_in", "evt.rawres evt.type fd.type", "buflen_in where fd.type is `file`"),
    ("buflen_file_out", "evt.rawres evt.type fd.type", "buflen_out where fd.type is `file`"),
    ("buflen_net", "evt.rawres evt.type fd.type", "buflen where fd.type is `ipv4` or `ipv6`"),
    ("buflen_net_in", "evt.rawres evt.type fd.type", "buflen_in where fd.type is ipv4 or ipv6"),
    ("buflen_net_out", "evt.rawres evt.type fd.type", "buflen_out where fd.type is ipv4 or ipv6"),
    (
        "is_open_read",
        "evt.type evt.rawarg.flags",
        "OPEN_EVENTS whose flags have O_RDONLY; false for all others and without flags",
    ),
    (
        "is_open_write",
        "evt.type evt.rawarg.flags",
        "OPEN_EVENTS whose flags have O_WRONLY; false for all others and without flags",
    ),
    (
        "is_open_create",
        "evt.type evt.rawarg.flags evt.rawres",
        (
            "OPEN_EVENTS whose flags have O_F_CREATED, or O_TMPFILE with evt.rawres >= 0; false "
            "for all others and without flags"
        ),
    ),
    (
        "is_open_exec",
        "evt.type evt.rawarg.flags evt.rawarg.mode",
        (
            "OPEN_MODE_EVENTS whose flags have O_CREAT or O_TMPFILE, and `creat`, where the mode "
            "has one of the bits 0111; false for all others and without flags or mode"
        ),
    ),
    (
        "abspath",
        (
            "evt.type evt.rawres evt.arg.name evt.arg.path evt.arg.pathname evt.arg.filename "
            "evt.arg.oldpath evt.arg.newpath evt.arg.linkpath"
        ),
        (
            "the argument that ABSPATH_PARAMS names for the event (the second of the pair for "
            "`.dst`), normalised, with `<UNKNOWN>/` before a path that is not absolute; for "
            "`open_by_handle_at` only with evt.rawres > 0; empty is missing"
        ),
    ),
    (
        "arg",
        "",
        (
            "argument NAME as text: evt.arg.NAME, numbers printed as the event's type of argument "
            "is, bytes with a dot for each that is not printable ASCII; without a value the text "
            "`<NA>`, or `NULL` for structured types, if the event has the argument; an index "
            "counts the event's arguments from 0; `ID` of a generic event is evt.type, `data` "
            "evt.buffer where evt.arg.data is missing"
        ),
    ),
    (
        "rawarg",
        "",
        (
            "argument NAME as it was passed: evt.rawarg.NAME, where there is none or it is "
            "missing (a path) evt.arg.NAME; `data` as evt.buffer"
        ),
    ),
    (
        "args",
        "",
        (
            "`name=raw`, or `name=raw(resolved)` where resolved differs (of paths: where there is "
            "evt.rawarg.NAME), of the event's arguments in order, joined by blanks; missing ones "
            "as for `arg`, but left out at the end of GROWN_EVENTS; the empty text for generic "
            "events"
        ),
    ),
    ("args_text", "proc.argv", "the items joined by one blank; [n]: item n, empty text without"),
    ("cmdnargs", "proc.argv", "the number of items"),
    ("cmdlenargs", "proc.argv", "the bytes of all items"),
    ("exeline", "proc.exe proc.argv", "proc.exe, a blank, and the items joined by blanks"),
    (
        "env_text",
        "proc.env",
        (
            "the items joined by one blank; [NAME]: what follows `NAME=` in the first item that "
            "begins so, blanks trimmed at both ends, empty text without"
        ),
    ),
    (
        "ancestor_args",
        "proc.aargs proc.argv",
        (
            "all items of proc.aargs joined by one blank; [0]: args_text of the process itself; "
            "[n]: item n - 1, missing without"
        ),
    ),
    (
        "ancestor_env",
        "proc.aenv proc.env",
        (
            "each item of proc.aenv with blanks for ENV_SEPARATOR, any of them in conditions; [0]: "
            "env_text of the process itself; [n]: item n - 1 so, missing without; [NAME]: as in "
            "env_text, of the first item where that is not empty, empty text without"
        ),
    ),
    ("proc_duration", "evt.time proc.pid_ts", "evt.time - proc.pid_ts, missing when that is 0"),
    ("ppid_duration", "evt.time proc.ppid_ts", "evt.time - proc.ppid_ts, missing when that is 0"),
    ("is_sid_leader", "proc.sid proc.vpid", "proc.sid = proc.vpid"),
    ("is_vpgid_leader", "proc.vpgid proc.vpid", "proc.vpgid = proc.vpid"),
    ("is_pgid_leader", "proc.pgid proc.pid", "proc.pgid = proc.pid"),
    ("fdusage", "proc.fdopencount proc.fdlimit", "percent of fdlimit; 0 when fdlimit is <= 0"),
    *(
        (
            name,
            f"thread.{column} evt.type proc.pid",
            f"thread.{column} of `switch` events, 0 for others of a known process, else missing",
        )
        for name, column in (("exec_time", "exectime"), ("total_exec_time", "totexectime"))
    ),
    ("ismain", "thread.tid proc.pid", "thread.tid = proc.pid"),
    ("nametid", "proc.name thread.tid", "proc.name immediately followed by thread.tid"),
    (
        "cgroup",
        "thread.cgroups",
        "the text behind `SUBSYSTEM=` of the blank-separated item that begins so, else missing",
    ),
    ("thread_vmsize", "proc.vmsize thread.tid proc.pid", "proc.vmsize where tid = pid, else 0"),
    ("thread_vmrss", "proc.vmrss thread.tid proc.pid", "proc.vmrss where tid = pid, else 0"),
    ("thread_vmsize_b", "proc.vmsize thread.tid proc.pid", "thread_vmsize times 1024"),
    ("thread_vmrss_b", "proc.vmrss thread.tid proc.pid", "thread_vmrss times 1024"),
    (
        "typechar",
        "evt.type fd.type fd.num",
        (
            "TYPECHAR_BY_FD_TYPE, `?` for other texts; without fd.type, if there is fd.num, "
            "TYPECHAR_BY_EVENT and `o` for events that it does not name"
        ),
    ),
    (
        "fd_directory",
        "fd.name fd.type",
        (
            "fd.type directory: fd.name; file, or no fd.type: fd.name up to its last slash, `/` "
            "if that is the first character or there is none, fd.name itself if it ends in one; "
            "other types: missing"
        ),
    ),
    (
        "fd_filename",
        "fd.name fd.type",
        (
            "fd.type file: what follows the last slash of fd.name, fd.name itself if it ends in "
            "one, `/` without a slash; else missing"
        ),
    ),
    (
        "fd_types",
        "fd.types fd.num proc.stdin.type proc.stdout.type proc.stderr.type",
        (
            "fd.types; [0], [1], [2]: a list of only proc.stdin.type, proc.stdout.type, "
            "proc.stderr.type where there is fd.num, missing without type; other numbers: missing"
        ),
    ),
    ("sockfamily", "fd.type", "`ip` for ipv4 and ipv6, `unix` for unix, otherwise missing"),
    ("fd_uid", "thread.tid fd.num", "thread.tid immediately followed by fd.num"),
    ("containername", "container.id fd.name", "container.id, a colon, fd.name"),
    (
        "containerdirectory",
        "container.id fd.name fd.type",
        "container.id, a colon, fd_directory",
    ),
    ("service_cport", "fd.cport", "the port as text: Falco leaves looking up names off"),
    ("service_sport", "fd.sport", "the port as text: Falco leaves looking up names off"),
    ("service_lport", "fd.lport", "the port as text: Falco leaves looking up names off"),
    ("service_rport", "fd.rport", "the port as text: Falco leaves looking up names off"),
    ("dev_major", "fd.dev", "bits 8 to 19 (Linux include/linux/kdev_t.h, new_encode_dev)"),
    ("dev_minor", "fd.dev", "bits 0 to 7, and bits 20 to 31 as its bits 8 to 19"),
    *(
        (
            name,
            (
                "container.mount.source container.mount.dest container.mount.mode "
                "container.mount.rdwr container.mount.propagation"
            ),
            meaning,
        )
        for name, meaning in (
            ("mount", "all five parts of the chosen mount joined by colons"),
            ("mount_source", "source of the chosen mount"),
            ("mount_dest", "destination of the chosen mount"),
            ("mount_mode", "mode of the chosen mount"),
            ("mount_rdwr", "rdwr of the chosen mount"),
            ("mount_propagation", "propagation of the chosen mount"),
        )
    ),
    (
        "container_start_ts",
        "proc.pidns_init_start_ts container.id",
        "proc.pidns_init_start_ts, missing where container.id is `host`",
    ),
    (
        "container_duration",
        "evt.time proc.pidns_init_start_ts container.id",
        "evt.time - proc.pidns_init_start_ts, missing where container.id is `host`",
    ),
    ("label", "container.label", _LABEL),
    ("pod_label", "k8s.pod.label", _LABEL),
)

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
    {name: Derived(name, tuple(inputs.split()), meaning) for name, inputs, meaning in _ROWS}
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
