"""Scenarios: processes, descriptors and events as a `.scap` file, and what rules see of them.

In: what happened, in the words of the event table. Out: the columns of the events that rules see.
"""

import itertools
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from falcotrace.events.columns import PROCESS_COLUMNS
from falcotrace.events.event_types import EVENT_TYPES, EventType
from falcotrace.scap import blocks
from falcotrace.scap.batch_columns import BatchColumns
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.reader import open_scap
from falcotrace.scap.state import StateEngine
from unit.scap.made_batches import packed
from unit.scap.scap_bytes import (
    EVENT_V2,
    EVENT_V2_LARGE,
    block,
    event,
    i64,
    machine,
    section,
    text,
    u32,
)

BEGIN_NS = 1_700_000_000_000_000_000
STEP_NS = 1000
SECOND_NS = 1_000_000_000
BOOT_NS = 1_600_000_000_000_000_000

AT_FDCWD = -100
O_CLOEXEC = 1 << 12
O_DIRECTORY = 1 << 10
CLONE_NEWPID = 1 << 6
CLONE_PARENT = 1 << 8
CLONE_THREAD = 1 << 13
CLONE_NEWUSER = 1 << 20
CLONE_VFORK = 1 << 27
CLONE_CHILD_IN_PIDNS = 1 << 29
"""Flags in Falco's numbers."""

OF_PROCESSES = frozenset(column.path for column in PROCESS_COLUMNS)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event: its code, its thread and the values of some parameters."""

    code: int
    tid: int
    given: Mapping[str, object]
    at_ns: int | None = None
    cpu: int = 0

    def at(self, seconds: float) -> "Happening":
        """The same, so long after the beginning."""
        at_ns = BEGIN_NS + int(seconds * SECOND_NS)
        return Happening(self.code, self.tid, self.given, at_ns, self.cpu)

    def on(self, cpu: int) -> "Happening":
        """The same on another CPU."""
        return Happening(self.code, self.tid, self.given, self.at_ns, cpu)

    def block(self, number: int) -> bytes:
        """The event as a block."""
        found = EVENT_TYPES[self.code]
        unknown = self.given.keys() - {param.name for param in found.params}
        assert not unknown, f"{found.constant} has no {unknown}"
        values = [packed(param.type, self.given.get(param.name)) for param in found.params]
        is_large = "LARGE_PAYLOAD" in found.flags
        at_ns = BEGIN_NS + number * STEP_NS if self.at_ns is None else self.at_ns
        return event(
            self.code,
            values,
            kind=EVENT_V2_LARGE if is_large else EVENT_V2,
            time=at_ns,
            tid=self.tid,
            cpu=self.cpu,
            width=4 if is_large else 2,
        )


@cache
def _newest(name: str, direction: str) -> EventType:
    found = [
        kind
        for kind in EVENT_TYPES
        if kind.name == name
        and kind.direction == direction
        and not kind.flags & {"OLD_VERSION", "UNUSED"}
    ]
    # No driver sends these any more, but captures hold them.
    return found[-1] if found else EVENT_TYPES[_newest(name, "exit").code - 1]


def leaves(name: str, tid: int = 1, /, **given: object) -> Happening:
    """A call returns."""
    return Happening(_newest(name, "exit").code, tid, given)


def enters(name: str, tid: int = 1, /, **given: object) -> Happening:
    """A call begins, or something happens that is no call."""
    return Happening(_newest(name, "enter").code, tid, given)


def exits(tid: int, reaper_tid: int | None = None) -> Happening:
    """A thread ends."""
    return enters("procexit", tid, status=0, ret=0, sig=0, core=0, reaper_tid=reaper_tid)


def looks(tid: int = 1) -> Happening:
    """A call that changes nothing, from which the state is seen."""
    return leaves("getuid", tid, uid=0)


_CLONED: Mapping[str, object] = {
    "exe": "shell",
    "args": b"",
    "ptid": 1,
    "cwd": "",
    "fdlimit": 1024,
    "comm": "shell",
    "cgroups": b"cpu=/\0",
    "flags": 0,
    "uid": 0,
    "gid": 0,
    "pidns_init_start_ts": 0,
}


def clones(tid: int, child: int, /, **given: object) -> Happening:
    """A clone as its caller sees it."""
    own = {"res": child, "tid": tid, "pid": tid, "vtid": tid, "vpid": tid}
    return leaves(str(given.pop("call", "clone")), tid, **{**_CLONED, **own, **given})


def begins(tid: int, parent: int, /, **given: object) -> Happening:
    """A clone as the child sees it."""
    own = {"res": 0, "tid": tid, "pid": tid, "ptid": parent, "vtid": tid, "vpid": tid}
    return leaves(str(given.pop("call", "clone")), tid, **{**_CLONED, **own, **given})


_EXECUTED: Mapping[str, object] = {
    "res": 0,
    "exe": "tool",
    "args": b"",
    "ptid": 1,
    "cwd": "",
    "fdlimit": 1024,
    "pgft_maj": 0,
    "pgft_min": 0,
    "vm_size": 0,
    "vm_rss": 0,
    "vm_swap": 0,
    "comm": "tool",
    "cgroups": b"cpu=/\0",
    "env": b"A=1\0",
    "tty": 0,
    "vpgid": 1,
    "loginuid": 1000,
    "flags": 0,
    "cap_inheritable": 0,
    "cap_permitted": 0,
    "cap_effective": 0,
    "exe_ino": 5,
    "exe_ino_ctime": BEGIN_NS,
    "exe_ino_mtime": BEGIN_NS,
    "uid": 0,
    "trusted_exepath": "/bin/tool",
    "pgid": 1,
    "gid": 0,
    "filename": "tool",
}


def executes(tid: int, /, **given: object) -> Happening:
    """A successful exec."""
    return leaves("execve", tid, **{**_EXECUTED, "tid": tid, "pid": tid, **given})


def opens(tid: int, fd: int, name: str, /, **given: object) -> Happening:
    """A file is opened."""
    own = {"fd": fd, "dirfd": AT_FDCWD, "name": name, "flags": 1, "mode": 0, "dev": 7, "ino": 8}
    return leaves("openat", tid, **{**own, **given})


def closes(tid: int, fd: int, /) -> Happening:
    """A descriptor is closed."""
    return leaves("close", tid, res=0, fd=fd)


def reads(tid: int, fd: int, /) -> Happening:
    """Something is read from a descriptor."""
    return leaves("read", tid, res=1, fd=fd, size=1, data=b"x")


def adds_user(uid: int, name: str, container: str = "") -> Happening:
    """A user becomes known."""
    return enters(
        "useradded",
        -1,
        uid=uid,
        gid=uid,
        name=name,
        home=f"/home/{name}",
        shell="/bin/sh",
        container_id=container,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A thread that exists when the capture begins, with the descriptors that are its own."""

    tid: int
    pid: int = 0
    ptid: int = 1
    sid: int = 1
    vpgid: int = 1
    pgid: int = 1
    vtid: int = 0
    vpid: int = 0
    comm: bytes = b"shell"
    exe: bytes = b"-shell"
    exepath: bytes = b"/bin/shell"
    args: bytes = b"-i\0"
    cwd: bytes = b"/home"
    env: bytes = b"HOME=/home\0"
    cgroups: bytes = b"cpu=/\0"
    root: bytes = b"/"
    fdlimit: int = 1024
    flags: int = 0
    uid: int = 0
    gid: int = 0
    memory: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    pidns_start_ns: int = 0
    tty: int = 0
    loginuid: int = 1000
    capabilities: tuple[int, int, int] = (0, 0, 0)
    exe_ino: int = 0
    is_exe_writable: bool = False
    files: Mapping[int, str | bytes] = field(default_factory=dict)
    closing: frozenset[int] = frozenset()

    def entry(self) -> bytes:
        """Its entry in a list of version 9."""
        pid = self.pid or self.tid
        data = struct.pack("<qqqqq", self.tid, pid, self.ptid, self.sid, self.vpgid)
        data += b"".join(map(text, (self.comm, self.exe, self.exepath, self.args, self.cwd)))
        data += struct.pack("<QIII", self.fdlimit, self.flags, self.uid, self.gid)
        data += struct.pack("<IIIQQ", *self.memory) + text(self.env)
        data += struct.pack("<qq", self.vtid or self.tid, self.vpid or pid)
        data += text(self.cgroups) + text(self.root)
        data += struct.pack(
            "<QII?", self.pidns_start_ns, self.tty, self.loginuid, self.is_exe_writable
        )
        data += struct.pack("<QQQ?", *self.capabilities, False)
        data += struct.pack("<QQQ??q", self.exe_ino, 0, 0, False, False, self.pgid)
        return u32(len(data) + 4) + data

    def descriptors(self) -> bytes:
        """A list of its descriptors: files by their name, others by their entry from its type."""
        entries = b""
        for fd, found in self.files.items():
            flags = 1 | (O_CLOEXEC if fd in self.closing else 0)
            tail = found
            if isinstance(found, str):
                tail = struct.pack("<BI", 16, flags) + text(found.encode())
            data = struct.pack("<qQ", fd, 100 + fd) + bytes(tail)  # type: ignore[arg-type]
            entries += u32(len(data) + 4) + data
        return block(0x218, i64(self.tid) + entries)


INIT = Process(tid=1, ptid=0, comm=b"init", exe=b"/sbin/init", exepath=b"/sbin/init", cwd=b"/")
SHELL = Process(tid=10)
MACHINE = (INIT, SHELL)


def user(uid: int, name: bytes) -> bytes:
    """An entry of the list of users."""
    data = struct.pack("<BII", 0, uid, uid) + text(name) + text(b"/home/" + name) + text(b"/bin/sh")
    return u32(len(data) + 4) + data


def group(gid: int, name: bytes) -> bytes:
    """The same of a group."""
    data = struct.pack("<BI", 1, gid) + text(name)
    return u32(len(data) + 4) + data


def interface(address: bytes) -> bytes:
    """A list of one interface, with its IPv4 address."""
    data = struct.pack("<HH4s4s4sQ", 1, 4, address, b"\xff\xff\xff\0", bytes(4), 10) + b"eth0"
    return block(0x219, u32(len(data)) + data)


def capture_bytes(
    events: Sequence[Happening],
    processes: Sequence[Process] = MACHINE,
    accounts: bytes = b"",
    further: bytes = b"",
) -> bytes:
    """The whole file.

    Args:
        events: what happens.
        processes: the threads that there are before.
        accounts: entries of the list of users.
        further: other blocks of metadata.
    """
    data = section() + machine(boot_time_ns=BOOT_NS)
    data += block(0x215, b"".join(one.entry() for one in processes))
    data += b"".join(one.descriptors() for one in processes if one.files)
    data += block(0x220, accounts) + further
    return data + b"".join(one.block(number) for number, one in enumerate(events))


class Replay:
    """What rules see of each event of a capture.

    Args:
        path: the capture.
        batch_events: how many events a batch has at most.
    """

    def __init__(self, path: Path, batch_events: int = 1_000_000) -> None:
        self.engines: list[StateEngine] = []
        self._parts: list[tuple[BatchColumns, int]] = []
        with mock.patch.object(blocks, "MAX_BATCH_EVENTS", batch_events), open_scap(path) as file:
            for part in file:
                first = self.engines[-1].next_key if self.engines else 1
                engine = StateEngine(part.metadata, first)
                self.engines.append(engine)
                interfaces = Interfaces.of(part.metadata.interfaces)
                for batch in part:
                    columns = BatchColumns(batch, engine.run(batch), interfaces)
                    self._parts.append((columns, len(columns)))

    @property
    def engine(self) -> StateEngine:
        """The engine after the last event."""
        return self.engines[-1]

    @property
    def parts(self) -> list[BatchColumns]:
        """The columns of each batch that has events that rules see."""
        return [columns for columns, count in self._parts if count]

    def process_states(self) -> dict[int, dict[str, Any]]:
        """Process columns by `proc.key`; a key means the same in all batches."""
        found: dict[int, dict[str, Any]] = {}
        for columns in self.parts:
            states = columns.process_states()
            values = {path: states[path].to_pylist() for path in OF_PROCESSES}
            for place, key in enumerate(states["proc.key"].to_pylist()):
                state = {path: column[place] for path, column in values.items()}
                assert found.setdefault(key, state) == state
        return found

    def __len__(self) -> int:
        return sum(count for _, count in self._parts)

    def __getitem__(self, path: str) -> list[Any]:
        """A column: one value for each event that rules see, as they happened."""
        return list(itertools.chain.from_iterable(self._values(path)))

    def _values(self, path: str) -> Iterator[list[Any]]:
        for columns in self.parts:
            values = _column(columns, path)
            # Rows are in the order of the file.
            nums = columns.array("evt.num").to_pylist()
            yield [values[place] for place in sorted(range(len(nums)), key=nums.__getitem__)]

    def last(self, *paths: str) -> tuple[Any, ...]:
        """Some columns of the last event."""
        return tuple(self[path][-1] for path in paths)

    def rows(self, *paths: str) -> list[tuple[Any, ...]]:
        """Some columns of all events."""
        return list(zip(*(self[path] for path in paths), strict=True))


def _column(columns: BatchColumns, path: str) -> list[Any]:
    if path not in OF_PROCESSES:
        return list(columns.array(path).to_pylist())
    states = columns.process_states()
    values = dict(zip(states["proc.key"].to_pylist(), states[path].to_pylist(), strict=True))
    return [values[key] for key in columns.array("proc.key").to_pylist()]


def replay(
    *events: Happening,
    processes: Sequence[Process] = MACHINE,
    accounts: bytes = b"",
    further: bytes = b"",
    batch_events: int = 1_000_000,
) -> Replay:
    """Write a capture and read it; the arguments are those of `capture_bytes` and `Replay`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.scap"
        path.write_bytes(capture_bytes(events, processes, accounts, further))
        return Replay(path, batch_events)
