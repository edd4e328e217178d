"""Vectors: what comes out of Arrow arrays, missing values, slices and lists."""

import numpy as np
import pyarrow as pa
import pytest

from falcotrace.engines.transforms import list_texts, text_list
from falcotrace.engines.vectors import (
    ListVector,
    NumberVector,
    TextVector,
    arrow_bytes,
    arrow_codes,
    arrow_texts,
    vector_from_arrow,
)

DICTIONARY = pa.dictionary(pa.int32(), pa.string())


def numbers(vector: object) -> list[object]:
    """The numbers of a vector, None where missing."""
    assert isinstance(vector, NumberVector)
    return [
        value if there else None
        for value, there in zip(vector.values.tolist(), vector.present(), strict=True)
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", None, "b", "a"]),
        pa.array(["a", None, "b", "a"], DICTIONARY),
        pa.array(["x", "a", None, "b", "a"], DICTIONARY).slice(1),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0]), pa.array(["a", None, "b"])),
    ],
    ids=["plain", "dictionary", "slice", "null in the dictionary"],
)
def test_text(array: pa.Array) -> None:
    """Text comes as codes; null is missing wherever Arrow keeps it."""
    vector = vector_from_arrow(array)
    assert isinstance(vector, TextVector)
    assert text_list(vector) == ["a", None, "b", "a"]
    assert text_list(vector.compact()) == ["a", None, "b", "a"]
    assert text_list(vector.take(np.array([2, 1]))) == ["b", None]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None, -3], pa.int64()), [1, None, -3]),
        (pa.array([9, 1, None, 3], pa.uint64()).slice(1), [1, None, 3]),
        (pa.array([True, None, False]), [True, None, False]),
        (pa.array([None, True, None, False]).slice(1), [True, None, False]),
        (pa.array([1.5, None, 2.5]), [1.5, None, 2.5]),
        (pa.nulls(3, pa.int64()), [None, None, None]),
        (pa.nulls(3, pa.bool_()), [None, None, None]),
    ],
)
def test_numbers(array: pa.Array, expected: list[object]) -> None:
    """Numbers and booleans keep value and validity, through slices too."""
    assert numbers(vector_from_arrow(array)) == expected


@pytest.mark.parametrize("start", [0, 1])
def test_lists(start: int) -> None:
    """Lists give elements, first places and counts; a null list is not an empty one."""
    rows = [["x"], ["a", "b"], None, [], ["b"]]
    array = pa.array(rows, pa.list_(pa.string())).slice(start)
    vector = vector_from_arrow(array)
    assert isinstance(vector, ListVector)
    assert list_texts(vector) == rows[start:]
    assert list_texts(vector.take(np.array([3 - start, 1 - start]))) == [[], ["a", "b"]]
    second = vector.element(1)
    assert isinstance(second, TextVector)
    assert text_list(second) == [None, "b", None, None, None][start:]


def test_own_arrow_arrays() -> None:
    """Arrays built without pandas equal those that Arrow builds."""
    texts = ["", "ä", "a\0b"]
    assert arrow_texts(texts).equals(pa.array(texts))
    assert arrow_bytes([b"\xff", b""]).equals(pa.array([b"\xff", b""]))
    assert arrow_codes(np.array([2, -1, 0], np.int32)).to_pylist() == [2, None, 0]
