"""Values as Parquet's plain encoding has them, and which rows have one.

In: Arrow arrays. Out: bytes of values without the missing ones, and the levels that say which rows
    those belong to.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.parquet.levels import bits, one_run


class Present:
    """Which of some rows have a value.

    Attributes:
        count: all rows.
        rows: places of those that have one; None for all.
        levels: the same as a page has it; empty where every row must have one.
    """

    __slots__ = ("count", "levels", "rows")

    def __init__(self, count: int, rows: np.ndarray | None, levels: bytes) -> None:
        self.count = count
        self.rows = rows
        self.levels = levels

    def of(self, values: np.ndarray) -> np.ndarray:
        """The values of the rows that have one."""
        return values if self.rows is None else values[self.rows]


class Presence:
    """Finds which rows of a row group have values; columns often agree, so it is remembered."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._known: dict[bytes, Present] = {}

    def of(self, array: pa.Array, *, is_required: bool) -> Present:
        """Which rows of an array have a value.

        Raises:
            ValueError: a required column misses one.
        """
        if is_required:
            if array.null_count:
                raise ValueError("a column that every event has misses a value")
            return Present(self._count, None, b"")
        if not array.null_count:
            return Present(self._count, None, levels(one_run(1, self._count)))
        bitmap = bits_of(array.buffers()[0], array.offset, self._count)
        key = bitmap.tobytes()
        known = self._known.get(key)
        if known is None:
            has_value = np.unpackbits(bitmap, count=self._count, bitorder="little")
            rows = np.flatnonzero(has_value.view(np.bool_))
            known = Present(self._count, rows, levels(bits(bitmap, self._count)))
            self._known[key] = known
        return known


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
    kind = array.type.to_pandas_dtype()
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]


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
