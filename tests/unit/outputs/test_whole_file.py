"""Files appear when they are complete, for nobody else's eyes, and replace only what they may."""

import stat
from pathlib import Path

import pytest

from falcotrace.errors import FalcoTraceError
from falcotrace.outputs.whole_file import whole_file


def write(path: Path, text: str, *, force: bool = False) -> None:
    """Write a file."""
    with whole_file(path, force=force) as new:
        new.write_text(text)
        assert not path.exists() or path.read_text() != text


def test_it_is_there_when_it_is_complete(tmp_path: Path) -> None:
    """Not before, with mode 0600, and nothing is left beside it."""
    write(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("x"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(28, "No space left"), FalcoTraceError),
    ],
)
def test_half_of_it_is_nothing(
    tmp_path: Path, error: BaseException, told: type[BaseException]
) -> None:
    """Whatever ends the writing, the old file stays and the new one goes."""
    write(tmp_path / "a", "old")
    with (
        pytest.raises(told),
        whole_file(tmp_path / "a", force=True) as new,
    ):
        new.write_text("half")
        raise error
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_there_stays_without_force(tmp_path: Path) -> None:
    """Also what came while it was written."""
    write(tmp_path / "a", "old")
    with pytest.raises(FalcoTraceError, match="--force"):
        write(tmp_path / "a", "new")
    with (
        pytest.raises(FalcoTraceError, match="--force"),
        whole_file(tmp_path / "b", force=False) as new,
    ):
        new.write_text("mine")
        (tmp_path / "b").write_text("theirs")
    assert (tmp_path / "b").read_text() == "theirs"
    write(tmp_path / "a", "new", force=True)
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_only_files_are_replaced(tmp_path: Path, kind: str) -> None:
    """A link is not followed and not replaced, whatever force says."""
    (tmp_path / "real").write_text("real")
    if kind == "link":
        (tmp_path / "a").symlink_to(tmp_path / "real")
    else:
        (tmp_path / "a").mkdir()
    with pytest.raises(FalcoTraceError, match="no regular file"):
        write(tmp_path / "a", "new", force=True)
    assert (tmp_path / "real").read_text() == "real"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A folder that is not there is a sentence."""
    with pytest.raises(FalcoTraceError, match="cannot be written: No such file"):
        write(tmp_path / "none" / "a", "text")
