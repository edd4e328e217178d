"""What was changed in a recording's folder between the recording and its recovery is found."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from falcotrace.evidence.findings import Place, Status
from falcotrace.evidence.verify import verify_capture
from falcotrace.record import conversion as conversion_module
from falcotrace.record.conversion import Conversion
from falcotrace.record.framed_log import FramedLog, read_log
from falcotrace.record.parts import WrittenCapture
from falcotrace.record.recover import recover_recording
from unit.record.test_parts import ending
from unit.record.test_recover import START, started


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an interrupted recording: two parts with two row groups each, and a journal."""
    monkeypatch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)
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
