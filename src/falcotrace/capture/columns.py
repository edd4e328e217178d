"""Collects the columns of one row group: codes, numbers, truths, bytes and lists for some rows.

Rows that nobody fills are null; what is put later counts. The result are Arrow arrays by column
path, or for columns with few values only those and where they stand, as the writer takes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from falcotrace.capture.parquet.levels import run_begins
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.schema import flat_type
from falcotrace.capture.text_pool import MISSING, TextPool

_SPARSE = 2
"""A column with values in less than one of so many rows is handed over without the others."""


@dataclass(slots=True, eq=False)
class _Column:
    """What was put into a column: places in the result, and as many values."""

    places: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    items: list[bytes | Sequence[str] | None] = field(default_factory=list)

    def put(self, places: np.ndarray, values: np.ndarray) -> None:
        self.places.append(places)
        self.values.append(values)

    def is_sparse(self, row_count: int) -> bool:
        """Whether few rows have a value."""
        return sum(map(len, self.places)) * _SPARSE < row_count

    def whole(self, row_count: int, missing: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """For each row its value, of several the last, and whether it has one."""
        kinds = {values.dtype for values in self.values}
        whole = np.full(row_count, missing, np.result_type(*kinds))
        has_value = np.zeros(row_count, np.bool_)
        for places, values in zip(self.places, self.values, strict=True):
            whole[places] = values
            has_value[places] = True
        return whole, has_value

    def in_order(self, row_count: int) -> tuple[np.ndarray, np.ndarray]:
        """Places, ascending, and values; of several for one place the last."""
        if not self.is_sparse(row_count):
            whole, has_value = self.whole(row_count)
            found = np.flatnonzero(has_value)
            return found, whole[found]
        values, places = np.concatenate(self.values), np.concatenate(self.places)
        if (places[1:] > places[:-1]).all():
            return places, values
        order = np.argsort(places, kind="stable")
        places = places[order]
        is_last = np.append(places[1:] != places[:-1], True)
        return places[is_last], values[order[is_last]]


class Columns:
    """The columns of `row_count` events.

    Args:
        row_count: how many.
        pool: where codes of texts come from.
        places: for each event its place in the result.
    """

    def __init__(self, row_count: int, pool: TextPool, places: np.ndarray) -> None:
        self.row_count = row_count
        self._pool = pool
        self._places = places
        self._codes: dict[str, _Column] = {}
        self._numbers: dict[str, _Column] = {}
        self._bytes: dict[str, _Column] = {}
        self._lists: dict[str, _Column] = {}
        self._steps: dict[str, Stepwise] = {}

    def put_codes(self, path: str, rows: np.ndarray, codes: np.ndarray | int) -> None:
        """Set texts by their code in the pool."""
        column = self._codes.setdefault(path, _Column())
        column.put(self._places[rows], np.broadcast_to(np.asarray(codes, np.int32), len(rows)))

    def put_texts(
        self, path: str, rows: np.ndarray, distinct: Sequence[str | None], indices: np.ndarray
    ) -> None:
        """Set texts given the distinct ones and, for each row, which one it is."""
        if len(distinct):
            self.put_codes(path, rows, self._pool.codes(distinct)[indices])

    def put_numbers(
        self, path: str, rows: np.ndarray, values: np.ndarray | int, valid: np.ndarray | None = None
    ) -> None:
        """Set numbers or truths; `valid` says which of them are values."""
        data_type = flat_type(path)
        kind = np.bool_ if pa.types.is_boolean(data_type) else data_type.to_pandas_dtype()
        numbers = np.broadcast_to(np.asarray(values).astype(kind, copy=False), len(rows))
        if valid is not None:
            rows, numbers = rows[valid], numbers[valid]
        self._numbers.setdefault(path, _Column()).put(self._places[rows], numbers)

    def put_bytes(
        self, path: str, rows: np.ndarray, distinct: Sequence[bytes | None], indices: np.ndarray
    ) -> None:
        """Set bytes given the distinct ones and, for each row, which one it is."""
        column = self._bytes.setdefault(path, _Column())
        column.put(self._places[rows], np.asarray(indices, np.int64) + len(column.items))
        column.items.extend(distinct)

    def put_lists(
        self, path: str, rows: np.ndarray, distinct: Sequence[Sequence[str]], indices: np.ndarray
    ) -> None:
        """Set lists of texts given the distinct ones and, for each row, which one it is."""
        column = self._lists.setdefault(path, _Column())
        column.put(self._places[rows], np.asarray(indices, np.int64) + len(column.items))
        column.items.extend(distinct)

    def put_number_steps(
        self, path: str, begins: np.ndarray, values: np.ndarray, valid: np.ndarray
    ) -> None:
        """Set numbers of a whole column, given from which place on each counts."""
        kind = flat_type(path)
        numbers = values.astype(kind.to_pandas_dtype(), copy=False)
        self._steps[path] = Stepwise(begins, pa.array(numbers, kind, mask=~valid))

    def put_code_steps(self, path: str, begins: np.ndarray, codes: np.ndarray) -> None:
        """Set texts of a whole column by their code, likewise."""
        self._steps[path] = Stepwise(begins, self._pool.arrow(codes))

    def places_of(self, rows: np.ndarray) -> np.ndarray:
        """Where events stand in the result."""
        found: np.ndarray = self._places[rows]
        return found

    def codes(self, path: str) -> np.ndarray:
        """The codes of a column of texts, `MISSING` where nothing was put."""
        if path not in self._codes:
            return np.full(self.row_count, MISSING, np.int32)
        codes, _ = self._codes[path].whole(self.row_count, MISSING)
        return codes

    def paths(self) -> list[str]:
        """The columns that something was put into."""
        return [*self._codes, *self._numbers, *self._bytes, *self._lists, *self._steps]

    def array(self, path: str) -> pa.Array:
        """One column as an Arrow array; null where nothing was put."""
        if path in self._steps:
            return self._steps[path].array(self.row_count)
        if path in self._codes:
            return self._pool.arrow(self.codes(path))
        if path in self._numbers:
            whole, has_value = self._numbers[path].whole(self.row_count)
            return pa.array(whole, flat_type(path), mask=None if has_value.all() else ~has_value)
        if path in self._bytes:
            which, has_value = self._bytes[path].whole(self.row_count)
            items = pa.array(self._bytes[path].items, pa.binary())
            return items.take(pa.array(which, mask=~has_value))
        if path in self._lists:
            return self._list_steps(path).array(self.row_count)
        return pa.nulls(self.row_count, flat_type(path))

    def arrow(self) -> dict[str, pa.Array]:
        """The columns as Arrow arrays."""
        return {path: self.array(path) for path in self.paths()}

    def compact(self) -> dict[str, pa.Array | Sparse | Stepwise]:
        """The columns as the writer takes them: without what is not there or stays the same."""
        return {path: self._compact(path) for path in self.paths()}

    def _compact(self, path: str) -> pa.Array | Sparse | Stepwise:
        if path in self._steps:
            return self._steps[path]
        if path in self._lists:
            return self._list_steps(path)
        for kind in (self._codes, self._numbers, self._bytes):
            if path in kind and kind[path].is_sparse(self.row_count):
                return self._sparse(path, *kind[path].in_order(self.row_count))
        return self.array(path)

    def _list_steps(self, path: str) -> Stepwise:
        """A column of lists: most rows have none, or that of the row before."""
        which, _ = self._lists[path].whole(self.row_count, MISSING)
        begins = run_begins(which)
        lists = pa.array(self._lists[path].items, flat_type(path))
        wanted = which[begins]
        return Stepwise(begins, lists.take(pa.array(wanted, mask=wanted == MISSING)))

    def _sparse(self, path: str, places: np.ndarray, values: np.ndarray) -> Sparse:
        """The values of a column and where they stand."""
        if path in self._codes:
            is_there = values != MISSING
            return Sparse(places[is_there], self._pool.arrow(values[is_there]))
        if path in self._numbers:
            return Sparse(places, pa.array(values, flat_type(path)))
        items = self._bytes[path].items
        is_item = np.array([item is not None for item in items], np.bool_)[values]
        found = pa.array(items, pa.binary()).take(pa.array(values[is_item]))
        return Sparse(places[is_item], found)
