# ruff: noqa: PTH104, PTH106, PTH109, PTH110, PTH116, PTH208, FBT001, RUF100
# System calls are made by their own names here.
"""System calls in general: numbers, arguments, results, parts, and who is left out."""

import ctypes
import errno
import os
import platform
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.layout import FileKind, HeaderFlag, PartFlag, PartKind, SampleType
from live.kernel.recording import Recorder, Recording, part, strings

pytestmark = pytest.mark.live

Record = Callable[[Callable[[], object]], Recording]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def test_plain_call_has_its_arguments_and_result(record: Record) -> None:
    """A call without strings travels with its number, six registers and result."""
    got = record(lambda: libc.syscall(62, -12345, 0))  # kill(): no such process
    event = got.call("kill")
    assert event["type"] == SampleType.EVENT
    assert event["ret"] == -errno.ESRCH
    assert event["args"][0] & 0xFFFFFFFF == 2**32 - 12345
    assert event["args"][1] == 0
    assert len(event["args"]) == 6


def test_times_are_of_the_return(record: Record) -> None:
    """An event's time is CLOCK_BOOTTIME when the call returned, and events come in order."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    got = record(lambda: time.sleep(0.03))
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    event = got.call("clock_nanosleep")
    times = [event["ts_ns"] for kind, event in got.samples if not event["flags"] & 16]
    assert before + 30_000_000 < event["ts_ns"] < after
    assert sorted(times[-20:]) == times[-20:]
    assert len(part(event, PartKind.BYTES)) == 16  # struct timespec


def test_recorder_is_left_out(new_recorder: Callable[..., Recorder]) -> None:
    """The recorder's own calls are never recorded, or it would record recording without end."""
    recorder = new_recorder(follow_only=False)
    for _ in range(50):
        os.getppid()
    got = recorder.run(os.getppid)
    mine = [sample for sample in got.of(SampleType.PROCESS) if sample["pid"] == os.getpid()]
    own_ids = {sample["process_id"] for sample in mine if not sample["flags"] & 16}
    assert not own_ids


def test_failed_call_keeps_its_path(record: Record) -> None:
    """A path that does not exist is told as given: rules ask for failed opens."""
    got = record(lambda: os.path.exists("/nonexistent/../x"))
    names = ["stat", "newfstatat"]
    events = [event for name in names for event in got.calls(name) if event["ret"] == -2]
    assert b"/nonexistent/../x" in strings(events[-1])


def test_bad_pointer_is_a_fault_and_no_text(record: Record) -> None:
    """A path at an address that is not mapped is marked, not invented."""
    got = record(lambda: libc.syscall(_number("unlinkat"), -100, ctypes.c_void_p(8), 0))
    event = got.call("unlinkat")
    assert event["ret"] == -errno.EFAULT
    assert event["parts"] == [(PartKind.STRING, PartFlag.FAULT, b"")]


def test_null_pointer_is_marked(record: Record) -> None:
    """A null path differs from an empty one."""
    got = record(lambda: libc.syscall(_number("unlinkat"), -100, None, 0))
    assert got.call("unlinkat")["parts"] == [(PartKind.STRING, PartFlag.NULL, b"")]


def test_longest_path_travels_whole(record: Record) -> None:
    """PATH_MAX is 4096 with its NUL: 4095 bytes are neither cut nor marked."""
    path = b"/" + b"x" * 4094
    got = record(lambda: libc.syscall(_number("unlinkat"), -100, path, 0))
    event = got.call("unlinkat")
    assert event["parts"] == [(PartKind.STRING, 0, path)]


def test_longer_string_is_cut_and_marked(record: Record) -> None:
    """A string beyond its limit is cut at it, says so, and is counted."""
    path = b"/" + b"y" * 6000
    got = record(lambda: libc.syscall(_number("unlinkat"), -100, path, 0))
    event = got.call("unlinkat")
    assert event["ret"] == -errno.ENAMETOOLONG
    assert event["parts"] == [(PartKind.STRING, PartFlag.CUT, path[:4095])]


def test_two_paths_keep_their_order(record: Record, tmp_path: object) -> None:
    """Old and new name of a rename travel as parts 0 and 1."""
    old, new = f"{tmp_path}/old".encode(), f"{tmp_path}/new".encode()

    def rename() -> None:
        os.close(os.open(old, os.O_CREAT))
        os.rename(old, new)

    got = record(rename)
    event = (got.calls("rename") or got.calls("renameat") or got.calls("renameat2"))[-1]
    assert strings(event) == [old, new]
    assert event["ret"] == 0


def test_three_texts_of_a_mount(record: Record) -> None:
    """Device, directory and type of a mount travel."""
    got = record(lambda: libc.mount(b"dev", b"/nonexistent", b"weirdfs", 0, None))
    event = got.call("mount")
    assert strings(event) == [b"dev", b"/nonexistent", b"weirdfs"]
    assert event["ret"] < 0


def test_struct_of_openat2(record: Record) -> None:
    """The flags of openat2 are in user memory: the whole open_how travels."""
    how = struct.pack("<QQQ", os.O_RDONLY | os.O_CLOEXEC, 0, 4)
    got = record(lambda: libc.syscall(437, -100, b"/etc/passwd", how, len(how)))
    event = got.call("openat2")
    assert part(event, PartKind.BYTES) == how
    assert strings(event) == [b"/etc/passwd"]
    assert event["flags"] & HeaderFlag.RESULT_FD
    assert got.file(event["file_id"])["path"] == b"/etc/passwd"


def test_result_only_parts_need_success(record: Record) -> None:
    """What a call writes is not read when it failed: getcwd into too small a buffer."""
    number = _number("getcwd")
    buffer = ctypes.create_string_buffer(4096)

    def both() -> None:
        libc.syscall(number, buffer, 4096)
        libc.syscall(number, buffer, 1)

    good, bad = record(both).calls("getcwd")[-2:]
    assert strings(good) == [os.getcwd().encode()]
    assert bad["ret"] == -errno.ERANGE
    assert bad["parts"] == []


def test_usage_is_the_kernels(record: Record) -> None:
    """Sizes and faults after a call agree with /proc/self."""

    def use() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (321, 4096))
        libc.mmap(None, 1 << 20, 0, 0x22, -1, 0)

    event = record(use).calls("mmap")[-1]
    usage = struct.unpack("<QQQIIII", part(event, PartKind.USAGE))
    assert usage[0] == 321
    assert usage[2] > 0
    own_kib = [int(x) * 4 for x in Path("/proc/self/statm").read_text().split()[:2]]
    assert usage[3] == pytest.approx(own_kib[0] + 1024, rel=0.2)
    assert usage[4] < own_kib[0]
    assert usage[5] == 0


def test_pollfds_travel(record: Record) -> None:
    """The entries of poll travel with their results and with the files that they are about."""
    import select

    def wait() -> None:
        reader, writer = os.pipe()
        os.write(writer, b"x")
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.poll(0)

    got = record(wait)
    entries = part(got.calls("poll")[-1], PartKind.POLL)
    (fd, events, revents, file_id) = struct.unpack("<ihhQ", entries)
    assert (events, revents) == (select.POLLIN, select.POLLIN)
    assert fd > 2
    assert got.file(file_id)["kind"] == FileKind.PIPE


def test_long_lists_of_poll_are_cut_and_marked(record: Record) -> None:
    """More entries than are looked at are no reason to lose the first ones."""
    count = 40
    entries = struct.pack("<ihh", 0, 1, 0) * count
    event = record(lambda: libc.poll(entries, count, 0)).calls("poll")[-1]
    [(kind, flags, data)] = event["parts"]
    assert (kind, flags, len(data)) == (PartKind.POLL, PartFlag.CUT, 32 * 16)


def test_prctl_text_only_where_it_is_one(record: Record) -> None:
    """PR_SET_NAME's argument is a text; other options' numbers are not read as addresses."""

    def both() -> None:
        libc.prctl(15, b"named", 0, 0, 0)
        libc.prctl(38, 1, 0, 0, 0)

    named, other = record(both).calls("prctl")[-2:]
    assert strings(named) == [b"named"]
    assert other["type"] == SampleType.EVENT


def test_latency_is_measured_on_request(new_recorder: Callable[..., Recorder]) -> None:
    """With the option, a sleep's event says how long it slept; without, zero."""
    event = new_recorder(measure_latency=True).run(lambda: time.sleep(0.02)).call("clock_nanosleep")
    latency = event["latency_high"] << 32 | event["latency_low"]
    assert 20_000_000 <= latency < 2_000_000_000
    event = new_recorder().run(lambda: time.sleep(0.001)).call("clock_nanosleep")
    assert event["latency_high"] == event["latency_low"] == 0


def test_buffers_travel_on_request(new_recorder: Callable[..., Recorder]) -> None:
    """With the option, what was written travels, cut at its limit; without, reads stay small."""

    def talk() -> None:
        reader, writer = os.pipe()
        os.write(writer, b"0123456789")
        os.read(reader, 4)
        os.writev(writer, [b"vec", b"", b"tor", b"more"])

    got = new_recorder(data_bytes=8).run(talk)
    assert part(got.calls("write")[-1], PartKind.BYTES) == b"01234567"
    assert got.calls("write")[-1]["parts"][0][1] == PartFlag.CUT
    assert part(got.calls("read")[-1], PartKind.BYTES) == b"0123"
    assert part(got.calls("writev")[-1], PartKind.VECTOR_DATA) == b"vectormo"
    assert part(got.calls("writev")[-1], PartKind.VECTOR_SIZE) == struct.pack("<Q", 10)
    assert new_recorder().run(talk).calls("write")[-1]["type"] == SampleType.EVENT


@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is x86")
def test_compat_call_is_marked(record: Record) -> None:
    """A 32-bit call has another table: number 5 is open there and fstat here."""
    import mmap

    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    function = ctypes.CFUNCTYPE(ctypes.c_int)(address)
    got = record(function)
    marked = [
        sample
        for _, sample in got.samples
        if "nr" in sample and sample["flags"] & HeaderFlag.COMPAT
    ]
    assert [(sample["nr"], sample["ret"]) for sample in marked] == [(20, got.pid)]


def _number(name: str) -> int:
    from falcotrace.record.syscalls import syscalls_by_number

    return {call.name: number for number, call in syscalls_by_number(platform.machine()).items()}[
        name
    ]
