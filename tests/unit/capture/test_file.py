"""The capture file: what is written is what is read, in the order that the format promises."""

import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from falcotrace.capture import encoding
from falcotrace.capture.documentation import columns_markdown
from falcotrace.capture.footer import METADATA_KEY, Footer, Host, Losses, decode_footer
from falcotrace.capture.reader import open_capture
from falcotrace.capture.summary import describe_losses, summarise
from falcotrace.capture.writer import CaptureWriter
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS

PROCESSES = pa.table(
    {
        "proc.key": pa.array([1, 2, 3], pa.int64()),
        "proc.pid": pa.array([10, 20, 30], pa.int64()),
        "proc.start": pa.array([100, 200, 300], pa.int64()),
        "proc.name": pa.array(["vi", "bash", None]),
        "proc.aname": pa.array([["bash", "sshd"], ["sshd"], []], pa.list_(pa.string())),
    }
)


def group(first: int, keys: list[int]) -> dict[str, pa.Array]:
    """Columns of a row group with consecutive numbers."""
    count = len(keys)
    return {
        "evt.num": pa.array(range(first, first + count), pa.int64()),
        "evt.time": pa.array(range(first * 1000, (first + count) * 1000, 1000), pa.int64()),
        "evt.type": pa.array(["read", "openat"] * count)[:count].dictionary_encode(),
        "fd.name": pa.array([f"/tmp/{n}" for n in range(count)]).dictionary_encode(),
        "proc.key": pa.array(keys, pa.int64()),
    }


@pytest.fixture(params=[0, 1 << 17], ids=["with process tables", "without"])
def capture(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A capture of two row groups; small ones have no process tables, larger ones do."""
    monkeypatch.setattr(encoding, "MEDIUM_COUNT", request.param)
    path = tmp_path / "c.parquet"
    with CaptureWriter(path) as writer:
        writer.write_row_group(group(1, [2, 1, 2, 3]), PROCESSES)
        writer.write_row_group(group(5, [1, 1]), PROCESSES)
        writer.close(
            Footer(host=Host(hostname="web-1"), losses=Losses(is_known=True, made_count=6))
        )
    return path


def test_rows_are_sorted_by_process_state_then_number(capture: Path) -> None:
    """Inside a row group runs of one process state stand together: size and speed rest on it."""
    columns = open_capture(capture).read(0, ["proc.key", "evt.num"])
    assert columns["proc.key"].to_pylist() == [1, 2, 2, 3]
    assert columns["evt.num"].to_pylist() == [2, 1, 3, 4]


def test_process_columns_stand_in_every_row(capture: Path) -> None:
    """Anybody's SQL works on the file: the process is resolved in the row."""
    columns = open_capture(capture).read(0, ["proc.name", "proc.aname", "fd.name"])
    assert columns["proc.name"].to_pylist() == ["vi", "bash", "bash", None]
    assert columns["proc.aname"].to_pylist() == [["bash", "sshd"], ["sshd"], ["sshd"], []]
    assert columns["fd.name"].to_pylist() == ["/tmp/1", "/tmp/0", "/tmp/2", "/tmp/3"]


def test_the_process_table_has_only_the_states_of_its_row_group(capture: Path) -> None:
    """Replay reads each state once, from the table beside the row group if there is one."""
    opened = open_capture(capture)
    assert opened.processes(0)["proc.key"].to_pylist() == [1, 2, 3]
    assert opened.processes(1)["proc.key"].to_pylist() == [1]
    assert opened.processes(1)["proc.name"].to_pylist() == ["vi"]


def test_every_capture_has_the_whole_schema(capture: Path) -> None:
    """One schema for each version, whatever was recorded."""
    schema = pq.read_schema(capture)
    assert set(schema.names) == {path.split(".")[0] for path in COLUMNS}
    assert pq.ParquetFile(capture).metadata.num_columns == len(COLUMNS)


def test_row_groups_say_which_numbers_and_times_they_cover(capture: Path) -> None:
    """Readers prune by the footer before they read."""
    first, second = open_capture(capture).row_groups
    assert (first.first_num, first.last_num, second.first_num) == (1, 4, 5)
    assert (first.first_time_ns, first.last_time_ns) == (1000, 4000)


def test_counts_in_the_footer_are_the_writers_own(capture: Path) -> None:
    """`info` tells counts without reading events, so they must be right."""
    summary = summarise(open_capture(capture))
    assert summary.event_counts == {"read": 3, "openat": 3}
    assert (summary.event_count, summary.process_count) == (6, 3)


def test_a_key_without_a_process_state_is_refused(tmp_path: Path) -> None:
    """No event can point at a process that the file does not describe."""
    with CaptureWriter(tmp_path / "c.parquet") as writer, pytest.raises(KeyError):
        writer.write_row_group(group(1, [9]), PROCESSES)


def test_a_required_column_has_a_value_for_every_event(tmp_path: Path) -> None:
    """Readers rely on numbers, times, types and states of every event."""
    columns = {**group(1, [1, 2]), "evt.type": pa.array(["read", None])}
    with (
        CaptureWriter(tmp_path / "c.parquet") as writer,
        pytest.raises(ValueError, match="for every event"),
    ):
        writer.write_row_group(columns, PROCESSES)


def test_nothing_is_overwritten_unasked(capture: Path) -> None:
    """A recording cannot destroy an older one by accident."""
    before = capture.read_bytes()
    with pytest.raises(CaptureError, match="exists already; --force"):
        CaptureWriter(capture)
    assert capture.read_bytes() == before


def test_only_the_owner_can_read_a_capture(capture: Path) -> None:
    """Captures hold command lines and environments of everybody."""
    assert stat.S_IMODE(capture.stat().st_mode) == 0o600


def test_footers_of_a_newer_writer_are_understood() -> None:
    """A newer version only adds keys."""
    assert decode_footer(b'{"format_version": 1, "colour": "blue"}').format_version == 1


def test_statistics_are_kept_only_where_readers_prune(capture: Path) -> None:
    """450 columns of statistics in every row group would be most of a small file."""
    group_metadata = pq.ParquetFile(capture).metadata.row_group(0)
    with_statistics = {
        column.path_in_schema
        for column in map(group_metadata.column, range(group_metadata.num_columns))
        if column.is_stats_set
    }
    assert with_statistics == {"evt.num", "evt.time", "evt.type", "proc.key"}


def test_the_footer_is_one_json_document(capture: Path) -> None:
    """Other tools can read what a capture says about itself."""
    import json

    raw = pq.ParquetFile(capture).metadata.metadata[METADATA_KEY]
    assert json.loads(raw)["host"]["hostname"] == "web-1"


def test_texts_come_as_dictionaries(capture: Path) -> None:
    """The engine evaluates distinct values: it never sees plain string columns."""
    columns = open_capture(capture).read(0, ["fd.name", "proc.aname", "evt.num"])
    assert pa.types.is_dictionary(columns["fd.name"].type)
    assert pa.types.is_dictionary(columns["proc.aname"].type.value_type)
    assert np.asarray(columns["evt.num"]).dtype == np.int64


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        (Losses(), "unknown: the counters could not be read"),
        (Losses(is_known=True, made_count=7), "none of 7 events"),
        (
            Losses(is_known=True, made_count=200, lost_count=3, by_cause={"ring buffer full": 3}),
            "3 of 200 events (1.50 %): ring buffer full 3",
        ),
        (
            Losses(is_known=True, made_count=1, incomplete={"kernel paths cut": 2}),
            "none of 1 events; incomplete: kernel paths cut 2",
        ),
    ],
)
def test_losses_are_told_as_they_are(losses: Losses, text: str) -> None:
    """Counters that could not be read are unknown, never none."""
    assert describe_losses(losses) == text


def test_the_documentation_of_columns_is_current() -> None:
    """captures/COLUMNS.md is made from the table, not written beside it."""
    document = Path(__file__).parents[3] / "captures" / "COLUMNS.md"
    assert document.read_text() == columns_markdown()
