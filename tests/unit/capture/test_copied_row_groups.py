"""Row groups are copied from file to file as they stand."""

import contextlib
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.capture import encoding
from falcotrace.capture.footer import Footer
from falcotrace.capture.parquet.moved import moved_row_group
from falcotrace.capture.reader import open_capture
from falcotrace.capture.writer import CaptureWriter, begins
from falcotrace.errors import CaptureError
from unit.capture.test_file import PROCESSES, group

GROUPS = ([2, 1, 2, 3], [1, 1], [3, 2, 1])


@pytest.mark.parametrize("medium_count", [0, 1 << 17], ids=["with process tables", "without"])
def test_the_last_groups_of_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, medium_count: int
) -> None:
    """Are a capture in another: every column, and every state of a process."""
    monkeypatch.setattr(encoding, "MEDIUM_COUNT", medium_count)
    with CaptureWriter(tmp_path / "a.parquet") as writer:
        nums = (1, 5, 7)
        written = [
            writer.write_row_group(group(num, keys), PROCESSES)
            for num, keys in zip(nums, GROUPS, strict=True)
        ]
        writer.close(Footer())
    kept = [one for one in written if one is not None]
    assert len(kept) == len(GROUPS)
    source = os.open(tmp_path / "a.parquet", os.O_RDONLY)
    with CaptureWriter(tmp_path / "b.parquet") as writer:
        writer.write_row_group(group(1, [1]), PROCESSES)
        for begin, one in list(zip(begins(kept), kept, strict=True))[1:]:
            writer.copy(source, begin, one)
        writer.write_row_group(group(10, [2]), PROCESSES)
        writer.close(Footer())
    os.close(source)
    with open_capture(tmp_path / "a.parquet") as a, open_capture(tmp_path / "b.parquet") as b:
        assert [one.row_count for one in b.row_groups] == [1, 2, 3, 1]
        for index in (1, 2):
            for path in ("evt.num", "fd.name", "proc.name", "proc.aname"):
                assert a.read(index, [path])[path].equals(b.read(index, [path])[path])
            assert a.process_table(index).equals(b.process_table(index))
    table = pq.read_table(tmp_path / "b.parquet", columns=["evt"])
    assert [event["num"] for event in table["evt"].to_pylist()] == [1, 5, 6, 9, 8, 7, 10]


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    """Is an error, not a capture with a hole in it."""
    with CaptureWriter(tmp_path / "a.parquet") as writer:
        one = writer.write_row_group(group(1, [1]), PROCESSES)
        writer.close(Footer())
    assert one is not None
    os.truncate(tmp_path / "a.parquet", 100)
    source = os.open(tmp_path / "a.parquet", os.O_RDONLY)
    with (
        CaptureWriter(tmp_path / "b.parquet") as writer,
        pytest.raises(CaptureError, match="ends too early"),
    ):
        writer.copy(source, 4, one)
    os.close(source)


@given(st.binary(max_size=200))
def test_descriptions_that_are_none(raw: bytes) -> None:
    """What stands in a damaged folder is refused or goes through; nothing hangs."""
    with contextlib.suppress(ValueError):
        moved_row_group(raw, 1000)


def test_lists_without_end() -> None:
    """A count that no file can hold, and structs within structs, are refused at once."""
    for raw in (b"\x29\xf1\xff\xff\xff\xff\x7f", b"\x1c" * 100_000):
        with pytest.raises(ValueError, match=r"cut off|nested"):
            moved_row_group(raw, 1)


def test_moving_there_and_back(tmp_path: Path) -> None:
    """Changes nothing: no field is lost on the way."""
    with CaptureWriter(tmp_path / "a.parquet") as writer:
        one = writer.write_row_group(group(1, [1, 2, 3]), PROCESSES)
        writer.close(Footer())
    assert one is not None
    far = moved_row_group(one.about, 1 << 40)
    assert far != one.about
    assert moved_row_group(far, -(1 << 40)) == one.about
