"""Captures made of `.scap` files: all events, what the file says of itself, what is damaged."""

import gzip
import threading
from pathlib import Path

import pytest

from falcotrace.capture.reader import open_capture
from falcotrace.errors import CaptureError
from falcotrace.scap import blocks
from falcotrace.scap.footer import UNRECORDED
from falcotrace.scap.importer import Progress, import_scap
from unit.scap.scap_bytes import machine, section
from unit.scap.scenarios import (
    BEGIN_NS,
    BOOT_NS,
    STEP_NS,
    Replay,
    adds_user,
    capture_bytes,
    clones,
    executes,
    group,
    looks,
    opens,
    reads,
    user,
)

EVENTS = (
    *(adds_user(7, "late"), looks(10), clones(10, 20), opens(20, 3, "f"), reads(20, 3)),
    *(executes(20), reads(20, 3)),
)
FIELDS = ("evt.num", "evt.type", "proc.name", "proc.cwd", "fd.name", "proc.aname")


def written(folder: Path, data: bytes, name: str = "a.scap") -> Path:
    """A file with these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path


def rows_of(path: Path) -> list[tuple[object, ...]]:
    """Some columns of all events of a capture."""
    found: list[tuple[object, ...]] = []
    with open_capture(path) as capture:
        for place in range(len(capture.row_groups)):
            paths = ["proc.key", *(one for one in FIELDS if not one.startswith("proc."))]
            columns = {one: array.to_pylist() for one, array in capture.read(place, paths).items()}
            states = capture.process_table(place).to_pylist()
            by_key = {state["proc.key"]: state for state in states}
            for row, key in enumerate(columns["proc.key"]):
                here = {**by_key[key], **{one: columns[one][row] for one in paths}}
                found.append(tuple(here[one] for one in FIELDS))
    return sorted(found, key=lambda row: row[0])  # type: ignore[arg-type, return-value]


def test_a_capture_of_a_scap_file(tmp_path: Path) -> None:
    """It has what the reader, the state and the columns say, and tells where it comes from."""
    data = capture_bytes(EVENTS, accounts=user(5, b"ann") + group(6, b"staff"))
    source = written(tmp_path, data)
    out = tmp_path / "a.parquet"
    report = import_scap(source, out)
    assert (report.event_count, report.warnings) == (6, ())
    assert rows_of(out) == Replay(source).rows(*FIELDS)
    with open_capture(out) as capture:
        footer = capture.footer
        assert capture.unrecorded == UNRECORDED
    assert (footer.host.hostname, footer.host.cpu_count) == ("host", 4)
    assert footer.host.boot_time_ns == BOOT_NS
    assert [(one.uid, one.name, one.home, one.shell) for one in footer.users] == [
        (5, "ann", "/home/ann", "/bin/sh")
    ]
    assert [(one.gid, one.name) for one in footer.groups] == [(6, "staff")]
    assert footer.recording.tool.startswith("falcotrace ")
    assert footer.recording.first_event_ns == BEGIN_NS + STEP_NS
    assert not footer.losses.is_told
    assert footer.losses.incomplete == {}


@pytest.mark.parametrize("compressed", [False, True])
def test_batches_and_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, compressed: bool
) -> None:
    """A row group for each batch, told as it is handed over; the last ones are not forgotten."""
    monkeypatch.setattr(blocks, "MAX_BATCH_EVENTS", 2)
    data = capture_bytes(EVENTS)
    source = written(tmp_path, gzip.compress(data) if compressed else data)
    told: list[Progress] = []
    report = import_scap(source, tmp_path / "a.parquet", progress=told.append)
    assert [one.event_count for one in told] == [1, 3, 5, 6]
    sizes = [one.read_bytes for one in told]
    assert sizes == sorted(sizes)
    assert 0 < sizes[-1] <= len(data)
    assert report.event_count == 6
    monkeypatch.undo()
    assert rows_of(tmp_path / "a.parquet") == Replay(source).rows(*FIELDS)


def test_sections_go_on_in_number_but_not_in_state(tmp_path: Path) -> None:
    """Captures that were joined are of one machine each."""
    first = capture_bytes((opens(10, 3, "f"), reads(10, 3)))
    second = capture_bytes((reads(10, 3), looks(10)), further=b"")
    source = written(tmp_path, first + second)
    report = import_scap(source, tmp_path / "a.parquet")
    assert report.event_count == 4
    rows = rows_of(tmp_path / "a.parquet")
    assert [(row[0], row[4]) for row in rows] == [
        (1, "/home/f"),
        (2, "/home/f"),
        (3, ""),
        (4, None),
    ]
    with open_capture(tmp_path / "a.parquet") as capture:
        keys = [capture.read(place, ["proc.key"])["proc.key"].to_pylist() for place in (0, 1)]
    assert not set(keys[0]) & set(keys[1])


def test_a_capture_is_not_overwritten_unasked(tmp_path: Path) -> None:
    """And stays as it was."""
    source = written(tmp_path, capture_bytes(EVENTS))
    out = written(tmp_path, b"precious", "a.parquet")
    with pytest.raises(CaptureError, match="exists"):
        import_scap(source, out)
    assert out.read_bytes() == b"precious"
    import_scap(source, out, overwrite=True)
    assert len(rows_of(out)) == 6


def test_damage_is_told_and_what_is_before_it_kept(tmp_path: Path) -> None:
    """In the report and in the capture itself."""
    source = written(tmp_path, capture_bytes(EVENTS)[:-30])
    report = import_scap(source, tmp_path / "a.parquet")
    assert report.event_count == 5
    (warning,) = report.warnings
    assert "ends within a block" in warning.message
    with open_capture(tmp_path / "a.parquet") as capture:
        assert capture.footer.losses.incomplete == {warning.message: 1}


@pytest.mark.parametrize(
    "data",
    [section() + machine(), section(), capture_bytes(()), capture_bytes((adds_user(7, "x"),))],
)
def test_a_capture_without_events(tmp_path: Path, data: bytes) -> None:
    """It can be opened and is empty."""
    report = import_scap(written(tmp_path, data), tmp_path / "a.parquet")
    assert report.event_count == 0
    assert rows_of(tmp_path / "a.parquet") == []


@pytest.mark.parametrize("data", [b"", b"PAR1", b"\x1f\x8b\x08", b"\0" * 100])
def test_what_is_no_capture(tmp_path: Path, data: bytes) -> None:
    """It is said in one line, and nothing is left behind."""
    with pytest.raises(CaptureError) as error:
        import_scap(written(tmp_path, data), tmp_path / "out.parquet")
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.scap"]


def test_what_a_failure_leaves_is_no_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes a part of a capture for the whole; threads have ended."""
    monkeypatch.setattr(blocks, "MAX_BATCH_EVENTS", 2)

    def stop(now: Progress) -> None:
        if now.event_count > 3:
            raise KeyboardInterrupt

    source = written(tmp_path, capture_bytes(EVENTS))
    with pytest.raises(KeyboardInterrupt):
        import_scap(source, tmp_path / "out.parquet", progress=stop)
    with pytest.raises(CaptureError):
        open_capture(tmp_path / "out.parquet")
    assert not [one.name for one in threading.enumerate() if one.name.startswith(("col", "wri"))]


def test_a_file_is_not_imported_into_itself(tmp_path: Path) -> None:
    """Overwriting it would destroy what is being read."""
    source = written(tmp_path, capture_bytes(EVENTS))
    before = source.read_bytes()
    link = tmp_path / "link.parquet"
    link.symlink_to(source)
    for out in (source, link):
        with pytest.raises(CaptureError, match="is the file to import"):
            import_scap(source, out, overwrite=True)
    assert source.read_bytes() == before
