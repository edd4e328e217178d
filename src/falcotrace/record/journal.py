"""The journal of a recording: samples as the kernel made them, on disk until they are converted.

In: batches of the ring. Out: the same samples, for whoever converts them, now or after a crash. A
burst costs disk and not events, and what ends the recorder does not end what it has recorded.

The journal is a folder's files `journal-NUMBER`. Each has a head and then batches: lengths, sum,
and samples with the kernel's headers between them, as they lay in the ring, compressed block by
block. What was written last may be torn, and a power cut may leave zeros in it: batches count up
to the first that is not whole. Positions are counted in bytes of samples, before compression.
Batches are chained, each to the one before it and files to each other, by digests that recovery
looks at (`journal_check.py`).

Compressed, because two busy cores make 350 MB/s of samples, more than most disks take: zstd at
level 1 leaves a ninth of it and takes 850 MB/s on one core.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from falcotrace.errors import RecordError
from falcotrace.record.ring import Batch, find_samples

SEGMENT_BYTES: Final = 16 << 20
"""A file that is longer is followed by another one; what is converted is given back file by file.
"""

_BLOCK_BYTES: Final = 4 << 20
_LARGEST_BATCH_BYTES: Final = 1 << 33
"""More than the largest ring; a file that claims more is damaged."""

_PREFIX: Final = "journal-"
MARK: Final = b"FTJOURN3"
HEAD: Final = struct.Struct("<8sI4xQ32s")  # the mark, magic, position, chain before it
BATCH_MARK: Final = b"FTBATCH3"
BATCH: Final = struct.Struct("<8sQQQ32s")  # the mark, bytes, stored bytes, sum, chain
CHAINED_BYTES: Final = BATCH.size - 32
"""What of a batch's frame is under its own link of the chain."""

_BLOCK: Final = struct.Struct("<I")


class Journal:
    """Takes samples.

    Args:
        folder: where its files are.
        magic: the session's number, with which each sample begins.
    """

    def __init__(self, folder: Path, magic: int) -> None:
        self._folder = folder
        self._magic = magic
        self._number = 0
        self._file = -1
        self._room = 0
        self._is_synced = True
        self._codec = pa.Codec("zstd", compression_level=1)
        self._link = bytes(32)
        self.end = 0
        self.sample_count = 0

    def append(self, batch: Batch) -> None:
        """Write whole samples.

        Raises:
            OSError: they could not be written; none of them counts.
        """
        if not len(batch):
            return
        if self._room <= 0:
            self._begin_segment()
        blocks = self._compressed(batch.raw)
        stored = sum(map(len, blocks))
        frame = BATCH.pack(BATCH_MARK, len(batch.raw), stored, _sum(batch.raw), bytes(32))
        frame = frame[:CHAINED_BYTES]
        link = sha256(self._link + frame)
        for block in blocks:
            link.update(block)
        before = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            for data in (memoryview(frame + link.digest()), *blocks):
                _write(self._file, data)
        except OSError:
            os.ftruncate(self._file, before)
            os.lseek(self._file, before, os.SEEK_SET)
            raise
        self._is_synced = False
        self._link = link.digest()
        self._room -= stored
        self.end += len(batch.raw)
        self.sample_count += len(batch)

    def _compressed(self, raw: NDArray[np.uint8]) -> list[memoryview]:
        """Blocks, each behind its length. Other threads go on meanwhile."""
        pieces: list[memoryview] = []
        for start in range(0, len(raw), _BLOCK_BYTES):
            block = raw[start : start + _BLOCK_BYTES]
            packed = self._codec.compress(block, asbytes=True)
            pieces += [memoryview(_BLOCK.pack(len(packed))), memoryview(packed)]
        return pieces

    def sync(self) -> None:
        """Have everything survive the machine's end."""
        if not self._is_synced:
            self._is_synced = True
            os.fdatasync(self._file)

    def close(self) -> None:
        """Let go of the files."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin_segment(self) -> None:
        if self._file >= 0:
            self.sync()
        path = self._folder / f"{_PREFIX}{self._number + 1:08}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            os.write(file, HEAD.pack(MARK, self._magic, self.end, self._link))
        except OSError:
            os.close(file)
            path.unlink()
            raise
        self.close()
        self._file, self._room = file, SEGMENT_BYTES
        self._number += 1


class JournalReader:
    """Hands out samples in their order, while the journal grows or when it has ended.

    Args:
        folder: where its files are.
        magic: the session's number.
        position: how many bytes of samples are known already.
    """

    def __init__(self, folder: Path, magic: int, position: int = 0) -> None:
        self._folder = folder
        self._magic = magic
        self._path: Path | None = None
        self._file = -1
        self._offset = 0
        self._codec = pa.Codec("zstd")
        self.position = position
        self.sample_count = 0

    def batches(self, sample_count: int) -> Iterator[Batch]:
        """At least so many samples if they are there, a batch at a time.

        Raises:
            RecordError: a file is none of this recording's journal.
        """
        taken = 0
        while taken < sample_count:
            batch = self._next()
            if batch is None:
                return
            taken += len(batch)
            self.sample_count += len(batch)
            self.position += len(batch.raw)
            yield batch

    def drop_read(self, others: Sequence["JournalReader"] = ()) -> None:
        """Remove files in which nothing is left to be read, by this reader and others."""
        current = [reader._path for reader in (self, *others)]  # noqa: SLF001 - others of this class
        for path in segments(self._folder):
            if any(one is None or path >= one for one in current):
                break
            path.unlink()

    def close(self) -> None:
        """Let go of the files."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _next(self) -> Batch | None:
        while True:
            if self._file < 0 and not self._open_next():
                return None
            # Asked before reading: what is written meanwhile is not passed over.
            is_last = self._following() is None
            batch = self._read()
            if batch is not None:
                return batch
            if is_last or not self._open_next():
                return None

    def _read(self) -> Batch | None:
        """The batch that begins at the offset; None if it is not there, or not whole."""
        frame = os.pread(self._file, BATCH.size, self._offset)
        if len(frame) < BATCH.size:
            return None
        mark, size, stored, expected, _ = BATCH.unpack(frame)
        end = self._offset + BATCH.size + stored
        if mark != BATCH_MARK or end > os.fstat(self._file).st_size:
            return None
        blocks = os.pread(self._file, stored, self._offset + BATCH.size)
        raw = _expanded(memoryview(blocks), size, self._codec)
        if raw is None or _sum(raw) != expected:
            return None
        batch = find_samples(raw, self._magic)
        if len(batch.raw) != size:
            return None
        self._offset = end
        return batch

    def _following(self) -> Path | None:
        later = (path for path in segments(self._folder) if not self._path or path > self._path)
        return next(later, None)

    def _open_next(self) -> bool:
        """Go on to the next file; what is torn at the end of this one is passed over."""
        path = self._following()
        if path is None:
            return False
        self.close()
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._path = path
        head = os.read(self._file, HEAD.size)
        if len(head) < HEAD.size:
            return self._open_next()
        mark, magic, first, _ = HEAD.unpack(head)
        if mark != MARK or magic != self._magic:
            raise RecordError(f"{path} is not a part of this recording")
        self._offset = HEAD.size
        self._pass_known(first)
        return True

    def _pass_known(self, first: int) -> None:
        """Go to the batch that begins at the position, or to the first one behind it."""
        while first < self.position:
            batch = self._read()
            if batch is None:
                return
            first += len(batch.raw)
        self.position = first


def _expanded(stored: memoryview, size: int, codec: pa.Codec) -> NDArray[np.uint8] | None:
    """The samples in compressed blocks; None if they are not what the frame says."""
    if size % 8 or size > _LARGEST_BATCH_BYTES:
        return None
    parts: list[NDArray[np.uint8]] = []
    left = size
    while stored and left:
        if len(stored) < _BLOCK.size:
            return None
        (length,) = _BLOCK.unpack_from(stored)
        block, stored = stored[_BLOCK.size : _BLOCK.size + length], stored[_BLOCK.size + length :]
        expected = min(left, _BLOCK_BYTES)
        try:
            part = codec.decompress(block, expected)
        except (OSError, ValueError):
            return None
        parts.append(np.frombuffer(part, np.uint8))
        left -= expected
    return np.concatenate(parts) if parts and not left and not stored else None


def _sum(raw: NDArray[np.uint8]) -> int:
    """Finds what was torn: ten times as fast as a checksum that also finds what was exchanged."""
    return int(raw.view("<u8").sum(dtype=np.uint64))


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def segments(folder: Path) -> list[Path]:
    """The files of a journal, in their order."""
    return sorted(folder.glob(f"{_PREFIX}*"))
