"""Memory and page faults of threads, as of each event.

In: what clones, execs and the process list said, and events that report numbers of their own. Out:
what counts from which
event on, without a loop over events.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp, `parse_brk_mmap_mmap2_munmap__exit`,
`parse_context_switch`.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import EventBatch, Params
from falcotrace.scap.file_order import Changes
from falcotrace.scap.parameters import numbers
from falcotrace.scap.thread_log import Usage

Integers = npt.NDArray[np.int64]

MEMBERS = ("pgft_maj", "pgft_min", "vm_size", "vm_rss", "vm_swap")
"""What is kept, as parameters are called."""

_MEMORY_EVENTS = frozenset({"brk", "mmap", "mmap2", "munmap", "switch"})

_RANGE = 1 << 64

KEEP = -1
"""A member that an event says nothing about."""


def usage_changes(batch: EventBatch, told: list[tuple[int, int, Usage]]) -> dict[str, Changes]:
    """What was said about threads, by member.

    Args:
        batch: the events.
        told: thread, row and numbers, from processes that began or were executed.
    """
    parts = [_table(told)]
    for code, params in _memory_events(batch):
        names = {param.name for param in EVENT_TYPES[code].params}
        rows = params.rows
        members = [
            numbers(batch, code, member, KEEP) if member in names else np.full(len(rows), KEEP)
            for member in MEMBERS
        ]
        parts.append(np.array([batch.tids[rows], rows, *members], np.int64))
    tids, rows, *members = np.concatenate(parts, axis=1)
    return {
        name: Changes(tids[is_told], rows[is_told], member[is_told])
        for name, member in zip(MEMBERS, members, strict=True)
        for is_told in [member != KEEP]
    }


def usage_at_end(batch: EventBatch, told: list[tuple[int, int, Usage]]) -> dict[int, Usage]:
    """The numbers behind the last event of the threads whose events have told some.

    Args:
        batch: the events.
        told: as in `usage_changes`.
    """
    began = {tid: row for tid, row, _ in told}
    found = {tid: list(usage) for tid, _, usage in told}
    newest: dict[tuple[int, int], int] = {}
    for code, params in _memory_events(batch):
        for member, last in _last_of_threads(batch, code, params):
            told_last = numbers(replace(batch, params={code: last}), code, MEMBERS[member])
            tids = batch.tids[last.rows].tolist()
            for tid, row, number in zip(tids, last.rows.tolist(), told_last.tolist(), strict=True):
                if tid in found and row >= newest.get((tid, member), began[tid]):
                    newest[tid, member] = row
                    found[tid][member] = number % _RANGE
    return {tid: _as_usage(found[tid]) for tid, _ in newest}


def _as_usage(members: list[int]) -> Usage:
    major, minor, size, resident, swapped = members
    return major, minor, size, resident, swapped


def _memory_events(batch: EventBatch) -> Iterator[tuple[int, Params]]:
    for code, params in batch.params.items():
        event = EVENT_TYPES[code]
        if event.name in _MEMORY_EVENTS and (event.is_exit or event.origin != "syscall"):
            yield code, params


def _last_of_threads(batch: EventBatch, code: int, params: Params) -> Iterator[tuple[int, Params]]:
    """For each member that events of a code tell, the last one of each thread that does."""
    of_all = None
    for place, param in enumerate(EVENT_TYPES[code].params):
        if param.name not in MEMBERS:
            continue
        tells = params.lengths[:, place] > 0
        last = of_all if tells.all() else None
        if last is None:
            which = np.flatnonzero(tells)
            _, back = np.unique(batch.tids[params.rows[which]][::-1], return_index=True)
            which = which[len(which) - 1 - back]
            last = Params(params.rows[which], params.offsets[which], params.lengths[which])
        if tells.all():
            of_all = last
        yield MEMBERS.index(param.name), last


def _table(told: list[tuple[int, int, Usage]]) -> Integers:
    if not told:
        return np.zeros((2 + len(MEMBERS), 0), np.int64)
    events = np.array([(tid, row) for tid, row, _ in told], np.int64)
    # Counters of 64 bits keep their bits.
    members = np.array([usage for _, _, usage in told], np.uint64).view(np.int64)
    return np.concatenate([events, members], axis=1).T
