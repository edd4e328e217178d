"""From samples to rows: order, numbers, names of calls."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from falcotrace.record.compat_calls import COMPAT_OFFSET
from falcotrace.record.events import PROCEXIT_NUMBER, calls, merge_events
from falcotrace.record.layout import FileKind, HeaderFlag, PartFlag, PartKind, SampleType
from falcotrace.record.samples import block_of
from unit.record.made_samples import BOOT_NS, Conversion, rows_of, started, text


def test_order_of_the_stream() -> None:
    """Plain events, events with parts and ends of processes come as the kernel made them."""
    stream = started()
    stream.call("getuid")
    stream.call("unlink", parts=[text("/x")])
    stream.call("getpid")
    stream.add(SampleType.EXIT, process_id=1, tid=100, pid=100)
    rows = rows_of(stream)
    assert [row["evt.type"] for row in rows] == ["getuid", "unlink", "getpid", "procexit"]
    assert [row["evt.num"] for row in rows] == [1, 2, 3, 4]
    times = [row["evt.time"] for row in rows]
    assert times == sorted(times)
    assert times[0] == BOOT_NS + 30


def test_numbers_go_on_in_the_next_row_group() -> None:
    """evt.num counts the recording's events."""
    conversion = Conversion()
    stream = started()
    stream.call("getuid")
    conversion.of(stream)
    stream.call("getuid")
    assert [row["evt.num"] for row in conversion.of(stream)] == [2]
    assert conversion.converter.event_count == 2


def test_names_of_calls() -> None:
    """As Falco shows them: pread64 is pread, newer calls that it does not know keep their own."""
    names = {call.name for call in calls("x86_64").values()}
    assert {"pread", "pwrite", "prlimit", "openat2", "newfstatat"} <= names
    assert "pread64" not in names
    table = calls("aarch64")
    assert table[56].name == "openat"
    assert table[56].event is not None


def test_unknown_and_32_bit_calls() -> None:
    """A number without a row is not decoded; 32-bit ones are of another table, x32's are not."""
    stream = started()
    stream.call("getuid", nr=499)
    for number in (5, 499, 0x4000 | 57, 0x4000 | 520, 0x4000 | 499):
        stream.call("getuid", nr=number, flags=HeaderFlag.COMPAT)
    unknown, *others = rows_of(stream)
    assert unknown["evt.type"] == "unknown"
    assert (unknown["fd.num"], unknown["evt.rawres"]) == (None, None)
    assert all(row["evt.compat"] for row in others)
    names = [row["evt.type"] for row in others]
    assert names == ["open", "compat_499", "fork", "execve", "compat_499"]
    assert [row["evt.rawres"] for row in others] == [0, None, None, None, None]
    assert others[2]["evt.arg.nativeID"] == 57


@pytest.mark.parametrize("flags", [0, HeaderFlag.COMPAT])
@pytest.mark.parametrize("number", [0xFFFF, 0x7FFF, 0xBFFF, 0x3FFF, 0x8000])
def test_no_number_makes_an_end_of_a_process(number: int, flags: int) -> None:
    """A program can call any number; only the kernel's own samples are ends of processes."""
    stream = started()
    stream.call("getuid", nr=number, flags=flags)
    [row] = rows_of(stream)
    assert row["evt.type"] == "unknown" or row["evt.type"].startswith("compat_")


def test_merged_events() -> None:
    """Numbers of ends and of 32-bit calls are apart from those of calls."""
    stream = started()
    stream.call("getuid", nr=5, flags=HeaderFlag.COMPAT)
    stream.add(SampleType.EXIT, process_id=1, reaper_tid=9, code=3)
    merged = merge_events(block_of([stream.batch()], 1000))
    assert merged.fixed["nr"].tolist() == [COMPAT_OFFSET | 5, PROCEXIT_NUMBER]
    assert merged.position[0] > 1000
    assert merged.fixed["args"][1, 1] == 9


def test_standard_streams() -> None:
    """Names and types of descriptors 0, 1 and 2 of the process."""
    stream = started()
    stream.file(5, b"/dev/pts/0", flags=HeaderFlag.SNAPSHOT)
    stream.file(6, kind=FileKind.PIPE)
    stream.process(2, std_file_id=[5, 6, 0])
    stream.call("getuid", process_id=2)
    row = rows_of(stream)[-1]
    assert (row["proc.stdin.name"], row["proc.stdin.type"]) == ("/dev/pts/0", "file")
    assert (row["proc.stdout.name"], row["proc.stdout.type"]) == ("", "pipe")
    assert (row["proc.stderr.name"], row["proc.stderr.type"]) == (None, None)


def test_cut_arguments_are_marked() -> None:
    """Longer than the limit, or unreadable; a null pointer is neither."""
    stream = started()
    for flags in (0, PartFlag.CUT, PartFlag.FAULT, PartFlag.NULL):
        stream.call("unlink", parts=[(PartKind.STRING, b"/x", flags)])
    marks = [row["evt.truncated"] for row in rows_of(stream)]
    assert marks == [False, True, True, False]


def test_rows_are_written_by_process_state() -> None:
    """In the file the events of one state stand together, each in its order."""
    written: list[np.ndarray] = []
    conversion = Conversion()
    keep = conversion.rows.write_row_group

    def write(events: Mapping[str, pa.Array], processes: pa.Table) -> None:
        written.append(np.column_stack([events["proc.key"], events["evt.num"]]))
        keep(events, processes)

    conversion.rows.write_row_group = write  # type: ignore[method-assign]
    stream = started()
    stream.process(2, 200)
    for process_id in (2, 1, 2, 1):
        stream.call("getuid", process_id=process_id)
    conversion.of(stream)
    [order] = written
    assert order.tolist() == [[1, 2], [1, 4], [2, 1], [2, 3]]
