"""Who did most: events, bytes and errors by process, file, peer or error.

In: open captures, what to count by, which events. Out: one row for each value, the most frequent
first. DuckDB counts; which events a condition holds for is replay's to say, as everywhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.engines.conditions import matching_rows
from falcotrace.errors import FalcoTraceError
from falcotrace.investigate.actions import EVENTS, READ, WROTE
from falcotrace.rules.condition import load_columns
from falcotrace.rules.plan import RulePlan

if TYPE_CHECKING:
    import pandas as pd

TOP_MAX = 20
"""More rows than these are counted, not listed, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Something to count by.

    Attributes:
        columns: SQL by name; rows are the combinations of their values.
        where: which events count.
        sums: further columns: SQL for the events of one process, and SQL that joins those.
    """

    columns: Mapping[str, str]
    where: str
    sums: Mapping[str, tuple[str, str]]


def _types(action: str) -> str:
    names = [f"'{event}'" for event, name, _ in EVENTS if name == action]
    return f"evt.type IN ({', '.join(names)})"


_BEGAN = "CASE WHEN proc.start > 0 THEN proc.start ELSE nullif(proc.pid_ts, 0) END"


def _moved(action: str, name: str) -> tuple[str, str]:
    some = f"sum(evt.rawres) FILTER (evt.rawres > 0 AND {_types(action)})"
    return f"coalesce({some}, 0)", f"CAST(sum(parts.{name}) AS BIGINT)"


def _first(sql: str, name: str) -> tuple[str, str]:
    return f"arg_min({sql}, evt.time)", f"arg_min(parts.{name}, first_ns)"


_SUMS = {
    "read_bytes": _moved(READ.name, "read_bytes"),
    "written_bytes": _moved(WROTE.name, "written_bytes"),
    "errors": ("count(*) FILTER (evt.rawres < 0)", "CAST(sum(parts.errors) AS BIGINT)"),
}
_PROCESSES = {"processes": ("NULL", "count(*)")}
_COMMAND = "arg_max(coalesce(nullif(proc.cmdline, ''), proc.name), evt.time)"

_PATH = "coalesce(nullif(CASE WHEN fd.type = 'file' THEN fd.name END, ''), fs.path.name)"
_PEER = "fd.rip || CASE WHEN fd.is_server THEN '' ELSE ':' || fd.rport END"
_OBJECT = "coalesce(nullif(fd.name, ''), fs.path.name)"

RANKINGS: Mapping[str, Ranking] = MappingProxyType(
    {
        "process": Ranking(
            {"pid": "proc.pid", "start": f"make_timestamp_ns({_BEGAN})"},
            "proc.pid IS NOT NULL",
            {"process": (_COMMAND, "arg_max(parts.process, last_ns)"), **_SUMS},
        ),
        "file": Ranking({"file": _PATH}, f"{_PATH} IS NOT NULL", _SUMS | _PROCESSES),
        "peer": Ranking(
            {"peer": _PEER, "side": "CASE WHEN fd.is_server THEN 'client' ELSE 'server' END"},
            "fd.type IN ('ipv4', 'ipv6') AND fd.rip IS NOT NULL",
            {"program": _first("proc.name", "program"), **_SUMS, **_PROCESSES},
        ),
        "error": Ranking(
            {"error": "evt.res", "event": "evt.type", "program": "proc.name"},
            "evt.rawres < 0",
            {"first_object": _first(_OBJECT, "first_object"), **_PROCESSES},
        ),
    }
)
"""What can be counted by. A peer that is a client is counted without its port, which differs from
connection to connection."""


@dataclass(frozen=True)
class Top:
    """A ranking.

    Attributes:
        by: what was counted by.
        table: a row for each value, the most frequent first.
        count: how many values there are.
    """

    by: str
    table: pa.Table
    count: int

    @property
    def summary(self) -> str:
        """How many values there are, and how many of them are listed."""
        plural = "processes" if self.by == "process" else f"{self.by}s"
        noun = self.by if self.count == 1 else plural
        shown = f", the first {len(self.table):,} shown" if len(self.table) < self.count else ""
        return f"{self.count:,} {noun}{shown}"

    def __len__(self) -> int:
        return len(self.table)

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.table

    def df(self) -> "pd.DataFrame":
        """The rows as a data frame; needs pandas."""
        return self.table.to_pandas()

    def _repr_html_(self) -> str:
        from falcotrace.outputs.html import ROWS_MAX, rows_html  # noqa: PLC0415 - Jupyter's

        return rows_html(self.table.slice(0, ROWS_MAX), caption=self.summary)


def find_top(
    captures: Sequence[Capture],
    by: str,
    where: RulePlan | None = None,
    options: ScanOptions | None = None,
    *,
    limit: int | None = TOP_MAX,
) -> Top:
    """Count events.

    Args:
        captures: open captures.
        by: one of `RANKINGS`.
        where: only events that this condition holds for.
        options: which times; how the condition is asked.
        limit: at most so many rows; all of them for None.

    Raises:
        CaptureError: a capture is damaged.
        FalcoTraceError: nothing can be counted by that.
    """
    ranking = RANKINGS.get(by)
    if ranking is None:
        raise FalcoTraceError(f"expected one of {', '.join(RANKINGS)}, found {by!r}")
    chosen = options or ScanOptions()
    connection = connect_captures(captures, DatabaseOptions(is_confined=False))
    conditions = [ranking.where, *_times(chosen)]
    if where is not None:
        connection.register("matched", _matched(captures, where, chosen))
        conditions.append("(filename, evt.num) IN (SELECT (file, num) FROM matched)")
    table = connection.sql(_query(ranking, conditions, limit)).to_arrow_table()
    count = table["total"][0].as_py() if len(table) else 0
    return Top(by, table.drop_columns(["total"]), count)


def _query(ranking: Ranking, conditions: Sequence[str], limit: int | None) -> str:
    """Counts by process first, which is much less to look at when values are put together."""
    groups = ", ".join(f'{sql} AS "{name}"' for name, sql in ranking.columns.items())
    names = ", ".join(f'"{name}"' for name in ranking.columns)
    parts = "".join(f', {part} AS "{name}"' for name, (part, _) in ranking.sums.items())
    sums = "".join(f', {whole} AS "{name}"' for name, (_, whole) in ranking.sums.items())
    last = f"LIMIT {int(limit)}" if limit is not None else ""
    return f"""
        WITH parts AS (
            SELECT {groups}, proc.pid AS process_id, {_BEGAN} AS began_ns, count(*) AS part_count
                {parts}, arg_min(evt.num, evt.time) AS part_event,
                min(evt.time) AS first_ns, max(evt.time) AS last_ns
            FROM events WHERE {" AND ".join(f"({one})" for one in conditions)}
            GROUP BY ALL
        )
        SELECT {names}, CAST(sum(part_count) AS BIGINT) AS count {sums},
            arg_min(part_event, first_ns) AS first_event,
            make_timestamp_ns(min(first_ns)) AS first, make_timestamp_ns(max(last_ns)) AS last,
            count(*) OVER () AS total
        FROM parts GROUP BY {names} ORDER BY count DESC, {names} {last}
    """  # noqa: S608 - constants of the table of rankings


def _times(options: ScanOptions) -> list[str]:
    found = []
    if options.since_ns is not None:
        found.append(f"evt.time >= {int(options.since_ns)}")
    if options.until_ns is not None:
        found.append(f"evt.time < {int(options.until_ns)}")
    return found


def _matched(captures: Sequence[Capture], where: RulePlan, options: ScanOptions) -> pa.Table:
    """Files and numbers of the events that a condition holds for."""
    columns = load_columns("evt.num")
    files: list[str] = []
    chunks: list[pa.Array] = []
    for capture in captures:
        for batch in matching_rows([capture], where, columns, options):
            chunks.append(batch.column(0).cast(pa.int64()))
            files += [str(capture.path)] * len(batch)
    numbers = pa.chunked_array(chunks, pa.int64())
    return pa.table({"file": pa.array(files, pa.string()).dictionary_encode(), "num": numbers})
