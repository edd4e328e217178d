"""Captures in other people's tools, as they are: DuckDB, pandas, polars."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

from falcotrace.capture.footer import Footer
from falcotrace.capture.reader import open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, Scope
from small_captures import write_capture

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "captures" / "first_light.parquet"
MILLION = 1_000_000


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few events with everything that tools stumble over: nulls, lists, odd bytes, addresses."""
    path = tmp_path_factory.mktemp("readers") / "capture.parquet"
    events = [
        {
            "evt.type": "openat",
            "proc.name": f"p{n % 3}",
            "proc.aname": ["bash", "sshd"][: n % 3],
            "fd.name": None if n % 7 == 0 else f"/tmp/\U0010feff{n}",
            "fd.sip": "203.0.113.7" if n % 5 == 0 else None,
            "group.name": "root",
        }
        for n in range(100)
    ]
    write_capture(path, [events]).close()
    return path


def test_duckdb_asks_by_the_names_of_rules(capture: Path) -> None:
    """The query of the README works on the file as it is."""
    rows = (
        duckdb.connect()
        .execute(
            "SELECT proc.name, fd.name, count(*) "
            f"FROM '{capture}' WHERE evt.type='openat' GROUP BY ALL"
        )
        .fetchall()
    )
    assert sum(row[2] for row in rows) == 100
    assert {row[0] for row in rows} == {"p0", "p1", "p2"}


def test_duckdb_counts_ancestors_from_the_parent(capture: Path) -> None:
    """Falco's proc.aname[2] is DuckDB's proc.aname[2]."""
    answer = (
        duckdb.connect()
        .execute(
            f"SELECT count(*) FROM '{capture}' "
            "WHERE proc.aname[2] = 'sshd' AND proc.aname[1] = 'bash'"
        )
        .fetchone()
    )
    assert answer == (33,)


ORDER_LIMIT = "FROM {} WHERE evt.type = 'openat' ORDER BY evt.num LIMIT 5"


@pytest.mark.xfail(raises=duckdb.InternalException, strict=True, reason="a defect of DuckDB 2.0.0")
def test_duckdb_orders_and_limits_nested_columns(capture: Path) -> None:
    """When this passes, the README's remark and the setting in `Captures.sql` can go."""
    query = "SELECT evt.num, fd.name " + ORDER_LIMIT.format(f"'{capture}'")
    assert len(duckdb.connect().execute(query).fetchall()) == 5


def test_the_api_orders_and_limits(capture: Path) -> None:
    """`Captures.sql` is not hit by that defect."""
    import falcotrace

    with falcotrace.open(capture) as opened:
        rows = opened.sql("SELECT evt.num, fd.name " + ORDER_LIMIT.format("events")).fetchall()
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]


def test_polars_reads_structs_by_field(capture: Path) -> None:
    """Polars scans lazily and finds the same rows."""
    frame = (
        pl.scan_parquet(capture)
        .filter(pl.col("evt").struct.field("type") == "openat")
        .select(pl.col("proc").struct.field("name").alias("process"))
        .collect()
    )
    assert frame["process"].n_unique() == 3
    assert frame.height == 100


def make_million(source: Path, target: Path) -> None:
    """A capture of a million rows, repeated from a real one, in row groups of half a million."""
    with open_capture(source) as small, CaptureWriter(target) as writer:
        paths = [path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS]
        events = small.read(0, paths)
        processes = small.process_table(0)
        count = len(events["evt.num"])
        import numpy as np
        import pyarrow as pa

        first = 0
        for _ in range(2):
            index = np.arange(MILLION // 2) % count
            group = {path: array.take(pa.array(index)) for path, array in events.items()}
            group["evt.num"] = pa.array(np.arange(first + 1, first + MILLION // 2 + 1))
            first += MILLION // 2
            writer.write_row_group(group, processes)
        writer.close(Footer())


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A million rows of the shipped capture."""
    path = tmp_path_factory.mktemp("million") / "million.parquet"
    make_million(SHIPPED, path)
    return path


WAYS = {
    "DuckDB to pandas": """
import duckdb
frame = duckdb.sql(f"SELECT evt.type, proc.name, fd.name FROM '{path}'").df()
""",
    "pyarrow, some columns": """
import pyarrow.parquet as pq
frame = pq.ParquetFile(path).read(columns=["evt.type", "proc.name", "fd.name"])
""",
    "pandas, one struct": """
import pandas as pd
frame = pd.read_parquet(path, dtype_backend="pyarrow", columns=["fd"])
""",
}
"""Ways to read a large capture; each leaves `frame` with a row for each event."""

PEAK = """
import re
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())
print(len(frame), int(peak.group(1)) * 1024)
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_million_rows_fit_into_a_gibibyte(million: Path, way: str) -> None:
    """A notebook on a laptop can work with a capture; memory is asserted, time is not."""
    script = f"path = {str(million)!r}\n" + WAYS[way] + PEAK
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    rows, peak_bytes = map(int, done.stdout.split())
    assert rows == MILLION
    assert peak_bytes < 1 << 30


def test_pandas_reads_a_whole_capture() -> None:
    """Whole captures open in pandas as they are, with Arrow's types."""
    frame = pd.read_parquet(SHIPPED, dtype_backend="pyarrow")
    with open_capture(SHIPPED) as capture:
        assert len(frame) == capture.row_count
    assert list(frame.columns) == list(dict.fromkeys(path.split(".")[0] for path in COLUMNS))
    assert set(frame["evt"].struct.field("type")) >= {"openat", "execve"}


def test_pandas_reads_chosen_fields() -> None:
    """`columns=[...]` takes the names of rules."""
    frame = pd.read_parquet(SHIPPED, dtype_backend="pyarrow", columns=["proc.name", "fd.name"])
    assert frame.shape[1] == 2
