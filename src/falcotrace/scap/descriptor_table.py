"""A process's table of descriptors: what stands behind each number, and since which event.

In: changes, in order. Out: the table as of now, and a log from which the entry behind any number at
any event is found later without going through the events one by one.

Entries are references into the list of descriptors that the state engine keeps; whether a
descriptor is closed at an exec belongs to the number and not to the entry, so it travels in the
reference's lowest bit.
"""

from array import array
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from falcotrace.scap.last_before import LastBefore

Integers = npt.NDArray[np.int64]

CLOSED = -1
"""In the log: the number stands for nothing."""

MOST_ENTRIES = 4096
"""Numbers of one table, as many as Falco keeps (libs 48dfd53c, userspace/libsinsp/settings.h)."""

_NUMBER_BITS = 32


@dataclass(slots=True, eq=False)
class DescriptorTable:
    """References by descriptor: `reference << 1 | is closed at an exec`."""

    number: int = 0
    entries: dict[int, int] = field(default_factory=dict)


class DescriptorLog:
    """Every change to every table of a batch.

    Attributes:
        numbers: five for each change: the table's number, the number in it, the event from which on
            the change counts, what the number stands for then (`CLOSED` for nothing), and how many
            numbers of the table stand for something then. The state engine's inner loop appends.
    """

    WIDTH = 5

    def __init__(self) -> None:
        self.numbers = array("q")

    def add(self, table: DescriptorTable, fd: int, row: int, reference: int) -> None:
        """From the event of this row on, a number stands for an entry (or nothing)."""
        self.numbers.extend((table.number, fd, row, reference, len(table.entries)))

    def add_table(self, table: DescriptorTable, row: int) -> None:
        """All numbers of a table begin at this row."""
        number, count = table.number, len(table.entries)
        for fd, entry in table.entries.items():
            self.numbers.extend((number, fd, row, entry >> 1, count))

    def _columns(self) -> Integers:
        # A copy: an array that somebody looks into cannot grow.
        return np.array(self.numbers, np.int64).reshape(-1, self.WIDTH).T

    def frozen(self, row_count: int) -> "DescriptorHistory":
        """The log as something to ask."""
        tables, fds, rows, references, _ = self._columns()
        return DescriptorHistory(tables, fds, rows, references, row_count)

    def open_counts(self) -> tuple[Integers, Integers, Integers]:
        """Table, row and number of open descriptors, for each change."""
        tables, _, rows, _, counts = self._columns()
        return tables, rows, counts


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
        self._tables, self._fds, self._rows = tables, fds, rows
        self._references = references

    def of_number(self, fd: int) -> tuple[Integers, Integers, Integers]:
        """Changes of one number in all tables: tables, rows and references."""
        of_number = self._fds == fd
        return self._tables[of_number], self._rows[of_number], self._references[of_number]

    def references(self, tables: Integers, fds: Integers, rows: Integers) -> Integers:
        """References of numbers as of some events; `CLOSED` where nothing is known."""
        places = self._last.find(_keys(tables, fds), rows)
        is_known = (places >= 0) & (fds >= 0) & (tables >= 0)
        return np.where(is_known, np.append(self._references, CLOSED)[places], CLOSED)


def _keys(tables: Integers, fds: Integers) -> Integers:
    return (tables << _NUMBER_BITS) | (fds & 0xFFFF_FFFF)
