"""Memory and page faults of threads, as of each event.

In: what clones, execs and the process list said, and events that report numbers of their own. Out:
numbers for each event, without a loop over events.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp, `parse_brk_mmap_mmap2_munmap__exit`,
`parse_context_switch`.
"""

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.as_of import AsOf
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.parameters import numbers
from falcotrace.scap.thread_log import Usage

Integers = npt.NDArray[np.int64]

MEMBERS = ("pgft_maj", "pgft_min", "vm_size", "vm_rss", "vm_swap")
"""What is kept, as parameters are called."""

_MEMORY_EVENTS = frozenset({"brk", "mmap", "mmap2", "munmap", "switch"})

KEEP = -1
"""A member that an event says nothing about."""


def usage_of_events(batch: EventBatch, told: list[tuple[int, int, Usage]]) -> dict[str, Integers]:
    """For each event the numbers of its thread; 0 where nobody told any.

    Args:
        batch: the events.
        told: thread, row and numbers, from processes that began or were executed.
    """
    parts = [_table(told)]
    for code, params in batch.params.items():
        event = EVENT_TYPES[code]
        if event.name not in _MEMORY_EVENTS or (event.origin == "syscall" and not event.is_exit):
            continue
        names = {param.name for param in event.params}
        rows = params.rows
        members = [
            numbers(batch, code, member, KEEP) if member in names else np.full(len(rows), KEEP)
            for member in MEMBERS
        ]
        parts.append(np.array([batch.tids[rows], rows, *members], np.int64))
    tids, rows, *members = np.concatenate(parts, axis=1)
    order = np.argsort(rows, kind="stable")
    by_thread = AsOf(np.arange(len(batch)), batch.tids)
    return {
        name: _filled(by_thread, tids[order], rows[order], member[order])
        for name, member in zip(MEMBERS, members, strict=True)
    }


def _table(told: list[tuple[int, int, Usage]]) -> Integers:
    if not told:
        return np.zeros((2 + len(MEMBERS), 0), np.int64)
    events = np.array([(tid, row) for tid, row, _ in told], np.int64)
    # Counters of 64 bits keep their bits.
    members = np.array([usage for _, _, usage in told], np.uint64).view(np.int64)
    return np.concatenate([events, members], axis=1).T


def _filled(by_thread: AsOf, tids: Integers, rows: Integers, values: Integers) -> Integers:
    is_told = values != KEEP
    places = by_thread.last(tids[is_told], rows[is_told])
    return np.where(places < 0, 0, np.append(values[is_told], 0)[places])
