"""What was last said about the subject of each event, for all events at once.

In: the subject of each event (a thread, a table of descriptors). Out: for entries with a subject
and a row, which of them is the last one at or before each event. Where few events are asked about,
`LastBefore` does it.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class AsOf:
    """Events by subject, then by row.

    Args:
        rows: the events, ascending.
        subjects: for each of them its subject.
    """

    def __init__(self, rows: Integers, subjects: Integers) -> None:
        # A stable sort keeps the order of rows; subjects come in runs, which makes it fast.
        self._order = np.argsort(subjects, kind="stable")
        ordered = subjects[self._order]
        is_first = np.append(True, ordered[1:] != ordered[:-1]) if len(rows) else np.zeros(0, bool)
        self._subjects = ordered[is_first]
        self._numbers = np.cumsum(is_first) - 1
        # Entries from behind the last event on count for none.
        self._span = int(rows[-1]) + 3 if len(rows) else 3
        self._places = self._numbers * self._span + rows[self._order] + 1

    def last(self, subjects: Integers, rows: Integers) -> Integers:
        """For each event the place of the last entry about its subject, -1 where there is none.

        Args:
            subjects: of the entries.
            rows: from which on they count; entries about one subject are in order.
        """
        found = np.full(len(self._order), -1, np.int64)
        if not len(self._subjects) or not len(subjects):
            return found
        numbers = np.minimum(np.searchsorted(self._subjects, subjects), len(self._subjects) - 1)
        is_asked = self._subjects[numbers] == subjects
        entries = np.flatnonzero(is_asked)
        begins = numbers[entries] * self._span + np.clip(rows[entries] + 1, 0, self._span - 1)
        order = np.argsort(begins, kind="stable")
        entries, begins = entries[order], begins[order]
        starts = np.searchsorted(self._places, begins)
        inside = starts < len(self._places)
        latest = np.full(len(self._places), -1, np.int64)
        # Of several entries that begin before the same event the last one stays.
        latest[starts[inside]] = np.flatnonzero(inside)
        latest = np.maximum.accumulate(latest)
        is_there = latest >= 0
        which = entries[latest[is_there]]
        fits = numbers[which] == self._numbers[is_there]
        places = np.flatnonzero(is_there)[fits]
        found[self._order[places]] = which[fits]
        return found
