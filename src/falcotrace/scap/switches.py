"""How long threads ran, as the scheduler's switches tell.

In: batches of events. Out: for each switch how long the thread that is switched out had run, and
how long in all since it became known. A thread runs from the switch before on the same CPU.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_thread.cpp, `extract_exectime` and
`TYPE_TOTEXECTIME`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.last_before import LastBefore

Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_CODES = frozenset(event.code for event in EVENT_TYPES if event.name == "switch")


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The switches of a batch.

    Attributes:
        rows: the events.
        slots_ns: how long the thread has run until now; 0 at the first switch of a CPU.
        totals_ns: how long in all; 0 for unknown threads.
    """

    rows: Integers
    slots_ns: Integers
    totals_ns: Integers


class Switches:
    """Follows the switches through a section."""

    def __init__(self) -> None:
        self._since_ns: dict[int, int] = {}
        self._totals_ns: dict[int, int] = {}

    def run(self, batch: EventBatch, is_known: Bools, gone: Sequence[tuple[int, int]]) -> Runs:
        """Go through a batch.

        Args:
            batch: the events.
            is_known: whether each event's thread has an entry.
            gone: threads whose entries were removed, and from which row on.
        """
        parts = [params.rows for code, params in batch.params.items() if code in _CODES]
        rows = np.sort(np.concatenate([*parts, np.zeros(0, np.int64)]))
        slots = self._slots(batch.cpus[rows], batch.times_ns[rows])
        counted = np.where(is_known[rows], slots, 0)
        totals = self._totals(batch.tids[rows], rows, counted, gone, len(batch))
        return Runs(rows, slots, totals)

    def _slots(self, cpus: npt.NDArray[np.int32], times: Integers) -> Integers:
        order = np.argsort(cpus, kind="stable")
        ordered, numbers = times[order], cpus[order]
        firsts = _firsts(numbers)
        lasts = np.append(firsts, len(order))[1:] - 1
        before = np.roll(ordered, 1)
        before[firsts] = [self._since_ns.get(cpu, 0) for cpu in numbers[firsts].tolist()]
        self._since_ns.update(zip(numbers[lasts].tolist(), ordered[lasts].tolist(), strict=True))
        slots = np.zeros(len(order), np.int64)
        # A clock that was set back tells nothing.
        slots[order] = np.where(before > 0, np.maximum(ordered - before, 0), 0)
        return slots

    def _totals(
        self,
        tids: Integers,
        rows: Integers,
        slots: Integers,
        gone: Sequence[tuple[int, int]],
        row_count: int,
    ) -> Integers:
        gone_tids, gone_rows = np.array(gone, np.int64).reshape(-1, 2).T
        # A number may mean several threads one after the other: which of its ends was the last one?
        ends = LastBefore(gone_tids, gone_rows, row_count).find(tids, rows)
        order = np.argsort(tids, kind="stable")
        firsts = np.union1d(_firsts(tids[order]), _firsts(ends[order]))
        lasts = np.append(firsts, len(order))[1:] - 1
        sums = np.cumsum(slots[order])
        before = np.append(0, sums)[firsts]
        keys = list(zip(tids[order][firsts].tolist(), ends[order][firsts].tolist(), strict=True))
        known = [self._totals_ns.get(tid, 0) if end < 0 else 0 for tid, end in keys]
        sums += np.repeat(np.array(known, np.int64) - before, lasts - firsts + 1)
        last_end = {tid: place for place, (tid, _) in enumerate(gone)}
        for tid in last_end:
            self._totals_ns.pop(tid, None)
        for (tid, end), total in zip(keys, sums[lasts].tolist(), strict=True):
            if total and end == last_end.get(tid, -1):
                self._totals_ns[tid] = total
        totals = np.zeros(len(order), np.int64)
        totals[order] = sums
        return totals


def _firsts(values: npt.NDArray[np.signedinteger]) -> Integers:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
