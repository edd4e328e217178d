"""Columns of a row group, filled piece by piece."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.capture.columns import Columns
from falcotrace.capture.parquet.values import Sparse
from falcotrace.capture.text_pool import TextPool


def _columns(count: int, places: list[int] | None = None) -> tuple[Columns, TextPool]:
    pool = TextPool()
    return Columns(count, pool, np.array(places or range(count))), pool


def test_what_nobody_fills_is_null() -> None:
    """Texts, numbers, truths and bytes: rows that were not put are missing."""
    columns, pool = _columns(3)
    columns.put_texts("fd.name", np.array([2]), ["x"], np.array([0]))
    columns.put_numbers("fd.num", np.array([0, 1]), np.array([7, 8]), np.array([True, False]))
    columns.put_numbers("fd.connected", np.array([1]), np.array([True]))
    columns.put_bytes("fd.cip_bytes", np.array([0]), [b"\x7f"], np.array([0]))
    assert {path: array.to_pylist() for path, array in columns.arrow().items()} == {
        "fd.name": [None, None, "x"],
        "fd.num": [7, None, None],
        "fd.connected": [None, True, None],
        "fd.cip_bytes": [b"\x7f", None, None],
    }
    assert len(pool) == 1


def test_rows_stand_at_their_places() -> None:
    """Events are put as they came and stand in the file's order."""
    columns, pool = _columns(3, [2, 0, 1])
    columns.put_codes("evt.type", np.arange(3), pool.codes(["a", "b", "c"]))
    columns.put_numbers("evt.num", np.arange(3), np.array([1, 2, 3]))
    columns.put_bytes("evt.buffer", np.arange(3), [b"1", b"2", b"3"], np.arange(3))
    arrays = columns.arrow()
    assert arrays["evt.type"].to_pylist() == ["b", "c", "a"]
    assert arrays["evt.num"].to_pylist() == [2, 3, 1]
    assert arrays["evt.buffer"].to_pylist() == [b"2", b"3", b"1"]


def test_later_values_replace_earlier_ones() -> None:
    """A failed exec's arguments stand in place of the process's."""
    columns, _ = _columns(2)
    columns.put_texts("fd.name", np.array([0, 1]), ["old"], np.array([0, 0]))
    columns.put_texts("fd.name", np.array([1]), ["new"], np.array([0]))
    columns.put_texts("fd.name", np.array([0]), [], np.array([], np.int64))
    assert columns.arrow()["fd.name"].to_pylist() == ["old", "new"]


PUTS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 19), st.integers(0, 4)), max_size=20),
        st.lists(st.none() | st.integers(0, 3), min_size=5, max_size=5),
    ),
    max_size=3,
)


@given(puts=PUTS, order=st.permutations(range(20)))
def test_compact_columns_say_the_same(
    puts: list[tuple[list[tuple[int, int]], list[int | None]]], order: list[int]
) -> None:
    """Whatever is put, in whatever order, as texts, numbers or bytes, nothing among it too.

    What is put later counts; of several for one row in one put the last.
    """
    columns, _ = _columns(20, list(order))
    texts: list[str | None] = [None] * 20
    numbers: list[int | None] = [None] * 20
    for pairs, items in puts:
        unique = dict(pairs)
        rows = np.array(list(unique), np.int64)
        which = np.array(list(unique.values()), np.int64)
        columns.put_texts("fd.name", rows, [_text(item) for item in items], which)
        raw = [None if item is None else bytes([item]) for item in items]
        columns.put_bytes("fd.cip_bytes", rows, raw, which)
        valid = np.array([items[place] is not None for place in which.tolist()], np.bool_)
        columns.put_numbers("fd.num", rows, which, valid)
        for row, place in unique.items():
            texts[order[row]] = _text(items[place])
            if items[place] is not None:
                numbers[order[row]] = place
    raw_texts = [None if text is None else bytes([int(text[1:])]) for text in texts]
    expected: dict[str, list[Any]] = {
        "fd.name": [*texts],
        "fd.num": [*numbers],
        "fd.cip_bytes": [*raw_texts],
    }
    for path, values in expected.items():
        assert columns.array(path).to_pylist() == values, path
        found = columns.compact().get(path)
        if isinstance(found, Sparse):
            assert found.values.null_count == 0
            assert found.places.tolist() == [at for at in range(20) if values[at] is not None]
            assert found.values.to_pylist() == [one for one in values if one is not None]
        elif isinstance(found, pa.Array):
            assert found.to_pylist() == values


def _text(item: int | None) -> str | None:
    return None if item is None else f"t{item}"
