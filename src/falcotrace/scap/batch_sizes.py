"""Cuts a run of events where very many of them change what rules see of processes.

In: `EventBlocks`. Out: the same, cut so that the states of processes in each part have a limit: a
million events of an ordinary machine need two thousand states, of a hostile capture half a million.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import Bools
from falcotrace.scap.blocks import EventBlocks
from falcotrace.scap.blocks_chain import EVENT_WITH_FLAGS
from falcotrace.scap.events_headers import is_uniform

MOST_CHANGES = 100_000
"""Events of one part that change the state of a process."""

_CODE_AT = 30
_CODE_WITH_FLAGS_AT = 34
"""Where an event's code stands in its block: behind type, size, cpu, flags, time, thread, size."""

_CHANGING = frozenset(
    {"clone", "fork", "vfork", "clone3", "execve", "execveat", "procexit", "chdir", "fchdir"}
    | {"getcwd", "chroot", "setsid", "prctl", "setuid", "setgid", "setresuid", "setreuid"}
    | {"setresgid", "setregid", "capset", "unshare", "setns", "setrlimit", "prlimit", "useradded"}
    | {"userdeleted", "groupadded", "groupdeleted", "container", "asyncevent"}
)
_IS_CHANGING = np.array([event.name in _CHANGING for event in EVENT_TYPES] + [False])


def portions(blocks: EventBlocks) -> Iterator[EventBlocks]:
    """The blocks in parts; nearly always in one."""
    is_changing = _is_changing(blocks) if len(blocks.starts) > MOST_CHANGES else np.zeros(0)
    if np.count_nonzero(is_changing) <= MOST_CHANGES:
        yield blocks
        return
    changes = np.cumsum(is_changing)
    limits = np.arange(MOST_CHANGES, changes[-1], MOST_CHANGES)
    edges = [0, *np.searchsorted(changes, limits, side="right").tolist(), len(changes)]
    for first, beyond in pairwise(edges):
        end = blocks.end if beyond == len(changes) else int(blocks.starts[beyond])
        starts, types = blocks.starts[first:beyond], blocks.types[first:beyond]
        yield EventBlocks(blocks.data, blocks.offset, starts, types, end)


def _is_changing(blocks: EventBlocks) -> Bools:
    """By the code that stands where an event has it; a block may be shorter than that."""
    if is_uniform(blocks.types):
        has_flags = int(blocks.types[0]) in EVENT_WITH_FLAGS
        at = blocks.starts + (_CODE_WITH_FLAGS_AT if has_flags else _CODE_AT)
    else:
        is_flagged = np.isin(blocks.types, list(EVENT_WITH_FLAGS))
        at = blocks.starts + np.where(is_flagged, _CODE_WITH_FLAGS_AT, _CODE_AT)
    anywhere = np.ndarray((len(blocks.data) // 2,), "<u2", blocks.data)
    codes = anywhere.take(at >> 1, mode="clip")
    return _IS_CHANGING.take(codes, mode="clip")
