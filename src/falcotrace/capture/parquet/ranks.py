"""Which rows of a column have a value, and how many rows before them have one.

In: a bit for each row, or runs of rows. Out: for some rows, places among the values. Nothing is
    spread over rows that nobody asks for.
"""

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Found: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]
"""For each of some rows the values before it, which is the place of its own, and whether it has
one."""

_WORD = 64


class Ranks(Protocol):
    """Rows that have a value."""

    @property
    def value_count(self) -> int:
        """How many rows have one."""
        ...

    def find(self, rows: npt.NDArray[np.signedinteger]) -> Found:
        """Where the values of some rows are."""
        ...


class BitRanks:
    """Rows that have a value, a bit for each: values are counted once for each word of 64 rows.

    Args:
        bits: the first row's is the lowest; those behind the last row mean nothing.
        row_count: the rows.

    Example:
        >>> places, has_value = BitRanks(np.array([0b0101], np.uint8), 4).find(np.array([2, 0]))
        >>> places.tolist(), has_value.tolist()
        ([1, 0], [True, True])
    """

    def __init__(self, bits: npt.NDArray[np.uint8], row_count: int) -> None:
        words = np.zeros((row_count + _WORD - 1) // _WORD, "<u8")
        size = (row_count + 7) // 8
        words.view(np.uint8)[:size] = bits[:size]
        if row_count % _WORD:
            words[-1] &= np.uint64((1 << row_count % _WORD) - 1)
        self._words = words
        self._before = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.bitwise_count(words), out=self._before[1:])

    @property
    def value_count(self) -> int:
        """How many rows have one."""
        return int(self._before[-1])

    def find(self, rows: npt.NDArray[np.signedinteger]) -> Found:
        """Where the values of some rows are."""
        at = rows >> 6
        bit = np.left_shift(np.uint64(1), (rows & (_WORD - 1)).astype(np.uint64))
        words = self._words.take(at)
        places = self._before.take(at) + np.bitwise_count(words & (bit - np.uint64(1)))
        return places, (words & bit) != 0


class RunRanks:
    """Rows that have a value, as runs of rows that all do or all do not.

    Args:
        truths: for each run whether its rows have a value.
        counts: its rows, at least one.

    Example:
        >>> ranks = RunRanks(np.array([False, True]), np.array([3, 2]))
        >>> places, has_value = ranks.find(np.array([4, 0]))
        >>> places.tolist(), has_value.tolist()
        ([1, 0], [True, False])
    """

    def __init__(self, truths: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64]) -> None:
        self._truths = truths
        self._ends = np.cumsum(counts)
        ends_of_values = np.cumsum(np.where(truths, counts, 0))
        self._before = ends_of_values - np.where(truths, counts, 0)
        self._begins = self._ends - counts
        self.value_count = int(ends_of_values[-1]) if len(counts) else 0

    def find(self, rows: npt.NDArray[np.signedinteger]) -> Found:
        """Where the values of some rows are."""
        runs = np.searchsorted(self._ends, rows, side="right")
        has_value = self._truths.take(runs)
        within = np.where(has_value, rows - self._begins.take(runs), 0)
        return self._before.take(runs) + within, has_value
