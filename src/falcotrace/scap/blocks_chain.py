"""Finds where event blocks begin, without going from one to the next.

In: bytes of a capture and where a chain of event blocks begins. Out: where each block of the chain
begins, exactly as a walk by their lengths would find them. Words that look like the type of an
event block are candidates; those whose length and trailer agree are blocks of the chain or lie in
the payload of one; the latter are dropped by comparing each end with the next beginning.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.scap.batch import Bools, Bytes, Integers

Words = npt.NDArray[np.uint32]

EVENT = frozenset({0x204, 0x216, 0x221, 0x8010ABCD})
EVENT_WITH_FLAGS = frozenset({0x208, 0x217, 0x222})
EVENT_BLOCKS = EVENT | EVENT_WITH_FLAGS
WITHOUT_COUNT = frozenset({0x204, 0x208, 0x8010ABCD})
"""Event blocks of version 1: the number of parameters is not stored."""

MIN_BLOCK_BYTES = 12

_PIECE_WORDS = 1 << 20
"""Words looked at together: every one of a hostile capture can be a candidate, of some 50 bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class EventChain:
    """Event blocks that follow each other without a gap.

    Attributes:
        starts: where each begins, in bytes.
        types: its block type, uint32.
        end: where the last one ends.
    """

    starts: Integers
    types: Words
    end: int


def event_chain(data: Bytes, start: int) -> EventChain:
    """The event blocks from `start` on, up to the first that is none or is not whole.

    Args:
        data: bytes; `start` is a multiple of four from an aligned address.
        start: where a block begins.
    """
    words = data[start : len(data) - (len(data) - start) % 4].view("<u4")
    types: list[int] = []
    pieces: list[Integers] = []
    end = 0
    while end < len(words) and (kind := int(words[end])) in EVENT_BLOCKS:
        # A type that did not occur yet has ended the piece before; there are seven types.
        if kind not in types:
            types.append(kind)
        places, next_end = _follow(words, end, types)
        if not len(places):
            break
        pieces.append(places)
        end = next_end
    places = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
    if len(types) == 1:
        kinds: Words = np.broadcast_to(np.uint32(types[0]), len(places))
    else:
        kinds = words[places]
    return EventChain(places * 4 + start, kinds, end * 4 + start)


def _follow(words: Words, first: int, types: list[int]) -> tuple[Integers, int]:
    """The chain of blocks of some types that begin in the next piece, and its end, in words."""
    piece = words[first : first + _PIECE_WORDS]
    is_candidate = piece == types[0]
    for kind in types[1:]:
        is_candidate |= piece == kind
    places = np.flatnonzero(is_candidate) + first
    sizes = words.take(places + 1, mode="clip")
    ends = places + (sizes >> 2)
    is_block = words.take(ends - 1, mode="clip") == sizes
    is_block &= (ends <= len(words)) & (sizes & 3 == 0) & (sizes >= MIN_BLOCK_BYTES)
    if not is_block.all():
        places, ends = places[is_block], ends[is_block]
    if not len(places) or places[0] != first:
        return np.empty(0, np.int64), first
    is_followed = ends[:-1] == places[1:]
    if not is_followed.all():
        keep = _chain_of(places - first, ends - first, is_followed)
        places, ends = places[keep], ends[keep]
    return places, int(ends[-1])


def _chain_of(places: Integers, ends: Integers, is_followed: Bools) -> Bools:
    """Which candidates are blocks of the chain that begins with the first; others are payload.

    Args:
        places: where candidates begin, the first at 0.
        ends: where they end.
        is_followed: whether a candidate ends where the next one begins, for all but the last.
    """
    count = len(places)
    numbers = np.arange(count, dtype=np.int32)
    number_at = np.full(int(places[-1]) + 1, -1, np.int32)
    number_at[places] = numbers
    gaps = np.where(np.append(is_followed, False), np.int32(count - 1), numbers)
    next_gaps = np.minimum.accumulate(gaps[::-1])[::-1].data
    firsts, beyonds = [], []
    found, end_of = number_at.data, ends.data
    number = 0
    # One turn for each block whose payload looks like blocks, or that ends the chain.
    while number >= 0:
        gap = next_gaps[number]
        firsts.append(number)
        beyonds.append(gap + 1)
        end = end_of[gap]
        number = found[end] if end < len(found) else -1
    change = np.zeros(count + 1, np.int32)
    change[firsts] += 1
    change[beyonds] -= 1
    return np.cumsum(change[:-1]) > 0
