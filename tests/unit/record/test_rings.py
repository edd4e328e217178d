"""Who used io_uring: found in descriptions and events, kept within a limit."""

import pytest

from falcotrace.capture.footer import PartlyBlind
from falcotrace.capture.summary import describe_blindness
from falcotrace.record import rings
from falcotrace.record.io_operations import build_operations, load_operations
from falcotrace.record.layout import FileKind, HeaderFlag
from falcotrace.record.rings import Rings
from falcotrace.record.syscalls import ROWS, load_syscalls
from unit.record.made_samples import Conversion, started, text


def test_rings_and_requests_are_counted_by_process() -> None:
    """A ring is a file with a name, a request an event with a mark; both name their process."""
    conversion = Conversion()
    stream = started()
    stream.file(7, b"", name=b"[io_uring]", kind=FileKind.ANON, tid=100)
    stream.file(8, b"", name=b"[eventfd]", kind=FileKind.ANON, tid=100)
    for _ in range(3):
        stream.call("openat", flags=HeaderFlag.IO_URING, parts=[text("/f")])
    conversion.of(stream)
    [entry] = conversion.converter.rings.account()
    assert (entry.ring_count, entry.request_count) == (1, 3)
    assert (entry.pid, entry.name) == (100, "tool")


def test_a_checkpoint_goes_on_counting() -> None:
    """What was found before a crash is not forgotten."""
    before = PartlyBlind(pid=4, start_ns=9, name="x", ring_count=2)
    assert Rings([before]).account() == [before]


def test_more_processes_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a limit only sums are kept: a host under attack cannot fill the memory."""
    monkeypatch.setattr(rings, "MOST_PROCESSES", 2)
    found = Rings([PartlyBlind(pid=pid, start_ns=1) for pid in (1, 2)])
    found._add(None, requests=5)
    found._add(None, requests=6)
    assert [entry.pid for entry in found.account()] == [1, 2, 0]
    assert found.account()[-1].request_count == 11


def test_an_unknown_result_is_none() -> None:
    """A request whose result nobody knows has neither a result nor a descriptor."""
    stream = started()
    flags = HeaderFlag.IO_URING | HeaderFlag.NO_RESULT
    stream.call("openat", 2**64 - 100, ret=-(1 << 31), flags=flags, parts=[text("/f")])
    conversion = Conversion()
    [row] = conversion.of(stream)
    assert (row["evt.rawres"], row["evt.res"], row["evt.arg.fd"]) == (None, None, None)
    assert (row["fd.num"], row["evt.arg.name"]) == (-1, "/f")


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_operations_stand_for_calls(arch: str) -> None:
    """Every operation of the table is a call that the table of calls has; others are not told."""
    table = build_operations(arch)
    numbers = {call.numbers.get(arch) for call in load_syscalls()}
    told = {operation.number for operation in load_operations()}
    assert len(told) == len(load_operations()) > 35
    for number, row in enumerate(table):
        assert int(row["nr"]) in numbers if number in told else row["nr"] == ROWS


def test_many_processes_in_a_line() -> None:
    """A line names a few and counts the others."""
    many = [PartlyBlind(pid=pid, name="p", ring_count=pid) for pid in range(1, 8)]
    line = describe_blindness(many)
    assert line.startswith("p (7), p (6), p (5), p (4) and 3 others used io_uring: 28 rings, 0 of")
    assert describe_blindness([]) == ""
