"""The table of process states of a batch, column by column.

In: the columns of views by `proc.key`. Out: Arrow columns. Texts are dictionaries: thousands of
states show the same environment of the same ancestor.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from falcotrace.capture.schema import flat_type
from falcotrace.capture.text_pool import TextPool

NO_PROCESS_KEY = 0
"""`proc.key` of events that belong to no thread; their process columns are null."""


class ProcessStates:
    """States of processes, whose columns are made when they are asked for.

    Args:
        columns: columns by `proc.key`.
    """

    def __init__(self, columns: Mapping[int, Mapping[str, Any]]) -> None:
        self._keys = [NO_PROCESS_KEY, *sorted(columns)]
        self._rows: list[Mapping[str, Any]] = [{}, *(columns[key] for key in self._keys[1:])]

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, path: str) -> pa.ChunkedArray:
        return pa.chunked_array([self._array(path)])

    def _array(self, path: str) -> pa.Array:
        if path == "proc.key":
            return pa.array(self._keys, pa.int64())
        kind = flat_type(path)
        values = [row.get(path) for row in self._rows]
        if pa.types.is_string(kind):
            return _texts(values)
        if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
            return _lists(values)
        sized = _unsigned if kind == pa.uint64() else _signed
        return pa.array([sized(one) if type(one) is int else one for one in values], kind)


def _texts(values: Sequence[str | None]) -> pa.DictionaryArray:
    pool = TextPool()
    return pool.arrow(pool.codes(values))


def _lists(values: Sequence[Sequence[str] | None]) -> pa.ListArray:
    sizes = np.array([0 if one is None else len(one) for one in values])
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    elements = _texts(list(chain.from_iterable(filter(None, values))))
    mask = pa.array([one is None for one in values])
    return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=mask)


def _signed(value: int) -> int:
    """A number as 64 bits with a sign, whatever a hostile capture says."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _unsigned(value: int) -> int:
    return value % (1 << 64)
