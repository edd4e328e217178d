"""Asks one condition of captures by replay: columns of the events that it holds for, or counts.

In: open captures, a condition compiled as a rule, and operands to show. Out: Arrow batches row
group by row group, or how often each combination of values occurs. Only what the answer needs is
read, so the first rows are there before the last row group is looked at, and memory is bounded by
row groups (of counts: by the number of combinations, which has a limit).
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.arrow_values import arrow_array, arrow_type
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.combinations import combinations
from falcotrace.engines.group_matches import GroupMatches
from falcotrace.engines.rendering import shown_operand
from falcotrace.engines.replay import ReplayEngine
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.vectors import Rows, arrow_codes
from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.rules.plan import Operand, Plan, RulePlan

ROWS_PER_BATCH = 10_000
"""Events are shown in portions, so that a condition that always holds does not fill the memory."""

MOST_COMBINATIONS = 1_000_000
MOST_COUNTED_BYTES = 1 << 29
"""Limits of what is counted: beyond them nobody reads the answer, and memory would grow with it."""

_Captures = Sequence[CaptureData | StreamedCapture]


def answer_schema(columns: Sequence[Operand]) -> pa.Schema:
    """Names and types of the columns that `matching_rows` gives."""
    return pa.schema([(column.text, arrow_type(shown_operand(column))) for column in columns])


def matching_rows(
    captures: _Captures,
    rule: RulePlan,
    columns: Sequence[Operand],
    options: ScanOptions,
    limit: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the events that a condition holds for, in the order of row groups, then `evt.num`.

    Args:
        captures: open captures.
        rule: the condition.
        columns: what to show of each event.
        options: which times, and how many row groups at once.
        limit: end after so many events; row groups are then looked at one after the other, and
            none behind the one that completes the answer.

    Raises:
        CaptureError: a capture is damaged.
    """
    if limit is not None:
        options = dataclasses.replace(options, threads=1)
    wanted = limit
    if wanted == 0:
        return
    for found in ReplayEngine().match(captures, Plan((rule,)), options):
        rows = found.matches.rows[:wanted]
        for start in range(0, len(rows), ROWS_PER_BATCH):
            yield _batch(found, columns, rows[start : start + ROWS_PER_BATCH])
        if wanted is not None:
            wanted -= len(rows)
            if not wanted:
                return


def count_matches(captures: _Captures, rule: RulePlan, options: ScanOptions) -> int:
    """How many events a condition holds for.

    Raises:
        CaptureError: a capture is damaged.
    """
    found = ReplayEngine().match(captures, Plan((rule,)), options)
    return sum(len(group.matches) for group in found)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class CountedValues:
    """How often combinations of values occur among the events that a condition holds for.

    Attributes:
        combinations: a row for each, the most frequent first.
        counts: how often each occurs.
    """

    combinations: pa.Table
    counts: npt.NDArray[np.int64]


def count_values(
    captures: _Captures, rule: RulePlan, columns: Sequence[Operand], options: ScanOptions
) -> CountedValues:
    """Count the events that a condition holds for, by the values of some columns.

    Raises:
        CaptureError: a capture is damaged.
        FalcoTraceError: there are more combinations than can be counted.
    """
    counter = _Counter(columns)
    for found in ReplayEngine().match(captures, Plan((rule,)), options):
        if len(found.matches):
            counter.add(found)
    return counter.result()


class _Counter:
    """Adds up the combinations of row groups; each is kept once, where it was seen first."""

    def __init__(self, columns: Sequence[Operand]) -> None:
        self._columns = columns
        self._places: dict[tuple[object, ...], int] = {}
        self._counts: list[int] = []
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, found: GroupMatches) -> None:
        rows = RowSet(found.source, found.matches.rows)
        vectors = [rows.vector(shown_operand(column)) for column in self._columns]
        firsts, counts = combinations(vectors, len(rows))
        batch = _batch(found, self._columns, found.matches.rows.take(firsts))
        keys = zip(*(map(_hashable, column.to_pylist()) for column in batch.columns), strict=True)
        new: list[int] = []
        for number, (key, count) in enumerate(zip(keys, counts.tolist(), strict=True)):
            place = self._places.setdefault(key, len(self._counts))
            if place == len(self._counts):
                self._counts.append(0)
                new.append(number)
            self._counts[place] += count
        if new:
            self._keep(batch.take(arrow_codes(np.array(new, np.int32))))

    def _keep(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._bytes += batch.nbytes
        if len(self._counts) > MOST_COMBINATIONS or self._bytes > MOST_COUNTED_BYTES:
            raise FalcoTraceError(
                f"there are more than {min(len(self._counts), MOST_COMBINATIONS):,} combinations "
                "of these values: count fewer fields, or `falcotrace sql` with GROUP BY"
            )

    def result(self) -> CountedValues:
        counts = np.array(self._counts, np.int64)
        ranks = {
            key: (-self._counts[place], *map(_rank, key)) for key, place in self._places.items()
        }
        order = np.array([self._places[key] for key in sorted(ranks, key=ranks.__getitem__)])
        order = order.astype(np.int32)
        values = pa.Table.from_batches(self._batches, answer_schema(self._columns))
        return CountedValues(values.take(arrow_codes(order)), counts.take(order))


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _rank(value: object) -> tuple[bool, bool, float, str]:
    """Orders values of one type: numbers by size, the others by their text, missing ones last."""
    is_number = isinstance(value, int | float)
    number = float(value) if isinstance(value, int | float) else 0.0
    return value is None, not is_number, number, "" if is_number else str(value)


def _batch(found: GroupMatches, columns: Sequence[Operand], rows: Rows) -> pa.RecordBatch:
    return event_rows(found.capture, found.source, columns, rows)


def event_rows(
    capture: CaptureData, source: RowGroupSource, columns: Sequence[Operand], rows: Rows
) -> pa.RecordBatch:
    """Columns of some rows of a row group, of the types that `answer_schema` says.

    Raises:
        CaptureError: the capture is damaged.
    """
    row_set = RowSet(source, rows)
    operands = [shown_operand(column) for column in columns]
    try:
        # A column of a foreign file may have any type, and any bytes.
        arrays = [arrow_array(operand, row_set.vector(operand)) for operand in operands]
        batch = pa.RecordBatch.from_arrays(arrays, schema=answer_schema(columns))
        batch.validate(full=True)
    except pa.ArrowException as error:
        first_line = str(error).partition("\n")[0]
        raise CaptureError(capture.path, f"is damaged: {first_line}") from None
    return batch
