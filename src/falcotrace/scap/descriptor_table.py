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
    """Every change to every table of a batch."""

    def __init__(self) -> None:
        self._tables: list[int] = []
        self._fds: list[int] = []
        self._rows: list[int] = []
        self._references: list[int] = []

    def add(self, table: int, fd: int, row: int, reference: int) -> None:
        """From the event of this row on, a number stands for an entry (or nothing)."""
        self._tables.append(table)
        self._fds.append(fd)
        self._rows.append(row)
        self._references.append(reference)

    def add_table(self, table: DescriptorTable, row: int) -> None:
        """All numbers of a table begin at this row."""
        count = len(table.entries)
        self._tables.extend([table.number] * count)
        self._fds.extend(table.entries)
        self._rows.extend([row] * count)
        self._references.extend([entry >> 1 for entry in table.entries.values()])

    def frozen(self, row_count: int) -> "DescriptorHistory":
        """The log as something to ask."""
        return DescriptorHistory(
            np.array(self._tables, np.int64),
            np.array(self._fds, np.int64),
            np.array(self._rows, np.int64),
            np.array(self._references, np.int64),
            row_count,
        )


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
