"""The events that the steps of a rule hold for, from all row groups of a capture.

In: matches of the steps' conditions, row group by row group. Out: moments: for each match its step,
its time and number, its key as texts, and what is counted. Events without a key are left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from falcotrace.engines.blanks import LOWEST_NS
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.derived_base import as_int64, number_texts
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.vectors import (
    Bools,
    Integers,
    NumberVector,
    Rows,
    TextVector,
    arrow_codes,
    arrow_integers,
    arrow_text,
    bools_of,
    codes_of,
    integers_of,
    texts_of,
)
from falcotrace.rules.plan import Operand, RulePlan
from falcotrace.rules.sequences import Count, Key, Step

_NUMBERS = ("step", "num", "time", "birth")
_NO_TEXT = arrow_text("")

MOST_MOMENTS = 10_000_000
"""Of a rule and a capture; while they are judged they take some 200 bytes each."""


def moment_schema(rule: RulePlan) -> pa.Schema:
    """Columns of a rule's moments: numbers, the parts of the key as `k0` .., and what is counted.

    `step` is 0 for the rule's own event, then 1 .. in the order of `Correlation.steps`; `birth` is
    when the process of the key began, `LOWEST_NS` where nobody knows or it is not asked for.
    """
    correlation = rule.correlation
    assert correlation is not None
    texts = [f"k{place}" for place in range(len(correlation.key))]
    if isinstance(correlation, Count) and correlation.distinct is not None:
        texts.append("value")
    return pa.schema(
        [
            *((name, pa.int64()) for name in _NUMBERS),
            *((name, pa.dictionary(pa.int32(), pa.string())) for name in texts),
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Matches of the steps of one rule in one capture, in no order.

    Attributes:
        table: as `moment_schema` has it.
        steps: for each the number of its step.
        nums: `evt.num`.
        times_ns: `evt.time`.
        keys: numbers of keys, from 0.
        births: when the process of the key began, ns since the epoch; `LOWEST_NS` if unknown.
        values: numbers of what is counted, from 0; None where events are.
    """

    table: pa.Table
    steps: Integers
    nums: Integers
    times_ns: Integers
    keys: Integers
    births: Integers
    values: Integers | None

    def __len__(self) -> int:
        return len(self.steps)


class MomentCollector:
    """Takes the matches of a rule's steps, row group by row group."""

    def __init__(self, rule: RulePlan) -> None:
        assert rule.correlation is not None
        self._correlation = rule.correlation
        self._schema = moment_schema(rule)
        self._tables: list[pa.Table] = []
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether there are more moments than are kept; then none is."""
        return self._count > MOST_MOMENTS

    def add(self, source: RowGroupSource, step: int, rows: Rows) -> None:
        """Take the rows of a row group that a step holds for."""
        self._count += len(rows)
        if self.is_full:
            # The first ones stand for all: somebody wants to know where it begins.
            self._tables = self._tables[:1]
            rows = rows[: 0 if self._tables else 1]
        key = _key_of(self._correlation.steps, step, self._correlation.key)
        row_set = RowSet(source, rows)
        columns = [_texts(row_set, value.operand) for value in key]
        kept = np.ones(len(rows), np.bool_)
        for value, column in zip(key, columns, strict=True):
            if not value.is_optional:
                kept &= bools_of(column.is_valid())
        if isinstance(self._correlation, Count) and self._correlation.distinct is not None:
            columns.append(_texts(row_set, self._correlation.distinct))
            kept &= bools_of(columns[-1].is_valid())
        if not kept.any():
            return
        places = np.flatnonzero(kept)
        numbers = (
            np.full(len(rows), step),
            source.integers("evt.num").take(rows),
            source.integers("evt.time").take(rows),
            _births(row_set, key),
        )
        arrays = [arrow_integers(column.take(places)) for column in numbers]
        chosen = arrow_codes(places)
        arrays += [
            column.fill_null(_NO_TEXT).take(chosen).dictionary_encode() for column in columns
        ]
        self._tables.append(pa.Table.from_arrays(arrays, schema=self._schema))

    def moments(self) -> Moments:
        """Everything that was taken."""
        # `empty_table` would import pandas.
        empty = pa.Table.from_batches([], schema=self._schema)
        table = pa.concat_tables([empty, *self._tables])
        table = table.unify_dictionaries().combine_chunks()
        return moments_of(table)


def moments_of(table: pa.Table) -> Moments:
    """Number the keys and values of a table of moments, which has one chunk a column."""
    steps, nums, times_ns, births = (integers_of(_whole(table[name])) for name in _NUMBERS)
    texts = {name: _codes(table[name]) for name in table.column_names if name not in _NUMBERS}
    values = texts.pop("value", None)
    keys = _numbered(texts.values(), len(steps))
    return Moments(table, steps, nums, times_ns, keys, births, values)


def _key_of(steps: Sequence[Step], step: int, key: Key) -> Key:
    return key if step == 0 else steps[step - 1].key


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _codes(column: pa.ChunkedArray) -> Integers:
    array = _whole(column)
    # Dictionaries of row groups may have been put together with a text in them twice.
    distinct = codes_of(array.dictionary.dictionary_encode().indices)
    return distinct.take(codes_of(array.indices)).astype(np.int64)


def _numbered(columns: Iterable[Integers], count: int) -> Integers:
    """One number for each combination of numbers."""
    keys = np.zeros(count, np.int64)
    for codes in columns:
        mixed = keys * (int(codes.max(initial=0)) + 1) + codes
        keys = np.unique(mixed, return_inverse=True)[1].astype(np.int64)
    return keys


def _texts(rows: RowSet, operand: Operand) -> pa.Array:
    """The values of an operand as texts, null where there is none."""
    vector = rows.vector(operand)
    if isinstance(vector, TextVector):
        small = vector.compact()
        return texts_of(small).cast(pa.string())
    assert isinstance(vector, NumberVector), "keys have single values"
    return texts_of(number_texts(vector, _number_text))


def _number_text(value: float) -> str:
    """As casts to text print numbers, truths among them."""
    return str(value).lower()


def _births(rows: RowSet, key: Key) -> Integers:
    births = np.full(len(rows), LOWEST_NS, np.int64)
    for value in key:
        if value.is_birth:
            vector = rows.vector(value.operand)
            assert isinstance(vector, NumberVector)
            births = np.where(vector.present(), as_int64(vector.values), LOWEST_NS)
    return births


def order_of(moments: Moments) -> tuple[Integers, Bools]:
    """The moments by key, time and number, and where a new key begins among them."""
    order = np.lexsort((moments.nums, moments.times_ns, moments.keys))
    keys = moments.keys.take(order)
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = keys[1:] != keys[:-1]
    return order, is_new
