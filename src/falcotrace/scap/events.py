"""Decodes event blocks: headers into columns, parameters into places, by code and count.

In: `EventBlocks`. Out: `Events`. Events that cannot be are left out and counted as warnings. Sizes
and checks: libs 48dfd53c, userspace/libscap/engine/savefile/scap_savefile.c.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import Bools, Bytes, Integers, Lengths
from falcotrace.scap.blocks import EventBlocks
from falcotrace.scap.blocks_chain import WITHOUT_COUNT
from falcotrace.scap.blocks_warnings import Warnings
from falcotrace.scap.events_headers import Headers, is_uniform, read_headers

_PARAM_COUNTS = np.array([len(event.params) for event in EVENT_TYPES], np.int64)
_LENGTH_BYTES = np.array(
    [4 if "LARGE_PAYLOAD" in event.flags else 2 for event in EVENT_TYPES], np.int64
)
_COUNT_BITS = 6
"""Enough for the 32 parameters of the largest event."""


@dataclass(frozen=True, slots=True, eq=False)
class EventGroup:
    """All events of one code with the same number of parameters.

    Attributes:
        code: event code as stored.
        rows: which events, ascending.
        offsets: where each parameter begins in the data, [events, parameters].
        lengths: its bytes.
    """

    code: int
    rows: Integers
    offsets: Integers
    lengths: Lengths

    @property
    def count(self) -> int:
        """Number of parameters."""
        return self.lengths.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events of a window, as stored.

    Attributes:
        headers: one row for each event.
        groups: their parameters; an event that is in no group is not to be used.
    """

    headers: Headers
    groups: tuple[EventGroup, ...]


def decode_events(blocks: EventBlocks, warnings: Warnings) -> Events:
    """Decode a run of blocks."""
    headers = read_headers(blocks, warnings)
    counter = _Counter(blocks, headers, warnings)
    counts = _param_counts(blocks.data, headers)
    is_bad = counts > _PARAM_COUNTS[headers.codes]
    if is_bad.any():
        counter.add("events with more parameters than their type has left out", is_bad)
        rows = np.flatnonzero(~is_bad)
    else:
        rows = None
    groups = tuple(
        group
        for code, count, found in _by_code_and_count(headers.codes, counts, rows)
        if (group := _read_group(blocks.data, headers, code, count, found, counter)) is not None
    )
    return Events(headers, groups)


class _Counter:
    """Warns about events that are left out."""

    def __init__(self, blocks: EventBlocks, headers: Headers, warnings: Warnings) -> None:
        self._offset = blocks.offset
        self._starts = headers.starts
        self._warnings = warnings

    def add(self, message: str, is_bad: Bools, rows: Integers | None = None) -> None:
        bad = np.flatnonzero(is_bad) if rows is None else rows[is_bad]
        self._warnings.add(self._offset + int(self._starts[bad[0]]), message, len(bad))


def _by_code_and_count(
    codes: npt.NDArray[np.int32], counts: Integers, rows: Integers | None
) -> Iterator[tuple[int, int, Integers]]:
    """Rows of each pair of code and number of parameters that occurs."""
    keys = (codes.astype(np.uint16) << _COUNT_BITS) | counts.astype(np.uint16)
    if rows is not None:
        keys = keys[rows]
    # Stable, and for two bytes numpy sorts by digits: ten times as fast as by comparing.
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if rows is not None:
        order = rows[order]
    bounds = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
    for first, beyond in itertools.pairwise(bounds):
        if first < beyond:
            code, count = divmod(int(keys[first]), 1 << _COUNT_BITS)
            yield code, count, order[first:beyond]


def _read_group(
    data: Bytes, headers: Headers, code: int, count: int, rows: Integers, counter: _Counter
) -> EventGroup | None:
    """Where the parameters of some events lie; None where no event is sound."""
    at = headers.lengths_at[rows]
    room = headers.ends[rows] - at
    width = int(_LENGTH_BYTES[code])
    is_bad = room < count * width
    if is_bad.any():
        counter.add("events whose parameters do not fit left out", is_bad, rows)
        at, room, rows = at[~is_bad], room[~is_bad], rows[~is_bad]
    if not len(rows):
        return None
    if count == 0:
        return EventGroup(code, rows, np.empty((len(rows), 0), np.int64), _no_lengths(len(rows)))
    lengths = _read_lengths(data, at, count, width)
    # One parameter after the other in memory: whoever uses a parameter takes all rows of it.
    offsets = np.empty((count, len(rows)), np.int64)
    offsets[0] = at + count * width
    for number in range(1, count):
        np.add(offsets[number - 1], lengths[number - 1], out=offsets[number])
    is_bad = offsets[-1] + lengths[-1] > at + room
    if is_bad.any():
        counter.add("events whose parameters do not fit left out", is_bad, rows)
        is_good = ~is_bad
        rows, offsets, lengths = rows[is_good], offsets[:, is_good], lengths[:, is_good]
    if not len(rows):
        return None
    return EventGroup(code, rows, offsets.T, lengths.astype(np.int32, copy=False).T)


def _no_lengths(count: int) -> Lengths:
    return np.empty((count, 0), np.int32)


def _read_lengths(data: Bytes, at: Integers, count: int, width: int) -> npt.NDArray[np.generic]:
    """The arrays of lengths that begin at some even places, as [parameter, event]."""
    kind = np.dtype((np.void, count * width))
    place_count = max(0, (len(data) - kind.itemsize) // 2 + 1)
    places = np.ndarray((place_count,), kind, data, strides=(2,))
    found = places[at >> 1].view(f"<u{width}").reshape(-1, count)
    return found.T.astype(np.int64 if width == 4 else np.int32, order="C")


def _param_counts(data: Bytes, headers: Headers) -> Integers:
    """The number of parameters, which blocks of version 1 do not tell."""
    if not WITHOUT_COUNT.intersection(headers.types[:1].tolist()) and is_uniform(headers.types):
        return headers.counts
    counts = headers.counts.copy()
    untold = np.flatnonzero(np.isin(headers.types, list(WITHOUT_COUNT)))
    codes = headers.codes[untold]
    for code in np.unique(codes).tolist():
        rows = untold[codes == code]
        counts[rows] = _guess_counts(data, headers, rows, code)
    return counts


def _guess_counts(data: Bytes, headers: Headers, rows: Integers, code: int) -> Integers:
    """The largest number of parameters whose lengths add up to the event's length.

    Source: libs 48dfd53c, userspace/libscap/engine/savefile/scap_savefile.c. Where none fits, a
    number that no event has.
    """
    most, width = int(_PARAM_COUNTS[code]), int(_LENGTH_BYTES[code])
    at = headers.lengths_at[rows]
    room = headers.ends[rows] - at
    counts = np.full(len(rows), most + 1, np.int64)
    left = np.arange(len(rows))
    for count in range(most, -1, -1):
        fitting = left[room[left] >= count * width]
        sums = np.zeros(len(fitting), np.int64)
        if count:
            sums = _read_lengths(data, at[fitting], count, width).sum(axis=0)
        counts[fitting[sums + count * width == room[fitting]]] = count
        left = left[counts[left] > most]
    return counts
