"""Collects the columns of one row group: codes, numbers, truths and bytes for some rows at a time.

Rows that nobody fills are null. The result are Arrow arrays by column path, as the writer takes
them.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from falcotrace.capture.schema import flat_type
from falcotrace.capture.text_pool import MISSING, TextPool


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
        self._codes: dict[str, np.ndarray] = {}
        self._numbers: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._bytes: dict[str, tuple[list[bytes | None], np.ndarray]] = {}

    def put_codes(self, path: str, rows: np.ndarray, codes: np.ndarray | int) -> None:
        """Set texts by their code in the pool."""
        column = self._codes.get(path)
        if column is None:
            column = self._codes[path] = np.full(self.row_count, MISSING, np.int32)
        column[self._places[rows]] = codes

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
        column = self._numbers.get(path)
        if column is None:
            data_type = flat_type(path)
            kind = np.bool_ if pa.types.is_boolean(data_type) else data_type.to_pandas_dtype()
            column = (np.zeros(self.row_count, kind), np.zeros(self.row_count, np.bool_))
            self._numbers[path] = column
        places = self._places[rows]
        column[0][places] = values
        column[1][places] = True if valid is None else valid

    def put_bytes(
        self, path: str, rows: np.ndarray, distinct: Sequence[bytes | None], indices: np.ndarray
    ) -> None:
        """Set bytes given the distinct ones and, for each row, which one it is."""
        column = self._bytes.get(path)
        if column is None:
            column = self._bytes[path] = ([], np.full(self.row_count, MISSING, np.int64))
        items, codes = column
        codes[self._places[rows]] = indices + len(items)
        items.extend(distinct)

    def places_of(self, rows: np.ndarray) -> np.ndarray:
        """Where events stand in the result."""
        found: np.ndarray = self._places[rows]
        return found

    def codes(self, path: str) -> np.ndarray:
        """The codes of a column of texts, `MISSING` where nothing was put."""
        found = self._codes.get(path)
        return np.full(self.row_count, MISSING, np.int32) if found is None else found

    def paths(self) -> list[str]:
        """The columns that something was put into."""
        return [*self._codes, *self._numbers, *self._bytes]

    def array(self, path: str) -> pa.Array:
        """One column as an Arrow array; all null where nothing was put."""
        if path in self._codes:
            return self._pool.arrow(self._codes[path])
        if path in self._numbers:
            values, valid = self._numbers[path]
            return pa.array(values, flat_type(path), mask=None if valid.all() else ~valid)
        if path in self._bytes:
            items, codes = self._bytes[path]
            return pa.array(items, pa.binary()).take(pa.array(codes, mask=codes < 0))
        return pa.nulls(self.row_count, flat_type(path))

    def arrow(self) -> dict[str, pa.Array]:
        """The columns as Arrow arrays."""
        return {path: self.array(path) for path in self.paths()}
