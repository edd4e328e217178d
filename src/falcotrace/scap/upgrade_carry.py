"""Enter events whose exit events lie in a later window.

In: rows of a window that still wait. Out: their blocks in front of the next window's, so that they
are decoded again as if both were one window.
"""

from dataclasses import dataclass

import numpy as np

from falcotrace.scap.batch import Bools, Bytes, Integers
from falcotrace.scap.blocks import EventBlocks
from falcotrace.scap.blocks_chain import Words
from falcotrace.scap.events_headers import Headers

MAX_CARRIED_EVENTS = 65_536
MAX_CARRIED_BYTES = 64 << 20
"""Each thread has one event that waits; a capture with more threads than this loses some."""


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """Blocks of enter events.

    Attributes:
        data: the blocks one after the other.
        sizes: bytes of each.
        types: block types.
        is_kept: whether an exit event may take its parameters.
        is_passed: whether an exit event may refer to it.
    """

    data: Bytes
    sizes: Integers
    types: Words
    is_kept: Bools
    is_passed: Bools

    def __len__(self) -> int:
        return len(self.sizes)

    def before(self, blocks: EventBlocks) -> EventBlocks:
        """These blocks and some others."""
        if not len(self):
            return blocks
        first, end = int(blocks.starts[0]), blocks.end
        shift = len(self.data) - first
        starts = np.concatenate([np.cumsum(self.sizes) - self.sizes, blocks.starts + shift])
        return EventBlocks(
            data=np.concatenate([self.data, blocks.data[first:end]]),
            offset=blocks.offset - shift,
            starts=starts,
            types=np.concatenate([self.types, blocks.types]),
            end=end + shift,
        )


def nothing_carried() -> Carry:
    """What waits at the beginning of a section."""
    no_flags = np.zeros(0, np.bool_)
    no_data, no_types = np.zeros(0, np.uint8), np.zeros(0, np.uint32)
    return Carry(no_data, np.zeros(0, np.int64), no_types, no_flags, no_flags)


def carry_events(data: Bytes, headers: Headers, kept: Integers, passed: Integers) -> Carry:
    """Carry the blocks of some events.

    Args:
        data: what the events lie in.
        headers: all events of the window.
        kept: rows whose parameters an exit event may take.
        passed: rows to which an exit event may refer.
    """
    rows = np.union1d(kept, passed)[-MAX_CARRIED_EVENTS:]
    sizes = headers.sizes[rows]
    rows = rows[np.cumsum(sizes[::-1])[::-1] <= MAX_CARRIED_BYTES]
    sizes = headers.sizes[rows]
    starts = headers.starts[rows].tolist()
    pieces = [data[at : at + size] for at, size in zip(starts, sizes.tolist(), strict=True)]
    return Carry(
        data=np.concatenate([*pieces, np.zeros(0, np.uint8)]),
        sizes=sizes,
        types=headers.types[rows],
        is_kept=np.isin(rows, kept),
        is_passed=np.isin(rows, passed),
    )
