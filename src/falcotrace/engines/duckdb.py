"""Runs rules as SQL in DuckDB: the queries that people read, over captures as they lie on disk.

In: rules of a plan and paths of captures. Out: numbers of events. Building SQL is the business of
`falcotrace.engines.sql`; alerts are made elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from falcotrace.engines.sql import matches_sql
from falcotrace.errors import CaptureError
from falcotrace.rules.plan import RulePlan

_EXPRESSION_DEPTH = 100_000
"""DuckDB refuses expressions of more than 1,000 levels by default; rules may have that many."""


class CaptureQueries:
    """A DuckDB connection that asks captures. Use it as a context manager."""

    def __init__(self, captures: Sequence[Path | str]) -> None:
        """Open a connection.

        Args:
            captures: files; their rows are asked as if they were one capture.
        """
        self._captures = [str(path) for path in captures]
        self._connection = duckdb.connect()
        self._connection.execute(f"SET max_expression_depth TO {_EXPRESSION_DEPTH}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def matches(self, rule: RulePlan) -> list[int]:
        """The events that a rule matches, as their `evt.num`, in order.

        Raises:
            UnsupportedError: SQL cannot express the rule; says what.
            CaptureError: a capture cannot be read.
        """
        query = matches_sql(rule, self._captures)
        try:
            rows = self._connection.execute(query).fetchall()
        except duckdb.IOException as error:
            raise CaptureError(self._captures[0], str(error).splitlines()[0]) from None
        return [number for (number,) in rows]


def matches(rule: RulePlan, captures: Sequence[Path | str]) -> list[int]:
    """The events of captures that a rule matches, as their `evt.num`, in order.

    Raises:
        UnsupportedError: SQL cannot express the rule; says what.
        CaptureError: a capture cannot be read.
    """
    with CaptureQueries(captures) as queries:
        return queries.matches(rule)
