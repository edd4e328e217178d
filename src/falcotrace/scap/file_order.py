"""The order of a capture's rows, and what was last said at each of them about its thread.

In: the rows of a batch with the state of a thread that each falls into; changes of something that
belongs to a thread or a table of descriptors. Out: the rows by state, and from which of them on
another value counts. Most rows show what the row before shows, so there is no step for each.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What was said about subjects (threads, tables); in the order in which it was said.

    Attributes:
        subjects: whom it is about.
        rows: the event from which on it counts.
        values: what was said.
    """

    subjects: Integers
    rows: Integers
    values: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Values that stay for some rows.

    Attributes:
        begins: places in the order of the file from which on each counts; ascending, the first 0.
        values: the values.
        runs: the run of rows that each belongs to.
    """

    begins: Integers
    values: Integers
    runs: Integers


class FileOrder:
    """Rows by state, then as they happened.

    Args:
        rows: the events that have a row, ascending.
        keys: `proc.key` of each.
        tables: the table of descriptors of each.

    Attributes:
        rows: the events in the order of the file.
        begins: places in it where a run begins, of rows with one state and one table.
        first_rows: the first event of each run.
    """

    def __init__(self, rows: Integers, keys: Integers, tables: Integers) -> None:
        order = np.argsort(keys, kind="stable")
        keys, tables = keys[order], tables[order]
        self.rows = rows[order]
        is_other = (keys[1:] != keys[:-1]) | (tables[1:] != tables[:-1])
        self.begins = np.flatnonzero(np.append(True, is_other)[: len(rows)])
        self.first_rows = self.rows[self.begins]
        # Changes from behind the last event on count for none.
        self._span = int(rows[-1]) + 3 if len(rows) else 3

    @cached_property
    def _runs(self) -> Integers:
        return np.repeat(np.arange(len(self.begins)), np.diff(self.begins, append=len(self.rows)))

    @cached_property
    def _places(self) -> Integers:
        """Rises over the whole file: number of the run, then row."""
        return self._runs * self._span + self.rows

    @cached_property
    def _last_rows(self) -> Integers:
        ends = np.append(self.begins[1:], len(self.rows))[: len(self.begins)]
        return self.rows[ends - 1]

    def last(self, subjects: Integers, changes: Changes, default: int) -> Steps:
        """The last change about the subject of each row, at that row or before.

        Args:
            subjects: of each run.
            changes: what was said.
            default: the value before anything was said.
        """
        said = _Said(changes, self._span)
        first, least = said.find(subjects, self.first_rows)
        last, _ = said.find(subjects, self._last_rows)
        counts = np.where(least < 0, 0, last - np.maximum(first, least - 1))
        if counts.sum() > len(self.rows):
            # Many threads that share what changes all the time: ask for each row.
            found, least = said.find(subjects[self._runs], self.rows)
            begins = np.arange(len(self.rows))
            return Steps(begins, said.values(found, least, default), self._runs)
        within = np.repeat(np.arange(len(counts)), counts)
        offsets = np.arange(len(within)) - np.repeat(np.cumsum(counts) - counts, counts)
        inner = np.maximum(first, least - 1)[within] + 1 + offsets
        places = np.searchsorted(self._places, within * self._span + said.rows[inner])
        begins = np.concatenate([self.begins, places])
        values = np.concatenate([said.values(first, least, default), said.changes.values[inner]])
        runs = np.concatenate([np.arange(len(counts)), within])
        # Of several that begin at one place the last one stays.
        order = np.argsort(begins, kind="stable")
        begins = begins[order]
        order = order[np.append(begins[1:] != begins[:-1], True)[: len(order)]]
        return Steps(np.unique(begins), values[order], runs[order])


class _Said:
    """Changes by subject, then by row, without those that change nothing."""

    def __init__(self, changes: Changes, span: int) -> None:
        order = np.lexsort((changes.rows, changes.subjects))
        subjects, values = changes.subjects[order], changes.values[order]
        is_same = (subjects[1:] == subjects[:-1]) & (values[1:] == values[:-1])
        kept = np.flatnonzero(np.append(True, ~is_same)[: len(order)])
        rows = np.clip(changes.rows[order][kept], -1, span - 2)
        self.rows = rows
        self.changes = Changes(subjects[kept], rows, values[kept])
        self._span = span
        self._subjects, begins = np.unique(subjects[kept], return_index=True)
        self._begins = begins
        numbers = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(kept)))
        self._places = numbers * span + rows + 1

    def find(self, subjects: Integers, rows: Integers) -> tuple[Integers, Integers]:
        """The last change at or before rows, and the first of all about each subject.

        Where a subject's first change comes later, the answer lies before it. The first of all is
        -1 where nothing was ever said.
        """
        if not len(self._subjects):
            nothing = np.full(len(subjects), -1, np.int64)
            return nothing, nothing
        numbers = np.minimum(np.searchsorted(self._subjects, subjects), len(self._subjects) - 1)
        last = np.searchsorted(self._places, numbers * self._span + rows + 1, side="right") - 1
        return last, np.where(self._subjects[numbers] == subjects, self._begins[numbers], -1)

    def values(self, last: Integers, least: Integers, default: int) -> Integers:
        """What was said, given the answers of `find`."""
        is_said = (least >= 0) & (last >= least)
        return np.where(is_said, np.append(self.changes.values, default)[last], default)
