"""Captures of a rotation: one that was taken away in between is found."""

import shutil
from pathlib import Path

import msgspec
import pytest

from falcotrace.evidence.findings import Place, Status, Verdict
from falcotrace.evidence.series import with_series
from falcotrace.evidence.verify import verify_capture
from falcotrace.record import conversion as conversion_module
from falcotrace.record.conversion import Conversion
from falcotrace.record.folder import SUFFIX, RecordingFolder
from falcotrace.record.journal import Journal
from falcotrace.record.recover import recover_recording
from unit.record.test_parts import ending
from unit.record.test_recover import BATCHES, START, stream_of_batches

ROTATING = msgspec.structs.replace(START, rotates=True, series="0123456789abcdef")


@pytest.fixture
def rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Six captures, of which the last was recovered."""
    monkeypatch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)
    output = tmp_path / "r.parquet"
    with RecordingFolder.create(output) as folder:
        folder.write_start(ROTATING)
        journal = Journal(folder.path, START.magic)
        for batch in stream_of_batches():
            journal.append(batch)
        journal.close()
        with Conversion(folder, ROTATING) as conversion:
            for number in range(1, BATCHES):
                assert conversion.step()
                conversion.begin_part(ending(number * 10**9, reason="rotation"), is_capture=True)
                conversion.parts.move_finished(output)
                conversion.keep_parts()
    recover_recording(output.with_name(output.name + SUFFIX))
    return sorted(tmp_path.glob("*.parquet"))


def verdicts(captures: list[Path]) -> list[Verdict]:
    """Of captures that are given together."""
    return with_series([verify_capture(path) for path in captures])


def test_a_whole_rotation(rotation: list[Path]) -> None:
    """Each follows the one before, in whatever order they are given."""
    assert len(rotation) == BATCHES
    found = verdicts(rotation)
    assert [one.status for one in found] == [Status.INTACT] * BATCHES
    assert [one.number for one in found] == list(range(1, BATCHES + 1))
    assert [one.after for one in found] == ["", *(one.head for one in found[:-1])]
    assert [one.is_recovered for one in found] == [False] * (BATCHES - 1) + [True]
    assert all(not one.notes for one in found)
    assert verdicts(rotation[::-1]) == found[::-1]


def test_one_that_is_missing(rotation: list[Path]) -> None:
    """Its follower says so; before the first and behind the last it is noted."""
    found = verdicts([*rotation[:2], *rotation[3:]])
    assert [one.status for one in found].count(Status.CHANGED) == 1
    (finding,) = found[2].findings
    assert finding.place is Place.SERIES
    assert finding.text == f"a capture is missing between {rotation[1]} and it"
    found = verdicts(rotation[2:4])
    assert [one.status for one in found] == [Status.INTACT] * 2
    assert found[0].notes == ["2 captures of the rotation before it not given"]
    assert found[1].notes == ["the rotation goes on behind it"]


def test_one_in_the_place_of_another(rotation: list[Path], tmp_path: Path) -> None:
    """A capture that was recorded or made anew has another head than its follower names."""
    from chained_captures import Layout
    from evidence.test_changes import with_chain_made_anew

    raw = rotation[2].read_bytes()
    place = Layout(raw).groups[0] + 60
    rotation[2].write_bytes(with_chain_made_anew(raw, place, after=verify_head(rotation[1])))
    found = verdicts(rotation)
    assert [one.status for one in found].index(Status.CHANGED) == 3
    assert found[3].findings[0].text == f"it does not follow {rotation[2]}"


def verify_head(capture: Path) -> bytes:
    """The head of a capture's chain."""
    return bytes.fromhex(verify_capture(capture).head)


def test_a_copy_is_no_change(rotation: list[Path], tmp_path: Path) -> None:
    """The same capture twice is noted."""
    copy = Path(shutil.copy(rotation[0], tmp_path / "copy"))
    found = verdicts([rotation[0], copy, rotation[1]])
    assert [one.status for one in found] == [Status.INTACT] * 3
    assert found[1].notes == [f"{rotation[0]} is the same"]
