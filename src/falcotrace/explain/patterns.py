"""The distinct combinations of truths among many events: thousands of events give a few dozen.

In: one truth for each event, check by check. Out: for each event the number of its combination, and
a table of the combinations. Everything that is computed of truths is then computed once for each
combination. No loop over events.
"""

from dataclasses import dataclass

import numpy as np

from falcotrace.engines.vectors import Bools, Integers

_MOST_BITS = 62
"""Bits of a combination's number that a signed 64-bit number holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Combinations of truths.

    Attributes:
        table: a row for each check, a column for each combination.
        of_rows: for each event its column.
    """

    table: Bools
    of_rows: Integers

    def counts(self) -> Integers:
        """How many events each combination has."""
        return np.bincount(self.of_rows, minlength=self.table.shape[1]).astype(np.int64)


class PatternBuilder:
    """Takes truths of the same events one check after another.

    Args:
        begun: combinations of the checks before, for the same events.
    """

    def __init__(self, begun: Patterns) -> None:
        self._table = begun.table
        self._numbers = begun.of_rows
        self._bits = 0

    @classmethod
    def of_rows(cls, count: int) -> "PatternBuilder":
        """Begin with events of which nothing is known."""
        return cls(Patterns(np.zeros((0, 1), np.bool_), np.zeros(count, np.int64)))

    def add(self, truth: Bools) -> None:
        """Take in a check."""
        if self._table.shape[1].bit_length() + self._bits >= _MOST_BITS:
            self._number_anew()
        self._numbers = self._numbers << 1 | truth
        self._bits += 1

    def build(self) -> Patterns:
        """The combinations that occur."""
        self._number_anew()
        return Patterns(self._table, self._numbers)

    def _number_anew(self) -> None:
        """Count the combinations from 0 again, and write the new checks into the table."""
        found, numbers = np.unique(self._numbers, return_inverse=True)
        places = np.arange(self._bits - 1, -1, -1)[:, None]
        added = (found >> places & 1).astype(np.bool_)
        self._table = np.concatenate([self._table[:, found >> self._bits], added])
        self._numbers, self._bits = numbers.astype(np.int64, copy=False), 0
