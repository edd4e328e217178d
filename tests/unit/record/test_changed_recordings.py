"""What was changed in a recording's folder between the recording and its recovery is found."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from falcotrace.evidence.findings import Place, Status
from falcotrace.evidence.verify import verify_capture
from falcotrace.record import conversion as conversion_module
from falcotrace.record import journal as journal_module
from falcotrace.record.conversion import Conversion
from falcotrace.record.framed_log import FramedLog, read_log
from falcotrace.record.journal import BATCH, HEAD, segments
from falcotrace.record.journal_check import journal_changes
from falcotrace.record.parts import WrittenCapture
from falcotrace.record.recover import recover_recording
from unit.record.test_parts import ending
from unit.record.test_recover import START, started


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an interrupted recording: two parts with two row groups each, and a journal."""
    monkeypatch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)
    with started(tmp_path / "a.parquet") as folder:
        with Conversion(folder, START) as conversion:
            for number in range(4):
                if number == 2:
                    conversion.begin_part(ending(1), is_capture=False)
                conversion.step()
        path = folder.path
    yield path


def places(found: WrittenCapture) -> list[str]:
    """What verification names in a recovered capture."""
    verdict = verify_capture(found.path)
    assert verdict.is_recovered
    assert (verdict.status is Status.INTACT) == (not found.changed)
    return [str(finding.row_group or finding.place) for finding in verdict.findings]


def flip(path: Path, offset: int) -> None:
    """Change a byte of a file."""
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 0x10
    path.write_bytes(raw)


def test_nothing_is_found_where_nothing_was_changed(interrupted: Path) -> None:
    """A recovered capture is intact, and says that it was recovered."""
    assert places(recover_recording(interrupted)) == []


def test_a_changed_row_group(interrupted: Path) -> None:
    """Is told at recovery, and by everybody who verifies the capture from then on."""
    path = interrupted / "part-000002.parquet"
    flip(path, 10)
    found = recover_recording(interrupted)
    assert found.changed == ("events 13 to 18 in part-000002.parquet",)
    assert places(found) == ["3", Place.RECORDING]
    verdict = verify_capture(found.path)
    assert verdict.findings[1].text.startswith(found.changed[0])


@pytest.mark.parametrize("part", [1, 2])
def test_a_changed_account_of_row_groups(interrupted: Path, part: int) -> None:
    """The log says something else than what the checkpoint has chained, with its sum right."""
    path = interrupted / f"part-{part:06}.log"
    records = [msgspec.msgpack.decode(payload) for _, payload in read_log(path)]
    records[0]["digest"] = bytes(32)
    log = FramedLog(path)
    for record in records:
        log.append(1, msgspec.msgpack.encode(record))
    log.close()
    found = recover_recording(interrupted)
    assert f"the account of row groups in {path.name}" in found.changed
    assert Place.RECORDING in places(found)


def test_a_row_group_that_was_taken_out_of_the_account(interrupted: Path) -> None:
    """Events that are gone are not gone silently."""
    path = interrupted / "part-000001.log"
    ((_, first), _) = read_log(path)
    with path.open("r+b") as file:
        file.truncate(12 + len(first))
    found = recover_recording(interrupted)
    assert found.changed == ("the account of row groups in part-000001.log",)
    assert places(found) == [Place.RECORDING]


def journal(folder: Path) -> list[Path]:
    """The files of the journal that are left: of each of the last batches one."""
    found = segments(folder)
    assert len(found) >= 3, found
    return found


def test_a_changed_journal(interrupted: Path) -> None:
    """What was not converted yet is under a chain too; the last batch may have been torn."""
    first = journal(interrupted)[-3]
    flip(first, HEAD.size + BATCH.size + 20)
    found = recover_recording(interrupted)
    assert found.changed == (f"samples in {first.name} from its byte {HEAD.size:,} on",)
    assert places(found) == [Place.RECORDING]


def test_a_file_of_the_journal_that_is_missing(interrupted: Path) -> None:
    """In between, or before the first that is left."""
    paths = journal(interrupted)
    paths[-2].unlink()
    found = recover_recording(interrupted)
    assert found.changed == (f"{paths[-1].name} does not follow the file before it",)


def test_the_first_file_of_the_journal_is_missing(interrupted: Path) -> None:
    """Though nothing is left to which the others could not belong."""
    paths = journal(interrupted)
    for path in paths[:-1]:
        path.unlink()
    found = recover_recording(interrupted)
    assert found.changed == (f"the journal before {paths[-1].name} is missing",)


def test_a_torn_end_is_no_change(interrupted: Path) -> None:
    """A kill in the middle of a write, and zeros that a power cut left."""
    last = journal(interrupted)[-1]
    raw = last.read_bytes()
    last.write_bytes(raw[:-50] + bytes(50))
    assert list(journal_changes(interrupted, START.magic, 0))[1:] == []
    last.write_bytes(raw[:-50])
    found = recover_recording(interrupted)
    assert found.changed == ()
