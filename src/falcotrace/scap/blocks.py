"""The chain of blocks of a capture: metadata one by one, events by the hundred thousand.

In: a `Source`. Out: `MetadataBlock` and `EventBlocks` in file order, and warnings about what was
skipped, cut or damaged. What comes before a fault is delivered.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from falcotrace.scap.batch import Bytes, Integers
from falcotrace.scap.blocks_chain import EVENT_BLOCKS, MIN_BLOCK_BYTES, Words, event_chain
from falcotrace.scap.blocks_source import Source
from falcotrace.scap.blocks_warnings import Warnings

SECTION_HEADER = 0x0A0D0D0A
MACHINE_INFO = frozenset({0x201, 0x8002ABCD})
INTERFACES = {0x205: 1, 0x8011ABCD: 1, 0x219: 2}
USERS = {0x206: 1, 0x8012ABCD: 1, 0x220: 2}
DESCRIPTORS = {0x203: 1, 0x8001ABCD: 1, 0x218: 2}
PROCESSES = {
    **dict.fromkeys((0x202, 0x8000ABCD), 1),
    **dict.fromkeys((0x207, 0x8013ABCD), 2),
    **dict.fromkeys((0x209, 0x8014ABCD), 3),
    **{0x20C + version: version for version in range(4, 10)},
}
"""Block types of tables, and the version of their entries (libs 48dfd53c, scap_savefile.h)."""

METADATA_BLOCKS = frozenset(
    {SECTION_HEADER, *MACHINE_INFO, *INTERFACES, *USERS, *DESCRIPTORS, *PROCESSES}
)

WINDOW_BYTES = 64 << 20
MAX_BLOCK_BYTES = 128 << 20
"""A longer block is taken for damage; writers make events of 64 KiB and tables of some MiB."""

MAX_BATCH_EVENTS = 1_000_000
MAX_UNKNOWN_BLOCKS = 100

_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class MetadataBlock:
    """A block that holds no event: its type, where it begins in the capture, and its body."""

    type: int
    offset: int
    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class EventBlocks:
    """Event blocks that follow each other.

    Attributes:
        data: bytes in which they lie.
        offset: where `data` begins in the capture.
        starts: where each block begins in `data`.
        types: block types.
        end: where the last one ends in `data`.
    """

    data: Bytes
    offset: int
    starts: Integers
    types: Words
    end: int

    @property
    def sizes(self) -> Integers:
        """Bytes of each block, from type to trailer."""
        return np.diff(self.starts, append=self.end)


class BlockReader:
    """Iterates over the blocks of a capture."""

    def __init__(self, source: Source, warnings: Warnings) -> None:
        self._source = source
        self._warnings = warnings
        self._window = source.window(0, WINDOW_BYTES)
        self._window_start = 0
        self._unknown_count = 0
        self.position = 0

    def peek(self, size_bytes: int) -> bytes:
        """The next bytes, fewer where the capture ends."""
        return self._view(size_bytes).tobytes()

    def _view(self, size_bytes: int) -> Bytes:
        at = self.position - self._window_start
        if len(self._window) - at < size_bytes:
            self._window = self._source.window(self.position, max(size_bytes, WINDOW_BYTES))
            self._window_start = self.position
            at = 0
        return self._window[at : at + size_bytes]

    def __iter__(self) -> Iterator[MetadataBlock | EventBlocks]:
        while head := self.peek(_HEAD.size):
            if len(head) < _HEAD.size:
                self._warn_truncated()
                break
            kind, size_bytes = _HEAD.unpack(head)
            if kind in EVENT_BLOCKS:
                begin = self.position
                yield from self._events()
                # Where nothing was found the window ends within the block: take the next window.
                if self.position > begin:
                    continue
            if not self._is_whole(size_bytes):
                break
            if kind in EVENT_BLOCKS:
                continue
            if kind in METADATA_BLOCKS:
                body = self.peek(size_bytes - 4)[_HEAD.size :]
                yield MetadataBlock(kind, self.position, body)
            elif not self._skip_unknown(kind):
                break
            self.position += size_bytes
        if self._source.fault:
            self._warnings.add(self.position, self._source.fault)

    def _events(self) -> Iterator[EventBlocks]:
        """The blocks of the chain that begins here as far as they lie in the window."""
        window, offset = self._window, self._window_start
        chain = event_chain(window, self.position - offset)
        self.position = offset + chain.end
        count = len(chain.starts)
        for first in range(0, count, MAX_BATCH_EVENTS):
            beyond = min(first + MAX_BATCH_EVENTS, count)
            end = chain.end if beyond == count else int(chain.starts[beyond])
            starts, types = chain.starts[first:beyond], chain.types[first:beyond]
            yield EventBlocks(window, offset, starts, types, end)

    def _is_whole(self, size_bytes: int) -> bool:
        """Bring the block that begins here into the window; warn if it cannot be."""
        if not MIN_BLOCK_BYTES <= size_bytes <= MAX_BLOCK_BYTES or size_bytes % 4:
            self._warnings.add(
                self.position, f"a block of {size_bytes} bytes cannot be: the rest is ignored"
            )
            return False
        block = self._view(size_bytes)
        if len(block) < size_bytes:
            self._warn_truncated()
            return False
        if int.from_bytes(block[-4:].tobytes(), "little") != size_bytes:
            self._warnings.add(
                self.position, "a block's length is not repeated at its end: the rest is ignored"
            )
            return False
        return True

    def _skip_unknown(self, kind: int) -> bool:
        self._unknown_count += 1
        self._warnings.add(self.position, f"blocks of unknown type {kind:#x} skipped")
        if self._unknown_count < MAX_UNKNOWN_BLOCKS:
            return True
        self._warnings.add(self.position, "too many unknown blocks: the rest is ignored")
        return False

    def _warn_truncated(self) -> None:
        if not self._source.fault:
            self._warnings.add(
                self.position, "the capture ends within a block: everything before is kept"
            )
