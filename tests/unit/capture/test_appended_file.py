"""A write that finds a disk full goes on where it stopped, once somebody has made room."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.capture.appended_file import AppendedFile, write_whole
from small_disk import small_disk

PIECES = st.lists(st.binary(max_size=40), max_size=20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one MiB."""
    with small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


def opened(path: Path) -> int:
    """A file to write to."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@given(pieces=PIECES, before=st.binary(max_size=5))
def test_pieces_follow_each_other(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], before: bytes
) -> None:
    """Whatever their sizes, empty ones among them, behind what stood there."""
    path = tmp_path_factory.mktemp("appended") / "a"
    path.write_bytes(before)
    file = AppendedFile(opened(path))
    file.writelines(pieces)
    file.write(b"end")
    assert file.tell() == path.stat().st_size
    file.close()
    assert path.read_bytes() == before + b"".join(pieces) + b"end"


def test_more_pieces_than_one_call_takes(tmp_path: Path) -> None:
    """None of thousands is left out."""
    pieces = [b"%d," % number for number in range(5000)]
    file = AppendedFile(opened(tmp_path / "a"))
    file.writelines(pieces)
    file.close()
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)


def test_writing_goes_on_in_room_that_was_made(disk: Path) -> None:
    """Nothing twice, nothing left out, though the disk was full in the middle of a piece."""
    reserve = disk / "reserve"
    reserve.write_bytes(bytes(600_000))
    pieces = [bytes([number]) * 100_000 for number in range(9)]
    file = AppendedFile(opened(disk / "a"), reserve.unlink)
    file.writelines(pieces)
    file.sync()
    file.close()
    assert not reserve.exists()
    assert (disk / "a").read_bytes() == b"".join(pieces)


def test_copying_goes_on_in_room_that_was_made(disk: Path, tmp_path: Path) -> None:
    """As writing does."""
    reserve = disk / "reserve"
    reserve.write_bytes(bytes(600_000))
    source = tmp_path / "source"
    source.write_bytes(bytes(range(250)) * 3600)
    file = AppendedFile(opened(disk / "a"), reserve.unlink)
    from_file = os.open(source, os.O_RDONLY)
    file.copy_from(from_file, 250, 3600 * 250)
    os.close(from_file)
    file.close()
    assert (disk / "a").read_bytes() == source.read_bytes()[250:]


def test_a_disk_that_stays_full_is_an_error(disk: Path) -> None:
    """Room is asked for once; what finds none then does not wait for ever."""
    asked: list[int] = []
    file = opened(disk / "a")
    with pytest.raises(OSError, match="No space left") as found:
        write_whole(file, bytes(2 << 20), lambda: asked.append(1))
    os.close(file)
    assert found.value.errno == errno.ENOSPC
    assert asked == [1]


def test_a_source_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    """A copy that is shorter than it should be is not one."""
    source = opened(tmp_path / "source")
    os.write(source, b"abc")
    file = AppendedFile(opened(tmp_path / "a"))
    with pytest.raises(EOFError):
        file.copy_from(source, 1, 4)
    os.close(source)
    file.close()
