"""A recording that has filled its disk is brought to its end all the same."""

import os
from pathlib import Path

import pytest

from falcotrace.capture.appended_file import write_whole
from falcotrace.capture.footer import Losses
from falcotrace.record import conversion as conversion_module
from falcotrace.record import room
from falcotrace.record.conversion import Conversion, Ending
from falcotrace.record.folder import RecordingFolder
from small_disk import small_disk
from unit.record.test_recover import START, columns_of, started


def test_conversion_takes_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written when nothing is left has the reserve to itself, in every file it writes."""
    monkeypatch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)
    monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 20)
    with started(tmp_path / "whole.parquet") as folder:
        whole = columns_of(converted(folder))
    told: list[str] = []
    with (
        small_disk(tmp_path / "disk", "2m") as disk,
        started(disk / "c.parquet") as folder,
    ):
        folder.reserve.take()
        folder.reserve.before = lambda: told.append("halted")
        fill(disk / "other")
        assert columns_of(converted(folder)) == whole
        assert not folder.reserve.path.exists()
    assert told


def fill(path: Path) -> None:
    """Leave no room on a disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, bytes(4 << 20), None)
    os.close(file)


def converted(folder: RecordingFolder) -> Path:
    """The capture of a folder's journal, still in it."""
    with Conversion(folder, START) as conversion:
        while conversion.step():
            pass
        return conversion.finish(Ending(9, "signal", Losses(is_known=True))).path
