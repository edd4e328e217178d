"""A condition asked of captures: the events that it holds for, and how often.

    for event in captures.query("evt.type=execve and proc.name in (shells)"):
        print(event["proc.cmdline"])
    captures.query("proc.name=bash").count_by("evt.type", "fd.name").df()

In: open captures, a condition, columns. Out: rows, Arrow tables, data frames, HTML. Matching and
reading are the replay engine's; texts are in the form of `events.text.to_text`.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.base import (
    RuleGap,
    ScanOptions,
    describe_gap,
    find_gaps,
    is_unrecorded,
)
from falcotrace.engines.conditions import (
    answer_schema,
    count_matches,
    count_values,
    matching_rows,
)
from falcotrace.engines.field_columns import is_unsupported
from falcotrace.engines.vectors import arrow_integers
from falcotrace.outputs.html import ROWS_MAX, rows_html
from falcotrace.rules.condition import default_columns, load_columns
from falcotrace.rules.plan import Operand, Plan, RulePlan, iter_fields

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Row = dict[str, object]
"""One event, or one combination, by column."""

_LACKING = "the recording does not have them"

COUNT = "count"
"""The column of `count_by` behind the fields."""


class Query:
    """The events that a condition holds for. Make one with `Captures.query`.

    Asking is lazy: iterating, `arrow`, `df`, `count` and `count_by` each read the captures anew,
    row group by row group.

    Args:
        captures: open captures.
        rule: the condition.
        text: the condition as it was written.
        columns: what to show of each event; what fits the condition if none is named.
        options: which times, and how many row groups at once.
        limit: at most so many events, the first in the order of row groups.
    """

    def __init__(
        self,
        captures: Sequence[CaptureData | StreamedCapture],
        rule: RulePlan,
        text: str,
        *,
        columns: str | Sequence[str] | None = None,
        options: ScanOptions | None = None,
        limit: int | None = None,
    ) -> None:
        self._captures = captures
        self._rule = rule
        self._asked = load_columns(columns) if columns is not None else ()
        self._columns = self._asked or (*_hosts(captures), *default_columns(rule, text))
        self._options = options or ScanOptions()
        self._limit = limit

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.text for column in self._columns)

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types of the columns."""
        return answer_schema(self._columns)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as Arrow batches, those of the first row group as soon as it is read.

        Raises:
            CaptureError: a capture is damaged.
        """
        return matching_rows(self._captures, self._rule, self._columns, self._options, self._limit)

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches():
            yield from batch.to_pylist()

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return pa.Table.from_batches(self.batches(), self.schema)

    def df(self) -> "pd.DataFrame":
        """All rows as a data frame; needs pandas."""
        return self.arrow().to_pandas()

    def pl(self) -> "pl.DataFrame":
        """All rows as a frame of polars, which has to be installed."""
        import polars as pl  # noqa: PLC0415 - an extra of the user's

        frame = pl.from_arrow(self.arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def count(self) -> int:
        """How many events the condition holds for, whatever the limit is."""
        return count_matches(self._captures, self._rule, self._options)

    def count_by(self, *fields: str) -> "Counts":
        """How often each combination of values occurs, the most frequent first.

        Args:
            fields: fields, or functions of fields, also several in one text.

        Raises:
            RulesError: one of them is none.
            CaptureError: a capture is damaged.
            FalcoTraceError: there are more combinations than can be counted.
        """
        columns = load_columns(fields)
        counted = count_values(self._captures, self._rule, columns, self._options)
        total = int(counted.counts.sum())
        table = counted.combinations.append_column(COUNT, arrow_integers(counted.counts))
        shown = table if self._limit is None else table.slice(0, self._limit)
        return Counts(shown, total, len(counted.counts), self._notes(columns))

    @property
    def gaps(self) -> "tuple[tuple[CaptureData | StreamedCapture, RuleGap], ...]":
        """What captures could not answer of the condition."""
        plan = Plan((self._rule,))
        return tuple((item, gap) for item in self._captures for gap in find_gaps(plan, item))

    @property
    def coverage_notes(self) -> tuple[str, ...]:
        """One sentence for each thing that captures do not have, the same ones once."""
        return self._notes(self._asked)

    def _notes(self, columns: Sequence[Operand]) -> tuple[str, ...]:
        notes = [describe_gap(gap) for _, gap in self.gaps]
        for field in (field for column in columns for field in iter_fields(column)):
            if is_unsupported(field):
                notes.append(f"column `{field.text}` is not supported: it has no values")
            elif any(is_unrecorded(field, item.unrecorded) for item in self._captures):
                notes.append(f"column `{field.text}` has no values: {_LACKING}")
        return tuple(dict.fromkeys(notes))

    def _repr_html_(self) -> str:
        first = dataclasses.replace(self._options, threads=1)
        most = ROWS_MAX if self._limit is None else min(self._limit, ROWS_MAX)
        found = matching_rows(self._captures, self._rule, self._columns, first, most + 1)
        table = pa.Table.from_batches(found, self.schema)
        is_cut = len(table) > most and most != self._limit
        notes = [*(["more events are not shown here"] if is_cut else []), *self.coverage_notes]
        return rows_html(table.slice(0, most), notes)


def _hosts(captures: Sequence[CaptureData | StreamedCapture]) -> tuple[Operand, ...]:
    """The column that tells hosts apart, where there are several."""
    hosts = {capture.footer.host.hostname for capture in captures}
    return load_columns("evt.hostname") if len(hosts) > 1 else ()


@dataclasses.dataclass(frozen=True)
class Counts:
    """How often combinations of values occur.

    Attributes:
        table: fields, and the column `count`; the most frequent first.
        total: events that the condition holds for.
        combination_count: how many combinations there are; the table may be cut at a limit.
        notes: one sentence for each thing that captures do not have.
    """

    table: pa.Table
    total: int
    combination_count: int
    notes: tuple[str, ...] = ()

    @cached_property
    def summary(self) -> str:
        """One line: events, combinations, and how many of them are shown.

        Example:
            >>> Counts(pa.table({"count": [3]}), 3, 1).summary
            '3 events, 1 combination'
        """
        events = "1 event" if self.total == 1 else f"{self.total:,} events"
        number = self.combination_count
        combinations = "1 combination" if number == 1 else f"{number:,} combinations"
        shown = f", the first {len(self.table):,} shown" if len(self.table) < number else ""
        return f"{events}, {combinations}{shown}"

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.table.to_pylist())

    def arrow(self) -> pa.Table:
        """The combinations and their counts as an Arrow table."""
        return self.table

    def df(self) -> "pd.DataFrame":
        """The combinations and their counts as a data frame; needs pandas."""
        return self.table.to_pandas()

    def _repr_html_(self) -> str:
        shown = self.table.slice(0, ROWS_MAX)
        more = len(self.table) - len(shown)
        rest = [f"{more:,} more combinations are not shown here"] if more else []
        return rows_html(shown, [*rest, *self.notes], caption=self.summary)
