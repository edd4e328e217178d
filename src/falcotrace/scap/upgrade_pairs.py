"""Finds the enter event of an exit event, for all events at once.

In: threads and marks of events. Out: for each exit event the enter event before it on its thread,
and the enter events that still wait. A thread has one enter event at a time: the next one takes its
place, and an exit event uses it up.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.scap.batch import NO_ROW, Bools, Integers

_DIGIT_BITS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which events belong together.

    Attributes:
        enters: for each event the row of its enter event, or `NO_ROW`.
        waiting: rows of enter events that nothing has used or replaced, ascending.
    """

    enters: Integers
    waiting: Integers


def pair_events(tids: Integers, is_enter: Bools, is_exit: Bools) -> Pairs:
    """Pair the events of each thread.

    Args:
        tids: threads, in file order.
        is_enter: enter events that are kept.
        is_exit: exit events that use one up.
    """
    enters = np.full(len(tids), NO_ROW, np.int64)
    if not is_enter.any():
        return Pairs(enters, np.empty(0, np.int64))
    rows = np.flatnonzero(is_enter | is_exit)
    rows = rows[stable_order(tids[rows])]
    opens = is_enter[rows]
    is_next_same = tids[rows[1:]] == tids[rows[:-1]]
    is_used = is_next_same & opens[:-1] & ~opens[1:]
    enters[rows[1:][is_used]] = rows[:-1][is_used]
    is_last = np.append(~is_next_same, True)
    return Pairs(enters, np.sort(rows[is_last & opens]))


def stable_order(values: Integers) -> Integers:
    """An order that brings equal values together and keeps them in their order.

    numpy sorts two bytes by digits, ten times as fast as it sorts eight by comparing; so digit
    after digit, as many as the values differ in.
    """
    if not len(values):
        return np.empty(0, np.int64)
    keys = values.view(np.uint64)
    keys = keys - keys.min()
    span = int(keys.max())
    order: npt.NDArray[np.int64] | None = None
    for shift in range(0, max(1, span.bit_length()), _DIGIT_BITS):
        digits = (keys >> np.uint64(shift)).astype(np.uint16)
        if order is None:
            order = np.argsort(digits, kind="stable")
        else:
            order = order[np.argsort(digits[order], kind="stable")]
    assert order is not None
    return order
