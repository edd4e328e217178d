"""Values as Parquet's plain encoding has them, and which rows have one.

In: Arrow arrays. Out: bytes of values without the missing ones, and the levels that say which rows
    those belong to.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.parquet.chunk import MEDIUM_COUNT, compressed_bytes
from falcotrace.capture.parquet.levels import one_run, run_begins, truths_as_bits, truths_as_runs

_RUN_BITS = 32  # a run takes two or three bytes, which are harder to compress than bits


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A column in which few rows have a value.

    Attributes:
        places: the rows that have one, ascending.
        values: theirs; none is null.
    """

    places: np.ndarray
    values: pa.Array

    def array(self, row_count: int) -> pa.Array:
        """A value or null for each row."""
        which = np.zeros(row_count, np.int64)
        which[self.places] = np.arange(len(self.places))
        has_none = np.ones(row_count, np.bool_)
        has_none[self.places] = False
        return self.values.take(pa.array(which, mask=has_none))


@dataclass(frozen=True, slots=True, eq=False)
class Stepwise:
    """A column in which most rows have the value of the row before, in the order of the file.

    Attributes:
        begins: rows from which on each value counts; ascending, the first is 0.
        values: the values; some may be null.
    """

    begins: np.ndarray
    values: pa.Array

    def counts(self, row_count: int) -> np.ndarray:
        """The rows of each value."""
        return np.diff(self.begins, append=row_count)

    def array(self, row_count: int) -> pa.Array:
        """A value for each row."""
        which = np.repeat(np.arange(len(self.begins)), self.counts(row_count))
        return self.values.take(pa.array(which))


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """Which rows of the file have a value, and where those values are in a column.

    Attributes:
        count: all rows.
        at: for each row with a value its index in the column as it was given; None if those are
            the values as they are.
        levels: which rows have one, as a page says it; empty where every row must have one.
    """

    count: int
    at: np.ndarray | None
    levels: bytes

    def of(self, values: np.ndarray) -> np.ndarray:
        """The values, in the order of the file."""
        return values if self.at is None else values[self.at]

    def of_arrow(self, values: pa.Array) -> pa.Array:
        """The values of an Arrow array, in the order of the file."""
        return values if self.at is None else values.take(pa.array(self.at))


class Presence:
    """Finds the rows of a row group that have values; columns often agree, so it is remembered.

    Args:
        count: the rows.
        order: for each row of the file its place in columns as they are given; None if they are in
            the order of the file.
    """

    def __init__(self, count: int, order: np.ndarray | None = None) -> None:
        self.count = count
        self._order = order
        self._known: dict[bytes, Present] = {}

    @property
    def is_sorting(self) -> bool:
        """Whether columns are given in another order than that of the file."""
        return self._order is not None

    def of(self, column: pa.Array | Sparse, *, is_required: bool = False) -> Present:
        """Which rows have a value, and where it is in the column.

        Raises:
            ValueError: the column is too short or too long, or misses a value that is required.
        """
        values = column.values if isinstance(column, Sparse) else column
        if len(values) == self.count and not values.null_count:
            every = b"" if is_required else levels(one_run(1, self.count))
            return Present(self.count, self._order, every)
        if is_required:
            raise ValueError("a column that every event has misses a value")
        return self._of_sparse(column) if isinstance(column, Sparse) else self._of_array(column)

    def _of_array(self, array: pa.Array) -> Present:
        if len(array) != self.count:
            raise ValueError(f"a column of {len(array)} rows in a row group of {self.count}")
        bitmap = bits_of(array.buffers()[0], array.offset, self.count)
        key = bitmap.tobytes()
        if key not in self._known:
            has_value = np.unpackbits(bitmap, count=self.count, bitorder="little").view(np.bool_)
            rows, raw = self._arrange(has_value)
            self._known[key] = Present(self.count, rows, raw)
        return self._known[key]

    def _of_sparse(self, column: Sparse) -> Present:
        if column.values.null_count:
            raise ValueError("a sparse column holds a null")
        key = b"places" + column.places.tobytes()
        if key not in self._known:
            has_value = np.zeros(self.count, np.bool_)
            has_value[column.places] = True
            rows, raw = self._arrange(has_value)
            self._known[key] = Present(self.count, self._slots(column.places, rows), raw)
        return self._known[key]

    def _slots(self, places: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """For each row with a value, which of the values of a sparse column is its own."""
        if self._order is None:
            return None
        slots = np.empty(self.count, np.int32)
        slots[places] = np.arange(len(places), dtype=np.int32)
        return slots[rows]

    def _arrange(self, has_value: np.ndarray) -> tuple[np.ndarray, bytes]:
        """The rows with a value, in the order of the file, and the levels that say so."""
        if self._order is None:
            rows = np.flatnonzero(has_value)
        else:
            has_value = has_value[self._order]
            rows = self._order[has_value]
        return rows, levels(self._truths(has_value))

    def _truths(self, values: np.ndarray) -> bytes:
        begins = run_begins(values)
        if self.count <= MEDIUM_COUNT:
            return min(truths_as_runs(values, begins), truths_as_bits(values), key=compressed_bytes)
        if len(begins) * _RUN_BITS < len(values):
            return truths_as_runs(values, begins)
        return truths_as_bits(values)

    def dense(self, column: pa.Array | Sparse) -> pa.Array:
        """A column with nulls where there is no value, in the order of the file."""
        if isinstance(column, Sparse):
            slots = np.full(self.count, -1)
            slots[column.places] = np.arange(len(column.places))
            column = column.values.take(pa.array(slots, mask=slots < 0))
        return column if self._order is None else column.take(pa.array(self._order))


def levels(raw: bytes) -> bytes:
    """Levels with their length before them, as in pages of version 1."""
    return len(raw).to_bytes(4, "little") + raw


def bits_of(buffer: pa.Buffer, offset: int, count: int) -> np.ndarray:
    """Bits of a bitmap from a place on; those behind the last one are 0."""
    raw = np.frombuffer(buffer, np.uint8)
    if offset % 8:
        wanted = np.unpackbits(raw, count=offset + count, bitorder="little")[offset:]
        return np.packbits(wanted, bitorder="little")
    found = raw[offset // 8 : (offset + count + 7) // 8].copy()
    if count % 8:
        found[-1] &= (1 << count % 8) - 1
    return found


def numbers(array: pa.Array) -> np.ndarray:
    """The numbers of an array; what stands for missing ones means nothing."""
    # Arrow's names of these types are numpy's; `to_pandas_dtype` would import pandas.
    return np.frombuffer(array.buffers()[1], str(array.type))[
        array.offset : array.offset + len(array)
    ]


def plain(array: pa.Array) -> bytes:
    """The plain encoding of values, none of which is missing."""
    if not len(array):
        return b""
    if pa.types.is_boolean(array.type):
        return bits_of(array.buffers()[1], array.offset, len(array)).tobytes()
    if pa.types.is_integer(array.type):
        return numbers(array).tobytes()
    raw = array.cast(pa.binary())
    lengths = pa.py_buffer(pc.binary_length(raw).to_numpy().astype("<u4"))
    heads = pa.Array.from_buffers(pa.binary(4), len(raw), [None, lengths]).cast(pa.binary())
    joined = pc.binary_join_element_wise(heads, raw, b"")
    _, offsets, data = joined.buffers()
    return data[: int(np.frombuffer(offsets, np.int32)[len(joined)])].to_pybytes()


def text_bytes(array: pa.Array) -> int:
    """Bytes of all texts of an array, without looking at them."""
    _, offsets, _ = array.buffers()
    if not offsets:
        return 0
    ends = np.frombuffer(offsets, np.int32)
    return int(ends[array.offset + len(array)] - ends[array.offset])
