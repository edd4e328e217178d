"""One recording session with the kernel: load, describe what exists, attach, drain, stop, account.

In come settings, out go batches of samples (`ring.py`) and at the end what was lost. Decoding is
somebody else's (`samples.py`), and so are files on disk.

Example (needs root):
    with KernelSession(SessionSettings()) as session:
        session.start()
        while recording:
            batch = session.poll()
            if len(batch.raw) < PAUSE_BELOW_BYTES:
                time.sleep(0.004)
        session.stop()
        losses = session.read_losses()
"""

import dataclasses
import mmap
import os
import secrets
import struct
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Self

import numpy as np

from falcotrace.errors import RecordError
from falcotrace.record.compat_calls import build_compat_table, build_socket_calls
from falcotrace.record.io_operations import build_operations
from falcotrace.record.layout import COUNTERS, CallClass, SampleType
from falcotrace.record.libbpf import BpfObject, count_cpus, has_btf_tracepoint, has_tracepoint
from falcotrace.record.ring import Batch, Ring
from falcotrace.record.syscalls import Limits, build_table, syscalls_by_number

SCRATCHES_PER_CPU: Final = 3
"""`bpf/maps.bpf.h`, FT_SCRATCHES."""

BLOCK_BYTES_MAX: Final = 32768
"""`bpf/event.h`, FT_BLOCK_MAX."""

_OBJECTS: Final = {
    "x86_64": "recorder.x86_64.bpf.o",
    "aarch64": "recorder.aarch64.bpf.o",
}
_ALWAYS: Final = ("handle_sys_exit", "handle_fork", "handle_exec", "handle_exit")
_RINGS: Final = {
    "handle_request": "io_uring_submit_req",
    "handle_complete": "io_uring_complete",
}
"""Programs for io_uring, and the tracepoints that they need; Linux has the first since v6.3."""

_SIMPLE_COUNTERS: Final = (
    *("faults", "cut_paths", "cut_parts", "map_full", "no_state"),
    *("shed_events", "shed_parts"),
)
_SHED_PARTS_SHARE, _SHED_EVENTS_SHARE = 1 / 2, 3 / 4
"""How full the ring is when contents of buffers, and then reads, writes and waits are left out."""

_AT_ENTER: Final = {
    "handle_enter_close": "syscalls/sys_enter_close",
    "handle_enter_dup2": "syscalls/sys_enter_dup2",
    "handle_enter_dup3": "syscalls/sys_enter_dup3",
}


@dataclasses.dataclass(frozen=True, slots=True)
class SessionSettings:
    """What to record, and how much of it.

    Args:
        ring_bytes: size of the ring, a power of two; what is not drained in time is lost.
        argv_bytes: how much of a program's arguments travels; at most `BLOCK_BYTES_MAX`.
        env_bytes: how much of its environment, at most as much; 0 none.
        data_bytes: how much of each buffer that is read or written; 0 none. Makes every read and
            write dearer.
        socket_data_bytes: the same for what goes through sockets; None: as of others.
        numbers: system calls to record, by number; None: all.
        measure_latency: time each call, which costs a second hook at every call.
        follow_pid: record this process and its descendants only; a pid of the caller's namespace.
            Set it later with `KernelSession.follow`.
        follow_only: record nothing until something is followed.
    """

    ring_bytes: int = 256 << 20
    argv_bytes: int = 4096
    env_bytes: int = 4096
    data_bytes: int = 0
    socket_data_bytes: int | None = None
    numbers: frozenset[int] | None = None
    measure_latency: bool = False
    follow_pid: int = 0
    follow_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Losses:
    """The kernel side's account: `made[type]` samples, of which `lost[type]` found no room.

    Args:
        made: samples made, by type.
        lost: of these, samples for which there was no room.
        lost_by_cpu: lost events (not descriptions) of each CPU.
        lost_by_class: the same by what the calls are about.
        faults: texts and blocks of user memory that could not be read.
        cut_paths: kernel paths whose beginning is missing.
        cut_parts: texts and blocks longer than their limit.
        map_full: maps that took no entry; the thing is described again.
        no_state: calls that were not recorded, because the kernel had no memory for their thread.
        shed_events: lost events that were left out before the ring was full, to keep room for those
            that tell more.
        shed_parts: contents of buffers that were left out of events for the same reason.
    """

    made: Mapping[SampleType, int]
    lost: Mapping[SampleType, int]
    lost_by_cpu: tuple[int, ...]
    lost_by_class: Mapping[CallClass, int]
    faults: int
    cut_paths: int
    cut_parts: int
    map_full: int
    no_state: int
    shed_events: int
    shed_parts: int

    @property
    def lost_events(self) -> int:
        """System calls and process ends that are missing from the recording."""
        return sum(self.lost[kind] for kind in _EVENTS)


_EVENTS: Final = (SampleType.EVENT, SampleType.EVENT_DATA, SampleType.EXIT)


class KernelSession:
    """The recorder's programs in the kernel, from loading to the account of losses.

    Args:
        settings: what to record.
        arch: the machine's architecture, as `uname -m` has it.

    Raises:
        RecordError: the kernel, its settings or the caller's rights do not allow it; `hint` says
            what to do, `KernelSession.log` what libbpf and the verifier said.
    """

    def __init__(self, settings: SessionSettings, arch: str | None = None) -> None:
        size = settings.ring_bytes
        if size < mmap.PAGESIZE or size & (size - 1):
            raise RecordError(f"a ring of {size} bytes is not possible", "Take a power of two.")
        for what, limit in _limits_of_programs(settings):
            if not 0 <= limit <= BLOCK_BYTES_MAX:
                raise RecordError(
                    f"{limit:,} bytes of {what} are not possible",
                    f"Take at most {BLOCK_BYTES_MAX:,}.",
                )
        self.settings = settings
        self.arch = arch or os.uname().machine
        self.magic = secrets.randbits(32) | 1  # not 0: that is what untouched memory holds
        self.log = ""
        self._cpus = count_cpus()
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Describe the processes and files that exist, then begin to record.

        The descriptions of processes come first, so that none of them changes unseen: whatever
        changes before the programs are attached differs from its description at its next call.
        Another thread may poll meanwhile; on a host with very many processes it should.
        """
        self._object.iterate(self._iterator)
        if self.settings.follow_pid:
            self.follow(self.settings.follow_pid)
        self._object.iterate("handle_task_file")
        for program in (*_ALWAYS, *(_RINGS if self.sees_rings else ())):
            self._object.attach(program)
        if self._needs_enter:
            self._object.attach("handle_sys_enter")
        for program in self._at_enter:
            self._object.attach_tracepoint(program, _AT_ENTER[program])

    def follow(self, pid: int) -> None:
        """Record the process `pid` and its descendants, those that exist and those to come.

        Only with `follow_only` or a `follow_pid` in the settings. `pid` is one of the caller's pid
        namespace; the kernel finds whose it is.
        """
        self._object.write_variable("follow_vpid", pid)
        self._object.iterate(self._iterator)  # finds it
        self._object.iterate(self._iterator)  # finds its descendants, whatever their pids

    def renew_files(self, epoch: int) -> None:
        """Have threads look up again which files they use; see `OpenFiles.forget_unused`."""
        self._object.write_variable("file_epoch", epoch & 0xFFFFFFFF)

    def poll(self) -> Batch:
        """Take what has come, at most a few MiB, with memory of its own; empty if nothing has."""
        batch = self.ring.take()
        taken = batch.detach()
        self.ring.release(batch)
        return taken

    def stop(self) -> None:
        """End recording; what is in the ring can still be polled."""
        self._object.detach()

    def read_losses(self) -> Losses:
        """Read the account; exact after `stop`: polled samples plus lost ones are those made."""
        raw = self._object.read_array("counters", self._cpus, COUNTERS.itemsize)
        by_cpu = np.frombuffer(raw, COUNTERS)
        made, lost = by_cpu["made"].sum(axis=0), by_cpu["lost"].sum(axis=0)
        return Losses(
            made=MappingProxyType({kind: int(made[kind]) for kind in SampleType}),
            lost=MappingProxyType({kind: int(lost[kind]) for kind in SampleType}),
            lost_by_cpu=tuple(by_cpu["lost"][:, list(_EVENTS)].sum(axis=1).tolist()),
            lost_by_class=MappingProxyType(
                {kind: int(by_cpu["lost_by_class"][:, kind].sum()) for kind in CallClass}
            ),
            **{name: int(by_cpu[name].sum()) for name in _SIMPLE_COUNTERS},
        )

    def close(self) -> None:
        """Detach and free everything; undetached batches become invalid."""
        self.ring.close()
        self._object.close()

    def _open(self) -> None:
        """Load with the best means that this kernel has."""
        wanted = [
            name for name in _AT_ENTER if self.arch == "x86_64" or name != "handle_enter_dup2"
        ]
        usable = all(has_tracepoint(_AT_ENTER[name]) for name in wanted)
        self._at_enter = wanted if usable else []
        self.sees_rings = all(has_btf_tracepoint(name) for name in _RINGS.values())
        try:
            self._iterator = "handle_task"
            self._load()
        except RecordError as error:
            # Without bpf_copy_from_user_task (before Linux 5.18) a sleeping iterator is refused.
            self._iterator = "handle_task_without_memory"
            try:
                self._load()
            except RecordError:
                raise error from None
        self.ring = Ring(self._object.map_fd("ring"), self.settings.ring_bytes, self.magic)

    def _load(self) -> None:
        self._object = BpfObject(_read_object(self.arch))
        try:
            self._configure()
            self._object.load()
        except RecordError:
            self.log += self._object.log
            self._object.close()
            raise

    def _configure(self) -> None:
        bpf, settings = self._object, self.settings
        for name, value in self._numbers().items():
            bpf.set_setting(name, struct.pack("<I", value))
        limits = Limits(
            data=max(self._snap_bytes.values()),
            argv=settings.argv_bytes,
            env=settings.env_bytes,
        )
        for name, share in (
            ("targ_shed_parts", _SHED_PARTS_SHARE),
            ("targ_shed_events", _SHED_EVENTS_SHARE),
        ):
            bpf.set_setting(name, struct.pack("<Q", int(settings.ring_bytes * share)))
        table = build_table(self.arch, limits, settings.numbers)
        bpf.set_setting("syscalls", table.tobytes())
        compat = build_compat_table(self.arch, limits, settings.numbers)
        bpf.set_setting("compat_syscalls", compat.tobytes())
        bpf.set_setting("socket_calls", build_socket_calls().tobytes())
        bpf.set_setting("operations", build_operations(self.arch).tobytes())
        bpf.set_max_entries("ring", settings.ring_bytes)
        bpf.set_max_entries("counters", self._cpus)
        bpf.set_max_entries("scratches", self._cpus * SCRATCHES_PER_CPU)
        iterators = {"handle_task", "handle_task_without_memory"}
        bpf.disable(*(iterators - {self._iterator}), *(set(_AT_ENTER) - set(self._at_enter)))
        if not self._needs_enter:
            bpf.disable("handle_sys_enter")
        if not self.sees_rings:
            bpf.disable(*_RINGS)

    def _numbers(self) -> dict[str, int]:
        settings = self.settings
        numbers = {call.name: number for number, call in syscalls_by_number(self.arch).items()}
        return {
            "targ_magic": self.magic,
            "targ_argv_bytes": settings.argv_bytes,
            "targ_env_bytes": settings.env_bytes,
            **self._snap_bytes,
            "targ_latency": int(settings.measure_latency),
            "targ_follow": int(settings.follow_only or settings.follow_pid > 0),
            "targ_close_at_enter": int(not self._at_enter),
            # arm64's ret_from_fork does not pass the tracepoint (arch/arm64/kernel/entry.S).
            "targ_child_at_fork": int(self.arch == "aarch64"),
            "targ_page_kib": mmap.PAGESIZE // 1024,
            "targ_execve_nr": numbers["execve"],
        }

    @property
    def _snap_bytes(self) -> dict[str, int]:
        files, sockets = self.settings.data_bytes, self.settings.socket_data_bytes
        wanted = {
            "targ_snap_files": files,
            "targ_snap_sockets": files if sockets is None else sockets,
        }
        return {name: min(size, BLOCK_BYTES_MAX) for name, size in wanted.items()}

    @property
    def _needs_enter(self) -> bool:
        return self.settings.measure_latency or not self._at_enter


def _limits_of_programs(settings: SessionSettings) -> tuple[tuple[str, int], ...]:
    return ("arguments", settings.argv_bytes), ("environment", settings.env_bytes)


def _read_object(arch: str) -> bytes:
    try:
        name = _OBJECTS[arch]
    except KeyError:
        known = ", ".join(_OBJECTS)
        raise RecordError(f"no recorder for {arch}", f"There are objects for {known}.") from None
    return (files("falcotrace.record") / name).read_bytes()
