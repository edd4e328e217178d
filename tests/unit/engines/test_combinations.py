"""Combinations of values, against Python's own counting."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.engines.combinations import combinations
from falcotrace.engines.vectors import (
    Domain,
    EndsVector,
    TextVector,
    Vector,
    arrow_texts,
    text_vector,
    vector_from_arrow,
)

TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "cat"]))
NUMBERS = st.one_of(st.none(), st.sampled_from([0, 1, -1, (1 << 62), -(1 << 62)]))
LISTS = st.one_of(st.none(), st.lists(TEXTS, max_size=3))
NUMBER_LISTS = st.one_of(st.none(), st.lists(st.integers(-2, 2), max_size=3))
ROWS = st.lists(st.tuples(TEXTS, NUMBERS, LISTS, NUMBER_LISTS, st.binary(max_size=2)), max_size=40)


def vectors_of(rows: Sequence[tuple[object, ...]]) -> list[Vector]:
    """The columns of some rows as vectors, as a capture hands them over."""
    kinds = [pa.string(), pa.int64(), pa.list_(pa.string()), pa.list_(pa.int64()), pa.binary()]
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return [
        vector_from_arrow(pa.array(list(column), kind))
        for column, kind in zip(columns, kinds, strict=True)
    ]


def hashable(value: object) -> object:
    """A value that can be counted."""
    return tuple(value) if isinstance(value, list) else value


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_combinations_are_counted_as_python_counts(rows: list[tuple[object, ...]]) -> None:
    """Text, numbers, lists and bytes, missing ones too: each combination once, where it begins."""
    firsts, counts = combinations(vectors_of(rows), len(rows))
    keys = [tuple(map(hashable, row)) for row in rows]
    found = {keys[first]: count for first, count in zip(firsts, counts.tolist(), strict=True)}
    assert found == Counter(keys)
    assert len(firsts) == len(found)
    assert all(keys.index(keys[first]) == first for first in firsts)


def test_many_columns_do_not_overflow() -> None:
    """Keys that would not fit into a number are numbered anew."""
    values = [f"v{number}" for number in range(5000)]
    vectors = [text_vector(values) for _ in range(8)]
    firsts, counts = combinations(vectors, len(values))
    assert sorted(firsts.tolist()) == list(range(5000))
    assert set(counts.tolist()) == {1}


def test_values_that_stand_twice_in_a_domain_are_one() -> None:
    """Functions may give two codes for one text."""
    domain = Domain(arrow_texts(["a", "b", "a"]))
    vector = TextVector(domain, np.array([0, 1, 2, -1], np.int32))
    firsts, counts = combinations([vector], 4)
    assert sorted(zip(firsts.tolist(), counts.tolist(), strict=True)) == [(0, 2), (1, 1), (3, 1)]


def test_of_two_ends_the_printed_one_counts() -> None:
    """Fields of both ends are counted as they are shown."""
    left, right = text_vector(["x", "x", "y"]), text_vector(["1", "2", "3"])
    both = EndsVector(left, right, np.ones(3, np.bool_))
    _, counts = combinations([both], 3)
    assert sorted(counts.tolist()) == [1, 2]


def test_no_columns_are_one_combination() -> None:
    """Counting by nothing counts the rows."""
    _, counts = combinations([], 3)
    assert counts.tolist() == [3]
