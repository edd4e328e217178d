"""What a hunt found, as files that other tools read.

In: findings. Out: Falco's JSON lines, a Parquet file of alerts, or a DuckDB database with alerts,
files and rules. Files are there as a whole or not at all.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.hunt.ledger import ALERT_SCHEMA
from falcotrace.hunt.report import Findings, HuntReport
from falcotrace.outputs.escape import readable
from falcotrace.outputs.falco import json_line
from falcotrace.outputs.whole_file import whole_file


def write_json(findings: Findings, output: Path | None) -> None:
    """Write alerts as Falco's JSON, one a line, each with the file that it comes from.

    Raises:
        FalcoTraceError: the file cannot be written.
    """
    if output is None:
        _write_lines(findings, sys.stdout)
        return
    with whole_file(output, force=True) as new, new.open("w", encoding="utf-8") as file:
        _write_lines(findings, file)


def _write_lines(findings: Findings, file: TextIO) -> None:
    file.writelines(
        json_line(alert, {"capture": readable(alert.capture)}) + "\n" for alert in findings.alerts()
    )


def write_parquet(findings: Findings, output: Path) -> None:
    """Write alerts as one Parquet file (`ledger.ALERT_SCHEMA`).

    Raises:
        FalcoTraceError: the file cannot be written.
    """
    with (
        whole_file(output, force=True) as new,
        pq.ParquetWriter(new, ALERT_SCHEMA, compression="zstd") as writer,
    ):
        for table in findings.tables():
            writer.write_table(table)


_DATABASE = """
CREATE TABLE alerts AS SELECT
    file, host, rule, priority, tags, source, num, time_ns,
    make_timestamp_ns(time_ns) AS time, output, CAST(output_fields AS JSON) AS output_fields, steps
FROM alert_rows
"""


def write_database(findings: Findings, report: HuntReport, output: Path) -> None:
    """Write a DuckDB database: tables `alerts`, `files` (losses among its columns) and `rules`.

    Raises:
        FalcoTraceError: the file cannot be written.
    """
    import duckdb  # noqa: PLC0415 - nothing else here needs it

    with whole_file(output, force=True) as new:
        # DuckDB makes a database where there is no file.
        new.unlink()
        alerts = pa.RecordBatchReader.from_batches(
            ALERT_SCHEMA, (batch for table in findings.tables() for batch in table.to_batches())
        )
        with duckdb.connect(str(new)) as connection:
            connection.register("alert_rows", alerts)
            connection.execute(_DATABASE)
            for name, rows in (("files", report.files), ("rules", report.rules)):
                connection.register("rows", _table_of(rows))
                connection.execute(f"CREATE TABLE {name} AS FROM rows")
                connection.unregister("rows")


def _table_of(rows: Sequence[msgspec.Struct]) -> pa.Table:
    """Rows as a table; what nests is JSON."""
    told = [msgspec.to_builtins(row) for row in rows]
    return pa.Table.from_pylist(
        [
            {
                name: json.dumps(value) if isinstance(value, dict | list | tuple) else value
                for name, value in row.items()
            }
            for row in told
        ]
    )
