"""Puts upgraded events together as a batch: numbers them, and drops those that do not go on.

In: headers of events and upgraded parts. Out: `EventBatch`.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import NO_ROW, Bools, Bytes, EventBatch, Integers, Params
from falcotrace.scap.events_headers import Headers
from falcotrace.scap.upgrade_pairs import Pairs, pair_events
from falcotrace.scap.upgrade_recipes import passed_enter_codes
from falcotrace.scap.upgrade_values import Part

_HIDDEN_FLAG = 1
"""A block's flag: the event is there for the state and is not shown (SCAP_DF_STATE_ONLY)."""

_STATE_NAMES = frozenset({"useradded", "userdeleted", "groupadded", "groupdeleted", "container"})
_STATE_EVENTS = frozenset(event.code for event in EVENT_TYPES if event.name in _STATE_NAMES)
"""Rules of Falco 0.44.1 do not see these; of containers they see what the container plugin tells
(ASYNCEVENT_E), and not the events of older captures."""

_EXECVE_EXIT, _EXECVEAT_ENTER = (
    next(event.code for event in EVENT_TYPES if event.constant == constant)
    for constant in ("SYSCALL_EXECVE_19_X", "SYSCALL_EXECVEAT_E")
)


def _by_code(codes: frozenset[int]) -> Bools:
    return np.isin(np.arange(len(EVENT_TYPES)), sorted(codes))


_IS_ENTER = _by_code(passed_enter_codes())
_ENDS_CALL = _by_code(
    frozenset(
        event.code
        for event in EVENT_TYPES
        if event.is_exit or event.name in {"signaldeliver", "procexit"}
    )
)
"""What makes libsinsp forget an enter event, or take another one for it (libs 48dfd53c,
userspace/libsinsp/parsers.cpp, `reset` and `event_cleanup`)."""

_IS_HIDDEN = _by_code(passed_enter_codes() | _STATE_EVENTS)


def pair_calls(headers: Headers, parts: Sequence[Part], is_carried_passed: Bools) -> Pairs:
    """Which exit events belong to which enter events that pass on to the state."""
    codes: npt.NDArray[np.int32] = np.zeros(len(headers), np.int32)
    is_enter = np.zeros(len(headers), np.bool_)
    for part in parts:
        codes[part.rows] = part.recipe.code
        if _IS_ENTER[part.recipe.code]:
            is_enter[part.rows] = True
    is_enter[: len(is_carried_passed)] &= is_carried_passed
    pairs = pair_events(headers.tids, is_enter, _ENDS_CALL[codes])
    paired = np.flatnonzero(pairs.enters != NO_ROW)
    exits, enters = codes[paired], codes[pairs.enters[paired]]
    # A successful execveat returns as execve.
    is_execveat = (exits == _EXECVE_EXIT) & (enters == _EXECVEAT_ENTER)
    pairs.enters[paired[(enters != exits - 1) & ~is_execveat]] = NO_ROW
    return pairs


def assemble_batch(
    headers: Headers,
    data: Bytes,
    parts: Sequence[Part],
    calls: Pairs,
    is_carried_passed: Bools,
    event_count: int,
) -> EventBatch:
    """The batch of those events that go on.

    Args:
        headers: all events of the window, carried ones first.
        data: what parameters lie in.
        parts: events that go on.
        calls: the enter event of each exit event.
        is_carried_passed: for each carried event whether an exit event may still refer to it.
        event_count: events numbered before.
    """
    codes: npt.NDArray[np.int32] = np.full(len(headers), NO_ROW, np.int32)
    for part in parts:
        codes[part.rows] = part.recipe.code
    carried_count = len(is_carried_passed)
    codes[:carried_count][~is_carried_passed] = NO_ROW
    goes_on, enters = codes != NO_ROW, calls.enters
    if not goes_on.all():
        rows = np.flatnonzero(goes_on)
        carried_count = int(np.searchsorted(rows, carried_count))
        new_rows = np.cumsum(goes_on) - 1
        headers, codes, enters = headers.take(rows), codes[rows], enters[rows]
        enters = np.where(enters == NO_ROW, NO_ROW, new_rows[enters])
        parts = [_renumbered(part, goes_on, new_rows) for part in parts]
    nums = np.arange(len(codes)) + (event_count + 1 - carried_count)
    nums[:carried_count] = 0
    return EventBatch(
        data=data,
        nums=nums,
        times_ns=headers.times_ns,
        tids=headers.tids,
        cpus=headers.cpus,
        codes=codes,
        is_delivered=_is_delivered(headers, codes) & (nums != 0),
        is_carried=nums == 0,
        enters=enters.astype(np.int32),
        params=_params_by_code(parts),
    )


def _is_delivered(headers: Headers, codes: npt.NDArray[np.int32]) -> Bools:
    shown = ~_IS_HIDDEN[codes]
    if headers.flags.any():
        shown &= (headers.flags & _HIDDEN_FLAG) == 0
    return shown


def _renumbered(part: Part, goes_on: Bools, new_rows: Integers) -> Part:
    """A part by the rows of the batch, without carried events to which nothing refers."""
    is_there = goes_on[part.rows]
    if is_there.all():
        return Part(part.recipe, new_rows[part.rows], part.offsets, part.lengths)
    rows, offsets, lengths = (
        part.rows[is_there],
        part.offsets[:, is_there],
        part.lengths[:, is_there],
    )
    return Part(part.recipe, new_rows[rows], offsets, lengths)


def _params_by_code(parts: Sequence[Part]) -> dict[int, Params]:
    by_code: dict[int, list[Part]] = defaultdict(list)
    for part in parts:
        if len(part.rows):
            by_code[part.recipe.code].append(part)
    return {code: _joined(found) for code, found in sorted(by_code.items())}


def _joined(parts: Sequence[Part]) -> Params:
    """Parameters of several stored layouts, in the order of events."""
    if len(parts) == 1:
        return Params(parts[0].rows, parts[0].offsets.T, parts[0].lengths.T)
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    offsets = np.concatenate([part.offsets for part in parts], axis=1)
    lengths = np.concatenate([part.lengths for part in parts], axis=1)
    return Params(rows[order], offsets[:, order].T, lengths[:, order].T)
