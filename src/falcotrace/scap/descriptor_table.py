"""A process's table of descriptors: what stands behind each number, and since which event.

In: changes, in order. Out: the table as of now, and a log from which the entry behind any number at
any event is found later without going through the events one by one.

Entries are references into the list of descriptors that the state engine keeps; whether a
descriptor is closed at an exec belongs to the number and not to the entry, so it travels in the
reference's lowest bit.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from falcotrace.scap.last_before import LastBefore

Integers = npt.NDArray[np.int64]

CLOSED = -1
"""In the log: the number stands for nothing."""

_NUMBER_BITS = 32


@dataclass(slots=True, eq=False)
class DescriptorTable:
    """References by descriptor: `reference << 1 | is closed at an exec`."""

    number: int = 0
    entries: dict[int, int] = field(default_factory=dict)


class DescriptorLog:
    """Every change to every table of a batch.

    Its lists are filled from the state engine's inner loop, one element of each for a change.

    Attributes:
        tables: numbers of tables.
        fds: numbers in them.
        rows: the event from which on the change counts.
        references: what the number stands for then, `CLOSED` for nothing.
        counts: numbers that stand for something in the table then.
    """

    def __init__(self) -> None:
        self.tables: list[int] = []
        self.fds: list[int] = []
        self.rows: list[int] = []
        self.references: list[int] = []
        self.counts: list[int] = []

    def add(self, table: DescriptorTable, fd: int, row: int, reference: int) -> None:
        """From the event of this row on, a number stands for an entry (or nothing)."""
        self.tables.append(table.number)
        self.fds.append(fd)
        self.rows.append(row)
        self.references.append(reference)
        self.counts.append(len(table.entries))

    def add_table(self, table: DescriptorTable, row: int) -> None:
        """All numbers of a table begin at this row."""
        count = len(table.entries)
        self.tables.extend([table.number] * count)
        self.fds.extend(table.entries)
        self.rows.extend([row] * count)
        self.references.extend([entry >> 1 for entry in table.entries.values()])
        self.counts.extend([count] * count)

    def frozen(self, row_count: int) -> "DescriptorHistory":
        """The log as something to ask."""
        return DescriptorHistory(
            np.array(self.tables, np.int64),
            np.array(self.fds, np.int64),
            np.array(self.rows, np.int64),
            np.array(self.references, np.int64),
            row_count,
        )

    def open_counts(self) -> Integers:
        """Table, row and number of open descriptors, for each change."""
        return np.array([self.tables, self.rows, self.counts], np.int64).T


class DescriptorHistory:
    """Answers what stood behind a number of a table at an event."""

    def __init__(
        self,
        tables: Integers,
        fds: Integers,
        rows: Integers,
        references: Integers,
        row_count: int,
    ) -> None:
        self._last = LastBefore(_keys(tables, fds), rows, row_count)
        self._references = references

    def references(self, tables: Integers, fds: Integers, rows: Integers) -> Integers:
        """References of numbers as of some events; `CLOSED` where nothing is known."""
        places = self._last.find(_keys(tables, fds), rows)
        is_known = (places >= 0) & (fds >= 0) & (tables >= 0)
        return np.where(is_known, np.append(self._references, CLOSED)[places], CLOSED)


def _keys(tables: Integers, fds: Integers) -> Integers:
    return (tables << _NUMBER_BITS) | (fds & 0xFFFF_FFFF)
