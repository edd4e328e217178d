"""Many conditions in one query of Spark, each a column: thousands of verdicts cost seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from falcotrace.engines.spark_schema import spark_schema
from falcotrace.engines.sql.condition import where_sql
from falcotrace.engines.sql.context import Context
from falcotrace.engines.sql.printer import print_sql
from falcotrace.errors import UnsupportedError
from falcotrace.events.columns import COLUMNS
from falcotrace.rules.plan import RulePlan

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONDITIONS_PER_QUERY = 100


def where_in_spark(rule: RulePlan) -> str | None:
    """The condition of a rule with its types of events; None where Spark cannot express it."""
    try:
        context = Context((), rule.event_names)
        condition = print_sql(where_sql(rule.condition, context), "spark")
        if rule.event_names is None:
            return condition
        return f"{print_sql(Context().is_event(rule.event_names), 'spark')} AND ({condition})"
    except UnsupportedError:
        return None


def events_of(session: "SparkSession", path: Path, conditions: Sequence[str]) -> list[list[int]]:
    """The events of a capture for which each condition holds, by `evt.num`."""
    events = session.read.schema(spark_schema(tuple(COLUMNS))).parquet(str(path))
    found: list[list[int]] = []
    for start in range(0, len(conditions), CONDITIONS_PER_QUERY):
        some = conditions[start : start + CONDITIONS_PER_QUERY]
        columns = [f"({text}) AS c{place}" for place, text in enumerate(some)]
        table = events.selectExpr("evt.num AS num", *columns).toArrow()
        nums = table.column("num").to_numpy()
        for place in range(len(some)):
            holds = table.column(f"c{place}").fill_null(False).to_numpy().astype(bool)
            found.append(sorted(np.compress(holds, nums).tolist()))
    return found
