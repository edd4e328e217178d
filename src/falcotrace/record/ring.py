"""The ring buffer: hands out whole samples, many at a time, and frees what was taken.

In comes the file descriptor of a BPF ring buffer, out go views of its memory with the places of the
samples in it. What samples mean is not known here (`layout.py`), only how they are found.

Samples have different lengths, and following headers one by one is too slow in Python. So each
sample begins with a random number that the session chose (`layout.HEADER`, `magic`): all places
where it stands are found at once, and then checked against the lengths in the kernel's headers:
each sample must begin where the one before it ends. Bytes that a traced program wrote can neither
pass for a sample nor hide one, even if they contain the number: only what the chain of headers
reaches counts.

Source: Linux kernel/bpf/ringbuf.c; Documentation/bpf/ringbuf.rst.
"""

import dataclasses
import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from falcotrace.errors import RecordError
from falcotrace.record.layout import RING_HEADER_BYTES

_BUSY: Final = 1 << 31
_DISCARDED: Final = 1 << 30
_LENGTH: Final = _DISCARDED - 1

DEFAULT_BATCH_BYTES: Final = 8 << 20
"""A batch that fits into caches is decoded faster than a larger one (measured)."""


PAUSE_BELOW_BYTES: Final = 1 << 20
"""A reader pauses for some milliseconds after a batch shorter than this: finding 10,000 samples at
once took 15 ns a sample, taking each handful as it came 170 ns (measured, one core)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Whole samples, back to back.

    Args:
        raw: the samples with the kernel's headers between them, as a spool stores them.
        starts: offset of each sample in `raw`, behind its kernel header.
        lengths: bytes of each sample.
    """

    raw: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.starts)

    def detach(self) -> "Batch":
        """Copy the samples, so that they outlive the ring's memory."""
        return dataclasses.replace(self, raw=self.raw.copy())


def find_samples(raw: NDArray[np.uint8], magic: int) -> Batch:
    """Find the samples at the beginning of `raw`, up to the first that is not complete.

    Args:
        raw: memory of a ring from some kernel header on, or a part of a spool.
        magic: the session's number.

    Returns:
        What was found; its `raw` ends with the last whole sample.

    Example:
        >>> sample = np.array([8, 0, 77, 0], "<u4").view(np.uint8)
        >>> find_samples(np.concatenate([sample, sample]), magic=77).starts.tolist()
        [8, 24]
    """
    usable = raw[: len(raw) & ~7]
    words = usable.view("<u4")
    candidates = np.flatnonzero(words[2::2] == magic).astype(np.int64)
    headers = words[candidates * 2]
    lengths = headers & np.uint32(_LENGTH)
    ends = candidates + ((lengths.astype(np.int64) + 15) >> 3)
    whole = ends <= len(words) // 2
    if len(candidates) and not (
        candidates[0] == 0
        and whole[-1]
        and np.array_equal(ends[:-1], candidates[1:])
        and int(headers.max()) < _DISCARDED
    ):
        keep = _follow(candidates, ends, headers, whole)
        candidates, lengths, ends = candidates[keep], lengths[keep], ends[keep]
    used = int(ends[-1]) * 8 if len(ends) else 0
    return Batch(usable[:used], candidates * 8 + RING_HEADER_BYTES, lengths)


def _follow(
    candidates: NDArray[np.int64],
    ends: NDArray[np.int64],
    headers: NDArray[np.uint32],
    whole: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return which candidates the chain of headers reaches from 0, up to the first unfinished one.

    Pointer doubling: after k rounds all that is within 2**k steps of the beginning is known.
    """
    count = len(candidates)
    if not count or candidates[0] != 0:
        return np.zeros(0, np.int64)
    good = whole & ((headers & np.uint32(_BUSY)) == 0)
    jump = np.searchsorted(candidates, ends)
    hit = candidates[np.minimum(jump, count - 1)] == ends
    jump = np.append(np.where(good & hit, jump, count), count)  # `count` is the end of all chains
    reached = np.zeros(count + 1, np.bool_)
    reached[0] = True
    while True:
        before = int(reached.sum())
        reached[jump[reached]] = True
        if int(reached.sum()) == before:
            break
        jump = jump[jump]
    return np.flatnonzero(reached[:count] & good)


class Ring:
    """A BPF ring buffer mapped into this process.

    Args:
        fd: the ring's map.
        size: its size in bytes, a power of two.
        magic: the number with which each sample begins.
    """

    def __init__(self, fd: int, size: int, magic: int) -> None:
        page = mmap.PAGESIZE
        self.size = size
        self._magic = magic
        # The data are mapped twice in a row, so that a sample never wraps around.
        self._consumer_page = mmap.mmap(fd, page, mmap.MAP_SHARED)
        self._producer_pages = mmap.mmap(
            fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page
        )
        self._consumer = np.frombuffer(self._consumer_page, np.uint64, 1)
        self._producer = np.frombuffer(self._producer_pages, np.uint64, 1)
        self._data = np.frombuffer(self._producer_pages, np.uint8, offset=page)

    @property
    def pending_bytes(self) -> int:
        """How much the kernel has reserved and nobody has taken."""
        return int(self._producer[0]) - int(self._consumer[0])

    def take(self, limit: int = DEFAULT_BATCH_BYTES) -> Batch:
        """Return the next whole samples without freeing their room; `release` does.

        The batch is shorter than what is pending if a sample is not finished yet or `limit` is
        reached. Its arrays are views of the ring: valid until `release`.
        """
        position = int(self._consumer[0])
        pending = int(self._producer[0]) - position
        start = position & (self.size - 1)
        # On a machine with weak ordering the data could be seen later than the producer's position;
        # the kernel clears a header's busy bit with release semantics, and `find_samples` reads the
        # headers after the positions and before anything looks at the data.
        batch = find_samples(self._data[start : start + min(pending, limit)], self._magic)
        if len(batch) or not pending:
            return batch
        return self._pass_first(start, pending, limit)

    def release(self, batch: Batch) -> None:
        """Give the room of a batch back to the kernel."""
        self._consumer[0] += np.uint64(len(batch.raw))

    def close(self) -> None:
        """Unmap the memory; batches that were not detached become invalid."""
        del self._consumer, self._producer, self._data
        self._consumer_page.close()
        self._producer_pages.close()

    def _pass_first(self, start: int, pending: int, limit: int) -> Batch:
        """What to do if nothing begins at the consumer's position."""
        header = int(self._data[start : start + 4].view("<u4")[0])
        size = ((header & _LENGTH) + 15) & ~7
        nothing = Batch(self._data[start:start], np.zeros(0, np.int64), np.zeros(0, np.uint32))
        if header & _BUSY:
            return nothing
        if header & _DISCARDED:
            return dataclasses.replace(nothing, raw=self._data[start : start + size])
        if limit < size <= pending:
            return find_samples(self._data[start : start + size], self._magic)
        again = find_samples(self._data[start : start + min(pending, limit)], self._magic)
        if not len(again):
            raise RecordError("the ring buffer holds something that is not a sample")
        return again
