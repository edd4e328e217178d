"""Finds what was last said about something before an event.

In: entries with a key and a row. Out: for any key and row the last entry at or before it. It takes
the place of going through the events in order.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class LastBefore:
    """Finds the last of some entries with a key at or before a row.

    Args:
        keys: of the entries.
        rows: of the entries; those of one key are in order.
        row_count: rows of the batch.
    """

    def __init__(self, keys: Integers, rows: Integers, row_count: int) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._keys, starts = np.unique(keys[self._order], return_index=True)
        groups = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(keys))))
        self._span = row_count + 2
        self._groups = groups
        self._places = groups * self._span + np.minimum(rows[self._order], row_count) + 1

    def find(self, keys: Integers, rows: Integers) -> Integers:
        """The entries' places as they were given; -1 where there is none."""
        found = np.full(len(keys), -1, np.int64)
        if not len(self._keys):
            return found
        groups = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        last = np.searchsorted(self._places, groups * self._span + rows + 1, side="right") - 1
        fits = (self._keys[groups] == keys) & (last >= 0)
        fits &= self._groups[np.maximum(last, 0)] == groups
        found[fits] = self._order[last[fits]]
        return found
