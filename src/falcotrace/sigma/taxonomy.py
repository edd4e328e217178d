"""Sigma's log sources and fields for Linux, and what stands for them in Falco's language.

Tables and nothing else. Image, CommandLine and the like are Sysmon for Linux's; `type`, `a0`,
`name` and the like are auditd's.

Source: the Sigma specification, appendix "taxonomy"; sysmonforlinux' event manifest (events 1, 3
and 11); audit-userspace's field dictionary.
"""

from collections.abc import Mapping
from types import MappingProxyType

from falcotrace.events.path_fields import DESCRIPTOR_EVENTS, PATH_ARGUMENTS
from falcotrace.sigma.forms import (
    Absent,
    Address,
    Argument,
    CallName,
    Choice,
    CommandLine,
    EitherText,
    Folder,
    Form,
    LogSource,
    Number,
    Register,
    Text,
    Unanswerable,
    View,
)

PRODUCT = "linux"

EXECUTED = "evt.type in (execve, execveat) and evt.rawres >= 0"

_OPENS = ("open", "openat", "openat2")
_PE_HEADER = Unanswerable("stands in the header of a Windows program")
_SERIAL = Unanswerable("is a number of Sysmon's own")
_NAME_SERVICE = Unanswerable("is a name, and a system call has addresses only")

_PROCESS: Mapping[str, Form] = {
    "Image": Text("proc.exepath"),
    "CommandLine": CommandLine(),
    "ParentImage": Text("proc.pexepath"),
    "ParentCommandLine": EitherText(
        ("proc.pcmdline", "proc.pexe"),
        "is read as the parent's short name with its arguments, or its argv[0]",
    ),
    "GrandParentImage": Text("proc.aexepath[2]"),
    "CurrentDirectory": Folder("proc.cwd"),
    "User": Text("user.name", unknown="<NA>"),
    "LogonId": Number("user.uid"),
    "ProcessId": Number("proc.pid"),
    "ParentProcessId": Number("proc.ppid"),
    "TerminalSessionId": Unanswerable("is the audit session, which captures do not have"),
    "ParentUser": Unanswerable("is the parent's user, which Falco has no field for"),
    "Hashes": Unanswerable("needs the file's contents"),
    "md5": Unanswerable("needs the file's contents"),
    "sha1": Unanswerable("needs the file's contents"),
    "sha256": Unanswerable("needs the file's contents"),
    "Imphash": _PE_HEADER,
    "OriginalFileName": _PE_HEADER,
    "Description": _PE_HEADER,
    "Product": _PE_HEADER,
    "Company": _PE_HEADER,
    "FileVersion": _PE_HEADER,
    "IntegrityLevel": Unanswerable("is a notion of Windows"),
    "ProcessGuid": _SERIAL,
    "ParentProcessGuid": _SERIAL,
    "LogonGuid": _SERIAL,
    "RuleName": _SERIAL,
}
"""Of every event: the process that did it. Sysmon's LogonId is the user's number."""

_CONNECTION: Mapping[str, Form] = {
    "Initiated": Choice({"true": "evt.type = connect", "false": "evt.type in (accept, accept4)"}),
    "Protocol": Text("fd.l4proto"),
    "DestinationIp": Address("fd.sip", "fd.snet"),
    "DestinationPort": Number("fd.sport"),
    "DestinationIsIpv6": Choice({"true": "fd.typechar = 6", "false": "fd.typechar = 4"}),
    "DestinationHostname": _NAME_SERVICE,
    "DestinationPortName": Text("fd.sproto"),
    "SourceIp": Address("fd.cip", "fd.cnet"),
    "SourcePort": Number("fd.cport"),
    "SourceIsIpv6": Choice({"true": "fd.typechar = 6", "false": "fd.typechar = 4"}),
    "SourceHostname": _NAME_SERVICE,
    "SourcePortName": Text("fd.cproto"),
}
"""Sysmon's source is the side that began the connection, as Falco's client is."""

_FILE: Mapping[str, Form] = {
    "TargetFilename": Text("fd.name"),
    "CreationUtcTime": Unanswerable("is a time, which Falco has no field for"),
}

_AUDIT_UNKNOWN = Unanswerable("is not in captures")

_AUDIT: Mapping[str, Form] = {
    "SYSCALL": CallName(),
    "syscall": Unanswerable("is a number that depends on the architecture"),
    "success": Choice({"yes": "evt.failed = false", "no": "evt.failed = true"}),
    "exit": Number("evt.rawres"),
    "comm": Text("proc.name"),
    "exe": Text("proc.exepath"),
    "cwd": Folder("proc.cwd"),
    "proctitle": CommandLine(),
    "pid": Number("proc.pid"),
    "ppid": Number("proc.ppid"),
    "euid": Number("user.uid"),
    "egid": Number("group.gid"),
    "auid": Number("user.loginuid", unset=2**32 - 1),
    "EUID": Text("user.name", unknown="<NA>"),
    "EGID": Text("group.name", unknown="<NA>"),
    "AUID": Text("user.loginname", unknown="<NA>"),
    "key": Unanswerable("is the key of an audit rule, and captures are made without audit rules"),
    **dict.fromkeys(
        ("uid", "gid", "suid", "sgid", "fsuid", "fsgid", "ses", "tty", "arch", "items"),
        _AUDIT_UNKNOWN,
    ),
}
"""Of every record: what the records of one system call say together."""

_ARGUMENTS = range(1, 100)

_EXECVE: Mapping[str, Form] = {
    "a0": Text("proc.exe"),
    **{f"a{index}": Argument(index) for index in _ARGUMENTS},
}

_REGISTERS: Mapping[str, Form] = {
    **{f"a{index}": Register() for index in range(4)},
    **{f"a{index}": Absent() for index in _ARGUMENTS if index > 3},
}

_NO_ARGUMENTS: Mapping[str, Form] = dict.fromkeys(_EXECVE, Absent())

_PATH_ONLY = ("name", "nametype", "objtype")
_PATH_UNKNOWN: Mapping[str, Form] = dict.fromkeys(
    ("inode", "dev", "mode", "ouid", "ogid", "OUID", "OGID", "obj", "item"), _AUDIT_UNKNOWN
)
_NO_PATH: Mapping[str, Form] = dict.fromkeys((*_PATH_ONLY, *_PATH_UNKNOWN), Absent())


def _calls(*names: str) -> str:
    return f"evt.type in ({', '.join(names)})"


def _calls_with(argument: str, *, but: str = " ") -> tuple[str, ...]:
    return tuple(
        name
        for name, arguments in PATH_ARGUMENTS.items()
        if argument in arguments and name != "umount" and not name.startswith(but)
    )


def _record(name: str, *fields: Mapping[str, Form]) -> Mapping[str, Form]:
    forms: dict[str, Form] = {"type": Choice({name: ""}), **_AUDIT}
    for table in fields:
        forms |= table
    return MappingProxyType(forms)


def _path_view(events: str, path: str, **kinds: str) -> View:
    kind = Choice(kinds)
    own: Mapping[str, Form] = {"name": Text(path), "nametype": kind, "objtype": kind}
    return View(events, _record("PATH", _NO_ARGUMENTS, own, _PATH_UNKNOWN))


_MADE = f"(evt.is_open_create = true or {_calls('mkdir', 'mkdirat')})"
_GONE = _calls("unlink", "unlinkat", "rmdir")
_MOVES = _calls("rename", "renameat", "renameat2")
_LINKS = _calls("link", "linkat", "symlink", "symlinkat")
_FOUND = "evt.res != ENOENT"
"""A watch of auditd sees what is refused, but nothing of files that are not there."""

_PATHS = (
    _path_view(
        f"{_calls(*_calls_with('name'), *sorted(DESCRIPTOR_EVENTS))} and {_FOUND}",
        "fs.path.name",
        CREATE=_MADE,
        DELETE=_GONE,
        NORMAL=f"(not {_MADE} and not {_GONE})",
    ),
    _path_view(
        _calls(*_calls_with("source")),
        "fs.path.source",
        CREATE=_LINKS,
        DELETE=_MOVES,
        NORMAL="evt.type = mount",
    ),
    _path_view(
        _calls(*_calls_with("target", but="symlink")),
        "fs.path.target",
        CREATE=_MOVES,
        NORMAL=_calls("link", "linkat", "mount"),
    ),
    _path_view(f"evt.type = creat and {_FOUND}", "fd.name", CREATE="evt.is_open_create = true"),
    _path_view(EXECUTED, "proc.exepath", NORMAL=""),
)
"""Falco has a call's one path, or its two, in different fields; auditd has a record for each."""

_PROCESS_OUTPUT = (
    "command=%proc.exeline exe=%proc.exepath parent=%proc.pname parent_command=%proc.pcmdline "
    "cwd=%proc.cwd user=%user.name loginuid=%user.loginuid"
)
_SHORT_OUTPUT = "process=%proc.name command=%proc.exeline exe=%proc.exepath parent=%proc.pname"
_USER_OUTPUT = "user=%user.name loginuid=%user.loginuid"

LOG_SOURCES: Mapping[tuple[str, str], LogSource] = MappingProxyType(
    {
        ("process_creation", ""): LogSource(
            (View(EXECUTED, MappingProxyType(dict(_PROCESS))),), _PROCESS_OUTPUT, ("process",)
        ),
        ("file_event", ""): LogSource(
            (
                View(
                    f"{_calls(*_OPENS, 'creat')} and evt.rawres >= 0 and fd.typechar = f and "
                    "(evt.type = creat or evt.arg.flags contains O_CREAT or "
                    "evt.arg.flags contains O_TRUNC)",
                    MappingProxyType({**_PROCESS, **_FILE}),
                ),
            ),
            f"file=%fd.name {_SHORT_OUTPUT} {_USER_OUTPUT}",
            ("filesystem",),
        ),
        ("network_connection", ""): LogSource(
            (
                View(
                    "(evt.type = connect and (evt.rawres >= 0 or evt.res = EINPROGRESS) or "
                    "evt.type in (accept, accept4) and evt.rawres >= 0) and "
                    "fd.typechar in (4, 6) and fd.l4proto in (tcp, udp) and fd.sport != 0",
                    MappingProxyType({**_PROCESS, **_CONNECTION}),
                ),
            ),
            f"connection=%fd.name protocol=%fd.l4proto {_SHORT_OUTPUT} {_USER_OUTPUT}",
            ("network",),
        ),
        ("", "auditd"): LogSource(
            (
                View(EXECUTED, _record("EXECVE", _EXECVE, _NO_PATH), CommandLine()),
                View("", _record("SYSCALL", _REGISTERS, _NO_PATH)),
                *_PATHS,
            ),
            f"call=%evt.type {_SHORT_OUTPUT} file=%fd.name path=%fs.path.name "
            f"source=%fs.path.source target=%fs.path.target {_USER_OUTPUT}",
            ("process",),
            record_field="type",
        ),
    }
)
"""By category and service. Sysmon's event 11 is a file created or overwritten, its event 3 a
connection over TCP or UDP; connecting a socket to port 0 asks for a route and sends nothing."""

UNBOUND_EVENTS = EXECUTED
UNBOUND_NOTE = "type SYSCALL without a call's name is asked of execve and execveat alone"
"""What stands for the calls that the audit rules would have chosen, where a rule names none."""
