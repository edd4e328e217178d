"""What the moments of rules about several events make up, as SQL in DuckDB.

In: the moments of a rule in one capture, and its blanks. Out: verdicts, as from replay.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from falcotrace.engines.blanks import Blanks
from falcotrace.engines.moments import Moments
from falcotrace.engines.sql.sequences import verdict_parts
from falcotrace.engines.vectors import integers_of
from falcotrace.engines.verdicts import Verdicts
from falcotrace.rules.plan import RulePlan

_RELATIONS = (
    # Recorded times may be any number: with a span more or less they need more than 64 bits.
    (
        "moments",
        """
        SELECT * REPLACE (CAST("time" AS HUGEINT) AS "time", CAST(birth AS HUGEINT) AS birth)
        FROM moment_rows
        """,
    ),
    (
        "blanks",
        """
        SELECT * REPLACE (CAST(from_ns AS HUGEINT) AS from_ns, CAST(to_ns AS HUGEINT) AS to_ns)
        FROM blank_rows
        """,
    ),
)


def judge_by_sql(
    connection: duckdb.DuckDBPyConnection,
    rule: RulePlan,
    moments: Moments,
    blanks: Sequence[Blanks],
) -> Verdicts:
    """Put the moments of a rule together."""
    correlation = rule.correlation
    assert correlation is not None
    connection.register("moment_rows", _told(moments))
    connection.register("blank_rows", _table(blanks))
    parts = (*_RELATIONS, *verdict_parts(correlation, with_blanks=True))
    steps = ", ".join(f"{name} AS ({text})" for name, text in parts)
    query = "SELECT moment, is_alert, steps FROM verdicts ORDER BY moment"
    found = connection.sql(f"WITH {steps} {query}").to_arrow_table()
    connection.unregister("moment_rows")
    connection.unregister("blank_rows")
    rows = integers_of(found["moment"].combine_chunks().cast(pa.int64()))
    is_alert = found["is_alert"].to_numpy().astype(np.bool_)
    led = [
        tuple(one)
        for one, certain in zip(found["steps"].to_pylist(), is_alert, strict=True)
        if certain
    ]
    return Verdicts(rows[is_alert], led, rows[~is_alert])


def _told(moments: Moments) -> pa.Table:
    """The relation `moments`."""
    columns = {
        "moment": np.arange(len(moments)),
        "step": moments.steps,
        "num": moments.nums,
        "time": moments.times_ns,
        "birth": moments.births,
        "key": moments.keys,
    }
    if moments.values is not None:
        columns["value"] = moments.values
    return pa.table({name: pa.array(column) for name, column in columns.items()})


def _table(blanks: Sequence[Blanks]) -> pa.Table:
    steps = [np.full(len(one.counts), step) for step, one in enumerate(blanks)]
    columns = {
        "step": np.concatenate(steps),
        "from_ns": np.concatenate([one.from_ns for one in blanks]),
        "to_ns": np.concatenate([one.to_ns for one in blanks]),
        "lost": np.concatenate([one.counts for one in blanks]),
    }
    return pa.table({name: pa.array(column) for name, column in columns.items()})
