"""Columns of a row group, filled piece by piece."""

import numpy as np

from falcotrace.capture.columns import Columns
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
