"""Collects the columns of one row group: codes, numbers, truths and bytes for some rows at a time.

Rows that nobody fills are null; what is put later counts. The result are Arrow arrays by column
path, or for columns with few values only those and where they stand, as the writer takes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from falcotrace.capture.parquet.values import Sparse
from falcotrace.capture.schema import flat_type
from falcotrace.capture.text_pool import MISSING, TextPool

_FEW = 8
"""A column with values in less than one of so many rows is put in order by sorting."""

_SPARSE = 2
"""A column with values in less than one of so many rows is handed over without the others."""


@dataclass(slots=True, eq=False)
class _Column:
    """What was put into a column: places in the result, and as many values."""

    places: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    items: list[bytes | None] = field(default_factory=list)

    def put(self, places: np.ndarray, values: np.ndarray) -> None:
        self.places.append(places)
        self.values.append(values)

    def in_order(self, row_count: int) -> tuple[np.ndarray, np.ndarray]:
        """Places, ascending, and values; of several for one place the last."""
        values, places = np.concatenate(self.values), np.concatenate(self.places)
        if (places[1:] > places[:-1]).all():
            return places, values
        if len(places) * _FEW > row_count:
            last = np.full(row_count, -1, np.int64)
            last[places] = np.arange(len(places))
            found = np.flatnonzero(last >= 0)
            return found, values[last[found]]
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

    def places_of(self, rows: np.ndarray) -> np.ndarray:
        """Where events stand in the result."""
        found: np.ndarray = self._places[rows]
        return found

    def codes(self, path: str) -> np.ndarray:
        """The codes of a column of texts, `MISSING` where nothing was put."""
        codes = np.full(self.row_count, MISSING, np.int32)
        if path in self._codes:
            places, found = self._codes[path].in_order(self.row_count)
            codes[places] = found
        return codes

    def paths(self) -> list[str]:
        """The columns that something was put into."""
        return [*self._codes, *self._numbers, *self._bytes]

    def _values(self, path: str) -> Sparse:
        """The values of a column and where they stand."""
        count = self.row_count
        if path in self._codes:
            places, codes = self._codes[path].in_order(count)
            is_there = codes != MISSING
            return Sparse(places[is_there], self._pool.arrow(codes[is_there]))
        if path in self._numbers:
            places, values = self._numbers[path].in_order(count)
            return Sparse(places, pa.array(values, flat_type(path)))
        if path in self._bytes:
            places, which = self._bytes[path].in_order(count)
            items = pa.array(self._bytes[path].items, pa.binary())
            return Sparse(places, items.take(pa.array(which)))
        return Sparse(np.zeros(0, np.int64), pa.nulls(0, flat_type(path)))

    def array(self, path: str) -> pa.Array:
        """One column as an Arrow array; null where nothing was put."""
        return self._whole(self._values(path))

    def _whole(self, found: Sparse) -> pa.Array:
        if len(found.places) == self.row_count:
            return found.values
        if pa.types.is_integer(found.values.type):
            values = np.asarray(found.values)
            whole = np.zeros(self.row_count, values.dtype)
            whole[found.places] = values
            is_missing = np.ones(self.row_count, np.bool_)
            is_missing[found.places] = False
            return pa.array(whole, found.values.type, mask=is_missing)
        places = np.full(self.row_count, -1, np.int64)
        places[found.places] = np.arange(len(found.places))
        return found.values.take(pa.array(places, mask=places < 0))

    def arrow(self) -> dict[str, pa.Array]:
        """The columns as Arrow arrays."""
        return {path: self.array(path) for path in self.paths()}

    def sparse(self) -> dict[str, pa.Array | Sparse]:
        """The columns as the writer takes them: those with few values without the others."""
        return {path: self._sparse(path) for path in self.paths()}

    def _sparse(self, path: str) -> pa.Array | Sparse:
        if path in self._codes:
            puts = sum(map(len, self._codes[path].places))
            if puts * _SPARSE >= self.row_count:
                return self._pool.arrow(self.codes(path))
        found = self._values(path)
        return found if len(found.places) * _SPARSE < self.row_count else self._whole(found)
