"""Events put together that have the same values of some operands.

In: rows of a set and operands. Out: groups with their size, their first event, and the values as
texts. No loop over events: texts are made of one event of each group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from falcotrace.engines.printing import printed_texts
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.transforms import list_texts
from falcotrace.engines.vectors import (
    EndsVector,
    Integers,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
)
from falcotrace.events.operators import Multiplicity
from falcotrace.rules.plan import Operand

_LONGEST_TEXT = 400
"""A longer value is kept by its beginning."""


@dataclass(frozen=True, slots=True)
class Group:
    """Events with the same values.

    Attributes:
        texts: the value of each operand as outputs print it; None without.
        count: how many events.
        first_num: the smallest `evt.num` among them.
    """

    texts: tuple[str | None, ...]
    count: int
    first_num: int


def group_rows(
    rows: RowSet, positions: Rows, operands: Sequence[Operand], nums: Integers, most: int
) -> tuple[list[Group], bool]:
    """Group some rows of a set.

    Args:
        rows: the set.
        positions: rows of it, at least one.
        operands: what makes rows alike.
        nums: `evt.num` of all rows of the set.
        most: of more groups the smallest are left out.

    Returns:
        The groups, and whether those are all.
    """
    numbers = np.zeros(len(positions), np.int64)
    for operand in operands:
        numbers = _combined(numbers, _numbers_of(rows.vector(operand, positions)))
    order = np.argsort(numbers, kind="stable")
    begins = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    counts = np.diff(begins, append=len(order))
    firsts = np.minimum.reduceat(nums.take(positions.take(order)), begins)
    examples = positions.take(order.take(begins))
    is_complete = len(begins) <= most
    if not is_complete:
        largest = np.argpartition(-counts, most)[:most]
        counts, firsts, examples = counts[largest], firsts[largest], examples[largest]
    columns = [_texts(operand, rows.vector(operand, examples)) for operand in operands]
    texts = list(zip(*columns, strict=True)) if columns else [()] * len(counts)
    found = zip(texts, counts.tolist(), firsts.tolist(), strict=True)
    return [Group(*group) for group in found], is_complete


def _combined(numbers: Integers, added: Integers) -> Integers:
    """One number for each distinct pair, counted from 0."""
    pairs = numbers * (int(added.max()) + 1) + added
    return np.unique(pairs, return_inverse=True)[1].astype(np.int64, copy=False)


def _numbers_of(vector: Vector) -> Integers:
    """One number for each row, from 0 on, equal for equal values."""
    match vector:
        case TextVector(codes=codes):
            return codes.astype(np.int64) + 1
        case NumberVector(values=values):
            numbers = np.unique(values, return_inverse=True)[1].astype(np.int64) + 1
            return np.where(vector.present(), numbers, 0)
        case EndsVector(left=left, right=right):
            ends = _combined(_numbers_of(left), _numbers_of(right)) + 1
            return np.where(vector.present(), ends, 0)
        case ListVector():
            return _list_numbers(vector)


_SEED = np.random.SeedSequence().entropy


def _list_numbers(vector: ListVector) -> Integers:
    """One number for each list, by the sum of its items, each times a weight of its place.

    Weights are drawn anew in each run, so nobody can record unequal lists that share a sum.
    """
    lists = vector.take(np.arange(len(vector)))
    lengths = np.diff(lists.offsets)
    weights = np.random.default_rng(_SEED).integers(
        1, 1 << 63, size=int(lengths.max(initial=0)), dtype=np.uint64
    )
    places = np.arange(int(lists.offsets[-1])) - np.repeat(lists.offsets[:-1], lengths)
    items = (_numbers_of(lists.elements).astype(np.uint64) + np.uint64(1)) * weights[places]
    sums = np.zeros(len(items) + 1, np.uint64)
    np.cumsum(items, out=sums[1:])
    totals = sums[lists.offsets[1:]] - sums[lists.offsets[:-1]]
    numbers = np.unique(totals, return_inverse=True)[1].astype(np.int64) + 1
    return np.where(vector.present(), numbers, 0)


def _texts(operand: Operand, vector: Vector) -> list[str | None]:
    texts = value_texts(operand, vector)
    return [
        text if text is None or len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
        for text in texts
    ]


def value_texts(operand: Operand, vector: Vector) -> list[str | None]:
    """The printed values of rows, None for none; of a connection both ends, of an address all."""
    if isinstance(vector, ListVector) and operand.multiplicity is Multiplicity.ANY_NAME:
        return [None if names is None else ", ".join(names) for names in list_texts(vector)]
    if not isinstance(vector, EndsVector):
        return printed_texts(operand, vector)
    ends = (printed_texts(operand, end) for end in (vector.left, vector.right))
    return [
        f"{_or_missing(left)} and {_or_missing(right)}" if is_known else None
        for left, right, is_known in zip(*ends, vector.present().tolist(), strict=True)
    ]


def _or_missing(text: str | None) -> str:
    return "<NA>" if text is None else text
