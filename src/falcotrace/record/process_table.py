"""The table of process states beside each row group: columns for each `proc.key`.

In: what `Processes` knows of keys, and what container runtimes told. Out: `proc.key` and every
    process column of the schema. What no runtime told of a container is null.
"""

from collections.abc import Callable, Iterable

import pyarrow as pa

from falcotrace.capture.schema import flat_type
from falcotrace.events.capabilities import capabilities_text
from falcotrace.events.control_groups import HOST
from falcotrace.record.accounts import UNSET_ID, Accounts
from falcotrace.record.cuts import process_cuts
from falcotrace.record.layout import ImageFlag
from falcotrace.record.runtimes.containers import RUNTIME_COLUMNS, Containers
from falcotrace.record.states import Face, ProcessRow, command_line

Value = str | int | bool | list[str] | list[int] | None
Getter = Callable[[ProcessRow], Value]


def process_table(
    rows: Iterable[ProcessRow],
    accounts: Accounts,
    containers: Containers,
    boot_to_epoch_ns: int,
) -> pa.Table:
    """Make the table for some keys.

    Args:
        rows: what stands behind the keys.
        accounts: names of users and groups.
        containers: what runtimes told.
        boot_to_epoch_ns: added to times since boot.
    """
    rows = list(rows)
    getters = _getters(accounts, containers, boot_to_epoch_ns)
    columns = {"proc.key": pa.array([row.key for row in rows], pa.int64())}
    for path, getter in getters.items():
        columns[path] = pa.array([getter(row) for row in rows], flat_type(path))
    return pa.table(columns)


def _getters(
    accounts: Accounts, containers: Containers, boot_to_epoch_ns: int
) -> dict[str, Getter]:
    def container(row: ProcessRow) -> str:
        return containers.id_of(row.state)

    def epoch(since_boot_ns: int) -> int | None:
        return since_boot_ns + boot_to_epoch_ns if since_boot_ns else None

    return {
        **_identity_getters(epoch),
        **_program_getters(epoch),
        **_relative_getters(epoch),
        **_account_getters(accounts, container),
        "container.id": container,
        **_container_getters(containers),
    }


def _identity_getters(epoch: Callable[[int], int | None]) -> dict[str, Getter]:
    return {
        "proc.pid": lambda row: row.state["pid"],
        "proc.vpid": lambda row: row.state["vpid"],
        "proc.sid": lambda row: row.state["vsid"],
        "proc.vpgid": lambda row: row.state["vpgid"],
        "proc.pgid": lambda row: row.state["pgid"],
        "proc.start": lambda row: epoch(row.state.identity[1]),
        # DIFFERS: Falco has the time at which it first heard of the process, nothing for those
        # that ran before; the kernel knows when each began.
        "proc.pid_ts": lambda row: epoch(row.state.identity[1]),
        "proc.pidns_init_start_ts": lambda row: epoch(row.state["pidns_start_ns"]),
        "proc.tty": lambda row: row.state["tty"],
        "proc.fdlimit": lambda row: _signed(row.state["fd_limit"]),
        "proc.pidns": lambda row: row.state["pidns"],
        "proc.mntns": lambda row: row.state["mntns"],
        "proc.netns": lambda row: row.state["netns"],
        "proc.userns": lambda row: row.state["userns"],
        "proc.cut": lambda row: " ".join(process_cuts(row.state)) or None,
        "proc.root": lambda row: row.state.root or None,
        "proc.cwd": lambda row: _directory(row.state.cwd),
        "thread.cap_permitted": lambda row: capabilities_text(row.state["cap_permitted"]),
        "thread.cap_effective": lambda row: capabilities_text(row.state["cap_effective"]),
        "thread.cap_inheritable": lambda row: capabilities_text(row.state["cap_inheritable"]),
        "thread.cgroups": lambda row: " ".join(row.state.cgroups),
    }


def _program_getters(epoch: Callable[[int], int | None]) -> dict[str, Getter]:
    def flag(bit: ImageFlag) -> Getter:
        return lambda row: bool(row.state.image.flags & bit)

    def since_ctime(row: ProcessRow) -> int | None:
        started_ns = epoch(row.state.identity[1]) or 0
        elapsed_ns = started_ns - row.state.image.ctime_ns
        return elapsed_ns if row.state.image.ctime_ns and elapsed_ns > 0 else None

    def ctime_since_pidns(row: ProcessRow) -> int | None:
        elapsed_ns = row.state.image.ctime_ns - (epoch(row.state["pidns_start_ns"]) or 0)
        return elapsed_ns if row.state["pidns_start_ns"] and elapsed_ns > 0 else None

    return {
        "proc.name": lambda row: row.state.comm,
        "proc.comm": lambda row: row.state.thread_comm,
        "proc.exe": lambda row: _first(row.state.image.argv),
        "proc.exepath": lambda row: row.state.image.exepath,
        "proc.argv": lambda row: list(row.state.image.argv[1:]),
        "proc.env": lambda row: list(row.state.image.env),
        "proc.cmdline": lambda row: command_line(row.state.comm, row.state.image.argv[1:]),
        "proc.is_exe_writable": flag(ImageFlag.WRITABLE),
        "proc.is_exe_upper_layer": flag(ImageFlag.UPPER_LAYER),
        "proc.is_exe_lower_layer": flag(ImageFlag.LOWER_LAYER),
        "proc.is_exe_from_memfd": flag(ImageFlag.MEMFD),
        "proc.exe_ino": lambda row: row.state.image.ino or None,
        "proc.exe_ino_ctime": lambda row: row.state.image.ctime_ns or None,
        "proc.exe_ino_mtime": lambda row: row.state.image.mtime_ns or None,
        "proc.exe_ino_ctime_duration_proc_start": since_ctime,
        "proc.exe_ino_ctime_duration_pidns_start": ctime_since_pidns,
    }


def _relative_getters(epoch: Callable[[int], int | None]) -> dict[str, Getter]:
    def parent(get: Callable[[Face], Value]) -> Getter:
        return lambda row: get(row.ancestors[0]) if row.ancestors else None

    def each(get: Callable[[Face], str]) -> Getter:
        return lambda row: [get(face) for face in row.ancestors]

    def leader(member: str, attribute: str) -> Getter:
        def get(row: ProcessRow) -> Value:
            face: Face | None = getattr(row, member)
            return "" if face is None else str(getattr(face, attribute))

        return get

    getters: dict[str, Getter] = {
        "proc.pname": parent(lambda face: face.name),
        "proc.pexe": parent(lambda face: face.exe),
        "proc.pexepath": parent(lambda face: face.exepath),
        "proc.pcmdline": parent(lambda face: face.cmdline),
        "proc.ppid": parent(lambda face: face.identity[0]),
        "proc.pvpid": parent(lambda face: face.vpid),
        "proc.ppid_ts": parent(lambda face: epoch(face.start_ns)),
        "proc.aname": each(lambda face: face.name),
        "proc.aexe": each(lambda face: face.exe),
        "proc.aexepath": each(lambda face: face.exepath),
        "proc.acmdline": each(lambda face: face.cmdline),
        "proc.apid": lambda row: [face.identity[0] for face in row.ancestors],
        "proc.loginshellid": _login_shell,
        "proc.sname": leader("session_leader", "name"),
    }
    for prefix, member in (
        ("proc.sid", "session_leader"),
        ("proc.vpgid", "vpgid_leader"),
        ("proc.pgid", "pgid_leader"),
    ):
        getters[f"{prefix}_exe"] = leader(member, "exe")
        getters[f"{prefix}_exepath"] = leader(member, "exepath")
    getters["proc.vpgid_name"] = leader("vpgid_leader", "name")
    getters["proc.pgid_name"] = leader("pgid_leader", "name")
    return getters


def _account_getters(
    accounts: Accounts, container: Callable[[ProcessRow], str]
) -> dict[str, Getter]:
    def user(row: ProcessRow, member: str, attribute: str) -> str:
        uid = row.state[member]
        account = accounts.user(uid, in_container=container(row) != HOST)
        return str(getattr(account, attribute))

    return {
        "user.uid": lambda row: row.state["euid"],
        "user.name": lambda row: user(row, "euid", "name"),
        "user.homedir": lambda row: user(row, "euid", "home"),
        "user.shell": lambda row: user(row, "euid", "shell"),
        "user.loginuid": lambda row: _unset_is_minus_one(row.state["loginuid"]),
        "user.loginname": lambda row: user(row, "loginuid", "name"),
        "group.gid": lambda row: row.state["egid"],
        "group.name": lambda row: accounts.group(
            row.state["egid"], in_container=container(row) != HOST
        ),
    }


def _container_getters(containers: Containers) -> dict[str, Getter]:
    def told(path: str) -> Getter:
        return lambda row: containers.columns(row.state).get(path)

    return {path: told(path) for path in RUNTIME_COLUMNS}


def _first(items: tuple[str, ...]) -> str:
    return items[0] if items else ""


def _directory(path: str) -> str:
    """A working directory as Falco keeps it: with a slash at its end."""
    return path if path.endswith("/") else f"{path}/"


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _unset_is_minus_one(identifier: int) -> int:
    return -1 if identifier == UNSET_ID else identifier


def _login_shell(row: ProcessRow) -> int | None:
    """Pid of the eldest process of the ancestry, self included, whose name ends in `sh`."""
    found = row.state["pid"] if row.state.comm.endswith("sh") else None
    for face in row.ancestors:
        if face.name.endswith("sh"):
            found = face.identity[0]
    return found
