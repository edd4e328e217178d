"""Reads the headers of event blocks.

In: `EventBlocks`. Out: `Headers`, one array for each field. A header is gathered as one piece of
28 bytes, which begins at a multiple of four in all versions; only then its fields are taken apart.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import Bools, Bytes, Integers
from falcotrace.scap.blocks import EventBlocks
from falcotrace.scap.blocks_chain import EVENT_WITH_FLAGS, WITHOUT_COUNT, Words
from falcotrace.scap.blocks_warnings import Warnings

_BLOCK_HEAD_BYTES = 8
_TRAILER_BYTES = 4
_CPU_BYTES = 2
_FLAGS_BYTES = 4
_HEADER_BYTES = 26
_HEADER_WITHOUT_COUNT_BYTES = 22

# What stands before the time: the cpu, or the second half of the flags that follow it.
_HEADER = np.dtype(
    [
        ("before", "<u2"),
        ("time", "<i8"),
        ("tid", "<i8"),
        ("size", "<u4"),
        ("code", "<u2"),
        ("count", "<u4"),
    ]
)
_CPU_AND_FLAGS = np.dtype([("cpu", "<u2"), ("flags", "<u4"), ("before", "<u2")])

_TOO_LONG_CODES = tuple(
    event.code
    for event in EVENT_TYPES
    if event.constant in {"NOTIFICATION_E", "INFRASTRUCTURE_EVENT_E"}
)
_TOO_LONG_BYTES = 3
"""Old writers stored these events' lengths too large by this much (libs 48dfd53c,
userspace/libscap/engine/savefile/scap_savefile.c)."""


@dataclass(frozen=True, slots=True, eq=False)
class Headers:
    """Events in file order; places are in the blocks' data.

    Attributes:
        starts: where each block begins.
        sizes: bytes of each block.
        types: its type.
        times_ns: since the epoch.
        tids: threads.
        cpus: processors.
        codes: event codes, all of them known.
        flags: what the block says about the event.
        counts: numbers of parameters; meaningless where the block does not tell.
        lengths_at: where the array of lengths begins, an even place.
        ends: where the event's data end.
    """

    starts: Integers
    sizes: Integers
    types: Words
    times_ns: Integers
    tids: Integers
    cpus: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    flags: Words
    counts: Integers
    lengths_at: Integers
    ends: Integers

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Integers | Bools) -> "Headers":
        """Some of the events."""
        return Headers(*(getattr(self, field.name)[rows] for field in fields(self)))


def read_headers(blocks: EventBlocks, warnings: Warnings) -> Headers:
    """Read all headers; blocks that hold no sound event of a known type are left out."""
    sizes = blocks.sizes
    kinds = [int(blocks.types[0])] if is_uniform(blocks.types) else np.unique(blocks.types)
    parts = []
    for kind in kinds:
        rows = slice(None) if len(kinds) == 1 else blocks.types == kind
        parts.append(_read_kind(blocks, int(kind), blocks.starts[rows], sizes[rows], warnings))
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Headers)]
    together = Headers(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return together.take(np.argsort(together.starts, kind="stable"))


def is_uniform(types: Words) -> bool:
    """Whether all blocks are of one type."""
    return len(types) > 0 and (types.strides == (0,) or bool((types == types[0]).all()))


def _read_kind(
    blocks: EventBlocks, kind: int, starts: Integers, sizes: Integers, warnings: Warnings
) -> Headers:
    """Headers of blocks of one type."""
    has_flags, lacks_count = kind in EVENT_WITH_FLAGS, kind in WITHOUT_COUNT
    before_bytes = _BLOCK_HEAD_BYTES + _CPU_BYTES + (_FLAGS_BYTES if has_flags else 0)
    header_bytes = _HEADER_WITHOUT_COUNT_BYTES if lacks_count else _HEADER_BYTES
    # With the trailer even a header without count is as long as the piece that is gathered.
    is_whole = sizes >= before_bytes + header_bytes + _TRAILER_BYTES
    if not is_whole.all():
        _warn(blocks, starts, ~is_whole, "event blocks without an event", warnings)
        starts, sizes = starts[is_whole], sizes[is_whole]
    found = _gather(blocks.data, starts + (before_bytes - 2), _HEADER)
    event_sizes = found["size"].astype(np.int64)
    codes = found["code"].astype(np.int32)
    if lacks_count:
        event_sizes -= _TOO_LONG_BYTES * np.isin(codes, _TOO_LONG_CODES)
    cpus, flags = found["before"].astype(np.int32), _no_flags(len(starts))
    if has_flags:
        front = _gather(blocks.data, starts + _BLOCK_HEAD_BYTES, _CPU_AND_FLAGS)
        cpus, flags = front["cpu"].astype(np.int32), np.ascontiguousarray(front["flags"])
    headers = Headers(
        starts=starts,
        sizes=sizes,
        types=np.broadcast_to(np.uint32(kind), len(starts)),
        times_ns=np.ascontiguousarray(found["time"]),
        tids=np.ascontiguousarray(found["tid"]),
        cpus=cpus,
        codes=codes,
        flags=flags,
        counts=found["count"].astype(np.int64),
        lengths_at=starts + (before_bytes + header_bytes),
        ends=starts + before_bytes + event_sizes,
    )
    return _without_unsound(blocks, headers, warnings)


def _without_unsound(blocks: EventBlocks, headers: Headers, warnings: Warnings) -> Headers:
    """The events of known types whose length fits header and block."""
    is_known = headers.codes < len(EVENT_TYPES)
    is_sound = headers.ends >= headers.lengths_at
    is_sound &= headers.ends <= headers.starts + (headers.sizes - _TRAILER_BYTES)
    if is_known.all() and is_sound.all():
        return headers
    _warn(blocks, headers.starts, ~is_sound & is_known, "events with a wrong length", warnings)
    _warn(blocks, headers.starts, ~is_known, "events of unknown types", warnings)
    return headers.take(is_known & is_sound)


def _gather(data: Bytes, places: Integers, kind: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """Structures that begin at some multiples of four."""
    whole = np.dtype((np.void, kind.itemsize))
    count = max(0, (len(data) - kind.itemsize) // 4 + 1)
    return np.ndarray((count,), whole, data, strides=(4,))[places >> 2].view(kind)


def _no_flags(count: int) -> Words:
    return np.broadcast_to(np.uint32(0), count)


def _warn(
    blocks: EventBlocks, starts: Integers, is_bad: Bools, what: str, warnings: Warnings
) -> None:
    bad = np.flatnonzero(is_bad)
    if len(bad):
        warnings.add(blocks.offset + int(starts[bad[0]]), f"{what} left out", len(bad))
