"""Samples made by hand, as the kernel side would make them, and the rows that they become."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa

from column_values import listed
from falcotrace.capture.encoding import select_processes
from falcotrace.capture.footer import Group, User
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.events.columns import COLUMNS
from falcotrace.record.accounts import Accounts
from falcotrace.record.converter import Converter
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.layout import SAMPLES, FileKind, PartKind, ProcessFlag, SampleType
from falcotrace.record.ring import Batch
from falcotrace.record.runtimes.containers import Containers
from falcotrace.record.syscalls import load_syscalls

ARCH = "x86_64"
BOOT_NS = 1_000_000_000_000
"""What the samples' clock is behind the epoch."""

NUMBERS = {call.name: call.numbers.get(ARCH, -1) for call in load_syscalls()}
AT_FDCWD = 2**64 - 100
ACCOUNTS = Accounts(
    [
        User(uid=0, name="root", gid=0, home="/root", shell="/bin/sh"),
        User(uid=1000, name="ann", gid=1000, home="/home/ann", shell="/bin/zsh"),
    ],
    [Group(gid=0, name="root"), Group(gid=1000, name="ann")],
)

Part = tuple[PartKind, bytes] | tuple[PartKind, bytes, int]


class Row(dict[str, Any]):
    """The columns of one event; None where there is no value."""

    def __missing__(self, path: str) -> None:
        assert path in COLUMNS, f"no column is called {path}"


class Stream:
    """Samples in the order in which they are added, with a kernel header before each."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._starts: list[int] = []
        self._lengths: list[int] = []
        self._size = 0
        self._ts_ns = 0

    def add(
        self,
        sample_type: SampleType,
        strings: Sequence[bytes] = (),
        parts: Sequence[Part] = (),
        **members: Any,
    ) -> None:
        """Add a sample; members that are not given are 0."""
        layout = SAMPLES[sample_type]
        sample = np.zeros(1, layout)
        self._ts_ns += 10
        sample["magic"], sample["type"], sample["ts_ns"] = 77, sample_type, self._ts_ns
        for name, value in members.items():
            sample[name] = value
        tails = list(strings)
        for index, (part_kind, data, *flags) in enumerate(parts):
            sample["part"][0, index] = (len(data), part_kind, flags[0] if flags else 0)
            tails.append(data)
        body = sample.tobytes() + b"".join(tails)
        self._starts.append(self._size + 8)
        self._lengths.append(len(body))
        chunk = len(body).to_bytes(4, "little") + bytes(4) + body
        chunk += bytes(-len(chunk) % 8)
        self._chunks.append(chunk)
        self._size += len(chunk)

    def image(
        self,
        image_id: int,
        exepath: bytes = b"/usr/bin/tool",
        argv: Sequence[bytes] = (b"tool",),
        env: Sequence[bytes] = (),
        filename: bytes = b"",
        **members: Any,
    ) -> None:
        """Add a program."""
        blocks = [b"".join(item + b"\0" for item in items) for items in (argv, env)]
        names = ("filename_len", "exepath_len", "interp_len", "argv_len", "env_len")
        strings = [filename, exepath, b"", *blocks]
        lengths: dict[str, Any] = dict(zip(names, map(len, strings), strict=True))
        self.add(SampleType.IMAGE, strings, image_id=image_id, **lengths, **members)

    def process(
        self,
        process_id: int,
        pid: int = 100,
        *,
        cwd: bytes = b"/home/ann",
        root: bytes = b"",
        **members: Any,
    ) -> None:
        """Add a state of a process's leader, with the host's numbers for what is not given."""
        values: dict[str, Any] = {
            "tid": pid,
            "pid": pid,
            "vtid": members.get("tid", pid),
            "vpid": pid,
            "pid_start_ns": pid * 1000,
            "ppid": 0,
            "pgid": pid,
            "vpgid": pid,
            "sid": pid,
            "vsid": pid,
            "loginuid": 0xFFFFFFFF,
            "comm": b"tool",
            "thread_comm": b"tool",
            "process_flags": ProcessFlag.LEADER,
            "image_id": 1,
            **members,
        }
        values |= {"cwd_len": len(cwd), "root_len": len(root)}
        self.add(SampleType.PROCESS, [cwd, root], process_id=process_id, **values)

    def control_groups(self, cgroups_id: int, *groups: str) -> None:
        """Add a set of control groups, `subsystem=path` texts."""
        raw = "".join(f"{group}\0" for group in groups).encode()
        lengths: dict[str, Any] = {"cgroups_id": cgroups_id, "paths_len": len(raw)}
        self.add(SampleType.CGROUPS, [raw, b""], **lengths)

    def file(self, file_id: int, path: bytes = b"", name: bytes = b"", **members: Any) -> None:
        """Add an open file; a regular one if nothing else is said."""
        values = {"kind": FileKind.PATH, "mode": 0o100644, **members}
        lengths: dict[str, Any] = {"path_len": len(path), "name_len": len(name)}
        self.add(SampleType.FILE, [path, name], file_id=file_id, **lengths, **values)

    def call(
        self,
        name: str,
        *args: int,
        ret: int = 0,
        parts: Sequence[Part] | None = None,
        **members: Any,
    ) -> None:
        """Add a system call of process state 1 if no other is named."""
        registers = [arg % 2**64 for arg in args] + [0] * (6 - len(args))
        values = {"nr": NUMBERS[name], "ret": ret, "args": registers, "process_id": 1, **members}
        has_data = parts is not None or {"dir_file_id", "other_file_id"} & values.keys()
        sample_type = SampleType.EVENT_DATA if has_data else SampleType.EVENT
        self.add(sample_type, parts=parts or (), **values)

    def batch(self) -> Batch:
        """Everything added so far, and start anew."""
        raw = np.frombuffer(b"".join(self._chunks), np.uint8)
        starts = np.array(self._starts, np.int64)
        batch = Batch(raw, starts, np.array(self._lengths, np.uint32))
        self._chunks, self._starts, self._lengths, self._size = [], [], [], 0
        return batch


class Rows:
    """Takes row groups as a capture does; its rows are in the order of `evt.num`."""

    def __init__(self) -> None:
        self.groups: list[list[Row]] = []

    def write_row_group(
        self, events: Mapping[str, pa.Array | Sparse | Stepwise], processes: pa.Table
    ) -> None:
        """Keep one row group."""
        keys = np.asarray(events["proc.key"])
        present = select_processes(processes, keys)
        index = np.searchsorted(np.asarray(present["proc.key"]), keys)
        states = present.take(pa.array(index))
        columns = {**events, **{path: states[path] for path in states.column_names}}
        values = {path: listed(column, len(keys)) for path, column in columns.items()}
        rows = [
            Row({path: column[at] for path, column in values.items()}) for at in range(len(keys))
        ]
        self.groups.append(sorted(rows, key=lambda row: cast("int", row["evt.num"])))


class Conversion:
    """A converter and what it wrote."""

    def __init__(
        self,
        *,
        interfaces: Interfaces | None = None,
        data_bytes: int = 0,
        containers: Containers | None = None,
    ) -> None:
        self.rows = Rows()
        self.converter = Converter(
            ACCOUNTS,
            ARCH,
            BOOT_NS,
            data_bytes=data_bytes,
            interfaces=interfaces or Interfaces(),
            containers=containers,
        )

    def take(self, batches: Sequence[Batch]) -> None:
        """Convert batches and keep their rows."""
        for converted in self.converter.convert(batches):
            if converted.columns is not None:
                self.rows.write_row_group(converted.columns, converted.processes)

    def of(self, stream: Stream) -> list[Row]:
        """The rows of a stream as one row group."""
        self.take([stream.batch()])
        return self.rows.groups[-1] if self.rows.groups else []


def started() -> Stream:
    """A stream that describes one process, state 1 with program 1, before anything happens."""
    stream = Stream()
    stream.image(1)
    stream.process(1)
    return stream


def rows_of(stream: Stream) -> list[Row]:
    """The rows of one stream."""
    return Conversion().of(stream)


def row_of(stream: Stream) -> Row:
    """The last row of one stream."""
    return rows_of(stream)[-1]


def text(value: str | bytes) -> Part:
    """A path or another text as a part."""
    return PartKind.STRING, os.fsencode(value)
