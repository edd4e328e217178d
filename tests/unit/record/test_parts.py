"""A recording's parts: the oldest go, the rest make captures, and interruptions lose none."""

from pathlib import Path

import msgspec
import pytest

from falcotrace.capture.footer import Losses, LossInterval
from falcotrace.capture.reader import open_capture
from falcotrace.errors import RecordError
from falcotrace.record import conversion as conversion_module
from falcotrace.record.conversion import Conversion, Ending
from falcotrace.record.folder import SUFFIX, RecordingFolder
from falcotrace.record.losses import account_since
from falcotrace.record.options import RecordOptions
from falcotrace.record.parts import Part, stamped
from falcotrace.record.recover import recover_recording
from unit.record.test_recover import BATCHES, START, columns_of, started

EVENTS = [6, 6, 6, 8, 6, 6]
"""Of each batch that `started` writes."""


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row group for each batch."""
    monkeypatch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)


def ending(time_ns: int, lost_count: int = 0, reason: str = "signal") -> Ending:
    """An end with an account of 100 events and some that were lost."""
    losses = Losses(is_known=True, made_count=100, lost_count=lost_count, by_cpu=[lost_count])
    return Ending(time_ns, reason, losses)


def nums(capture: Path) -> list[object]:
    """The numbers of a capture's events."""
    return columns_of(capture)["evt.num"]


def test_parts_make_one_capture(tmp_path: Path) -> None:
    """Whatever was begun anew meanwhile, every column is that of a recording in one piece."""
    with started(tmp_path / "a.parquet") as folder, Conversion(folder, START) as conversion:
        while conversion.step():
            pass
        whole = conversion.finish(ending(9)).path.rename(tmp_path / "whole.parquet")
    with started(tmp_path / "b.parquet") as folder:
        with Conversion(folder, START) as conversion:
            number = 0
            while conversion.step():
                number += 1
                if number % 2:
                    conversion.begin_part(ending(number), is_capture=False)
            sealed = conversion.seal(tmp_path / "sealed.parquet", ending(9))
            found = conversion.finish(ending(9))
        folder.finish(found.path, overwrite=False)
    assert found.event_count == sealed.event_count == sum(EVENTS)
    expected = columns_of(whole)
    assert columns_of(tmp_path / "b.parquet") == expected
    assert columns_of(tmp_path / "sealed.parquet") == expected


def test_the_oldest_parts_go(tmp_path: Path) -> None:
    """Their files go when a checkpoint no longer names them; the rest keeps its numbers."""
    with started(tmp_path / "a.parquet") as folder, Conversion(folder, START) as conversion:
        for number in range(1, BATCHES):
            assert conversion.step()
            conversion.begin_part(ending(number), is_capture=False)
        conversion.step()
        assert len(list(folder.path.glob("part-*.parquet"))) == BATCHES
        conversion.parts.drop_before(3)
        assert len(list(folder.path.glob("part-*.parquet"))) == BATCHES
        conversion.keep_parts()
        assert len(list(folder.path.glob("part-*.parquet"))) == BATCHES - 3
        conversion.parts.drop_first()
        found = conversion.seal(tmp_path / "s.parquet", ending(9))
        first = sum(EVENTS[:4]) + 1
        assert nums(found.path) == list(range(first, sum(EVENTS) + 1))
        while conversion.parts.drop_first():
            pass
        found = conversion.seal(tmp_path / "s.parquet", ending(9))
        assert found.event_count == EVENTS[-1]


def test_row_groups_before_the_window_are_left_out(tmp_path: Path) -> None:
    """Of a part that is partly too old."""
    with started(tmp_path / "a.parquet") as folder, Conversion(folder, START) as conversion:
        while conversion.step():
            pass
        found = conversion.seal(tmp_path / "s.parquet", ending(9))
        with open_capture(found.path) as capture:
            last = capture.row_groups[-1]
        found = conversion.seal(tmp_path / "t.parquet", ending(9), last.last_time_ns)
        assert nums(found.path)[-1] == sum(EVENTS)
        assert found.event_count < sum(EVENTS)


@pytest.mark.parametrize("steps", range(BATCHES + 1))
def test_interrupted_between_parts(tmp_path: Path, steps: int) -> None:
    """Recovery puts the parts together that a checkpoint names."""
    output = tmp_path / "a.parquet"
    with started(output) as folder, Conversion(folder, START) as conversion:
        for number in range(steps):
            assert conversion.step()
            conversion.begin_part(ending(number), is_capture=False)
        conversion.parts.drop_first()
        (folder.path / "part-000099.parquet").write_bytes(b"not known to any checkpoint")
    recovered = recover_recording(output.with_name(output.name + SUFFIX))
    assert nums(recovered.path) == list(range(1, sum(EVENTS) + 1))


def test_captures_of_a_rotation(tmp_path: Path) -> None:
    """Follow each other without a gap, under names with their times; also after an interruption."""
    output = tmp_path / "a.parquet"
    start = msgspec.structs.replace(START, rotates=True)
    with started(output) as folder:
        folder.write_start(start)
        with Conversion(folder, start) as conversion:
            conversion.step()
            conversion.begin_part(ending(1 * 10**9), is_capture=True)
            assert conversion.parts.move_finished(output) == [
                tmp_path / "a-19700101T000000Z.parquet"
            ]
            conversion.step()
            conversion.begin_part(ending(2 * 10**9), is_capture=True)
    recovered = recover_recording(output.with_name(output.name + SUFFIX))
    names = [f"a-19700101T00000{second}Z.parquet" for second in range(3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert recovered.path.name == names[-1]
    found = [num for name in names for num in nums(tmp_path / name)]
    assert found == list(range(1, sum(EVENTS) + 1))
    with open_capture(tmp_path / names[1]) as capture:
        recording = capture.footer.recording
        assert (recording.started_ns, recording.ended_ns) == (10**9, 2 * 10**9)
        assert capture.footer.losses.made_count == EVENTS[1]


def test_the_account_of_some_parts() -> None:
    """Counts what was lost since the first of them began, and adds up."""
    before = Losses(
        is_known=True, made_count=100, lost_count=7, by_class={"files": 7}, by_cpu=[7, 0]
    )
    intervals = [
        LossInterval(from_ns=to_ns - 5, to_ns=to_ns, by_class={"files": 1}) for to_ns in (10, 20)
    ]
    now = Losses(
        is_known=True,
        made_count=300,
        lost_count=9,
        by_class={"files": 8, "processes": 1},
        by_cpu=[7, 2],
        intervals=intervals,
    )
    found = account_since(now, Part(number=2, began_ns=12, losses=before), event_count=150)
    assert (found.made_count, found.lost_count) == (152, 2)
    assert found.by_class == {"files": 1, "processes": 1}
    assert found.by_cpu == [0, 2]
    assert found.intervals == intervals[1:]
    first = account_since(now, Part(number=1, began_ns=0), event_count=280)
    assert (first.made_count, first.lost_count, first.intervals) == (289, 9, intervals)


def test_names_with_times(tmp_path: Path) -> None:
    """Are sorted by time, and never those of a file that exists."""
    first = stamped(tmp_path / "c.parquet", 10**9)
    first.touch()
    second = stamped(tmp_path / "c.parquet", 10**9)
    second.touch()
    assert [first.name, second.name, stamped(tmp_path / "c.parquet", 10**9).name] == [
        f"c-19700101T000001Z{number}.parquet" for number in ("", "-2", "-3")
    ]


@pytest.mark.parametrize(
    "parts",
    [
        [{"number": 0, "began_ns": 0}],
        [{"number": 2, "began_ns": 0}, {"number": 1, "began_ns": 0}],
        [{"number": 1, "began_ns": 0, "groups_bytes": -1}],
    ],
    ids=["number", "order", "size"],
)
def test_parts_that_cannot_be(tmp_path: Path, parts: list[dict[str, int]]) -> None:
    """Are refused before a file is touched."""
    with started(tmp_path / "a.parquet") as folder:
        (folder.path / "checkpoint.json").write_bytes(msgspec.json.encode({"parts": parts}))
        path = folder.path
    with pytest.raises(RecordError, match="says what cannot be"):
        recover_recording(path)


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    """A window and a rotation: the error says to take one."""
    options = RecordOptions(tmp_path / "c.parquet", window_s=60, rotate_bytes=1 << 30)
    with pytest.raises(RecordError, match="either keeps its last minutes") as caught:
        options.check()
    assert "not both" in str(caught.value.hint)


def test_a_folder_of_another_version(tmp_path: Path) -> None:
    """Is left for the version that wrote it."""
    with started(tmp_path / "a.parquet") as folder:
        folder.write_start(msgspec.structs.replace(START, format_version=1))
        path = folder.path
    with pytest.raises(RecordError, match="another version"):
        recover_recording(path)
    assert isinstance(RecordingFolder(path), RecordingFolder)
