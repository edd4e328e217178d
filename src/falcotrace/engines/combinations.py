"""Which combinations of values occur in some vectors, and how often; numbers of codes throughout.

In: vectors of the same rows. Out: for each combination the row where it occurs first and how many
rows have it. Values are looked at once for each distinct one, never row by row.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import (
    MISSING,
    EndsVector,
    Integers,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    codes_of,
)

_KEY_LIMIT = 1 << 62
_DENSE_SIZE = 1 << 16
"""So many keys are counted in a table of their own size, however few rows there are."""


def combinations(vectors: Sequence[Vector], row_count: int) -> tuple[Rows, Integers]:
    """Find the combinations of the vectors' values.

    Returns:
        For each combination the first row that has it, and the number of rows.

    Example:
        >>> from falcotrace.engines.vectors import text_vector
        >>> firsts, counts = combinations([text_vector(["a", None, "a"])], 3)
        >>> sorted(zip(firsts.tolist(), counts.tolist()))
        [(0, 2), (1, 1)]
    """
    keys = np.zeros(row_count, np.int64)
    size = 1
    for vector in vectors:
        codes = _codes(vector) - MISSING
        codes_size = int(codes.max(initial=0)) + 1
        if size * codes_size >= _KEY_LIMIT:
            distinct, keys = np.unique(keys, return_inverse=True)
            size = len(distinct)
        keys = keys * codes_size + codes
        size *= codes_size
    if size > max(_DENSE_SIZE, 2 * row_count):
        _, firsts, counts = np.unique(keys, return_index=True, return_counts=True)
        return firsts, counts
    counts = np.bincount(keys, minlength=size)
    firsts = np.zeros(size, np.int64)
    # Of several rows with one key the last one that is written stays: the first row.
    firsts[keys[::-1]] = np.arange(row_count - 1, -1, -1)
    used = np.flatnonzero(counts)
    return firsts.take(used), counts.take(used)


def _codes(vector: Vector) -> Integers:
    """A number for each row, equal for equal values; `MISSING` for rows without one."""
    match vector:
        case TextVector():
            return _text_codes(vector)
        case NumberVector():
            _, codes = np.unique(vector.values, return_inverse=True)
            return np.where(vector.present(), codes, MISSING)
        case ListVector():
            return _list_codes(vector)
        case EndsVector(left=left):
            return _codes(left)


def _text_codes(vector: TextVector) -> Integers:
    # Domains may hold a value twice: those of functions, and of bytes.
    small = vector.compact()
    distinct = codes_of(small.domain.values.dictionary_encode().indices)
    return np.append(distinct, np.int32(MISSING)).take(small.codes).astype(np.int64)


def _list_codes(vector: ListVector) -> Integers:
    """Lists are equal where the bytes of their elements' codes are."""
    codes = np.ascontiguousarray(_codes(vector.elements), np.int64)
    offsets = np.ascontiguousarray(vector.offsets * codes.itemsize, np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(codes)]
    lists = pa.Array.from_buffers(pa.large_binary(), len(vector), buffers)
    found = codes_of(lists.dictionary_encode().indices)
    return np.where(vector.present(), found, MISSING).astype(np.int64)
