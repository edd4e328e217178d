"""Opens `.scap` captures.

In: a path. Out: `ScapFile`, whose sections have metadata and batches of events. A file is as many
sections as captures were joined to make it; numbering goes on through all of them.
"""

import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from falcotrace.errors import CaptureError
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.batch_sizes import portions
from falcotrace.scap.blocks import SECTION_HEADER, BlockReader, EventBlocks, MetadataBlock
from falcotrace.scap.blocks_gzip import GZIP_MAGIC, gzip_pieces, plain_pieces
from falcotrace.scap.blocks_source import MappedSource, Source, StreamSource
from falcotrace.scap.blocks_warnings import ScapWarning, Warnings
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.metadata_blocks import MetadataReader
from falcotrace.scap.upgrade import Upgrader

MAX_SECTIONS = 1000
_MAGIC = 0x1A2B3C4D
_MAJOR_VERSION = 1
_SECTION = struct.Struct("<IHH")
_SECTION_AT = 8
_PCAPNG_BLOCKS = range(1, 7)
"""Types of the block that follows the header in captures of packets, whose header is the same."""


class Section:
    """One capture of a file: iterate it for its batches.

    Attributes:
        metadata: what the capture says about its host before the first event.
    """

    def __init__(self, metadata: Metadata, batches: Iterator[EventBatch]) -> None:
        self.metadata = metadata
        self._batches = batches

    def __iter__(self) -> Iterator[EventBatch]:
        return self._batches


class ScapFile:
    """An open capture; iterate it once for its sections, each of them before the next.

    Attributes:
        path: as it was given.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._warnings = Warnings()
        self._source = _source_of(path, file)
        try:
            self._reader = BlockReader(self._source, self._warnings)
            self._check_beginning()
        except BaseException:
            self._source.close()
            raise
        self._event_count = 0

    @property
    def warnings(self) -> tuple[ScapWarning, ...]:
        """What was skipped, cut or damaged in what has been read so far."""
        return self._warnings.all()

    @property
    def size_bytes(self) -> int:
        """Bytes read so far, of the uncompressed capture."""
        return self._reader.position

    def close(self) -> None:
        """Let go of the file; batches stay valid."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Section]:
        blocks = _Peekable(iter(self._reader))
        for _ in range(MAX_SECTIONS):
            metadata = self._read_metadata(blocks)
            if metadata is None:
                return
            section = Section(metadata, self._batches(blocks))
            yield section
            for _ in section:
                pass
        if blocks.first() is not None:
            self._warnings.add(self._reader.position, "too many sections: the rest is ignored")

    def _read_metadata(self, blocks: "_Peekable") -> Metadata | None:
        """Read up to the first event, or to the header of the next section; None at the end."""
        if blocks.first() is None:
            return None
        reader = MetadataReader(self._warnings)
        is_first = True
        while isinstance(block := blocks.first(), MetadataBlock):
            if block.type == SECTION_HEADER:
                if not is_first:
                    break
                if fault := _header_fault(block.body):
                    message = f"a further section {fault}: the rest is ignored"
                    self._warnings.add(block.offset, message)
                    return None
            is_first = False
            reader.add(block)
            blocks.drop_first()
        return reader.result()

    def _batches(self, blocks: "_Peekable") -> Iterator[EventBatch]:
        upgrader = Upgrader(self._warnings, self._event_count)
        while isinstance(block := blocks.first(), EventBlocks):
            blocks.drop_first()
            for part in portions(block):
                batch = upgrader.batch(part)
                self._event_count = upgrader.event_count
                yield batch

    def _check_beginning(self) -> None:
        head = self._reader.peek(_SECTION_AT + _SECTION.size)
        if not head:
            raise CaptureError(self.path, self._source.fault or "the file is empty")
        if int.from_bytes(head[:4], "little") != SECTION_HEADER:
            raise CaptureError(self.path, "not a .scap capture")
        if fault := _header_fault(head[_SECTION_AT:]):
            raise CaptureError(self.path, f"the capture {fault}")
        size_bytes = int.from_bytes(head[4:8], "little")
        following = self._reader.peek(min(size_bytes, 1 << 16) + 4)[size_bytes:]
        if int.from_bytes(following, "little") in _PCAPNG_BLOCKS:
            raise CaptureError(self.path, "a capture of packets (pcapng), not of system calls")


class _Peekable:
    """Blocks of which the first can be looked at; none is read before it is asked for."""

    def __init__(self, blocks: Iterator[MetadataBlock | EventBlocks]) -> None:
        self._blocks = blocks
        self._first: MetadataBlock | EventBlocks | None = None

    def first(self) -> MetadataBlock | EventBlocks | None:
        """The block that comes next; None at the end."""
        if self._first is None:
            self._first = next(self._blocks, None)
        return self._first

    def drop_first(self) -> None:
        """Go on to the one after it."""
        self._first = None


def open_scap(path: Path) -> ScapFile:
    """Open a capture, plain or compressed.

    Raises:
        CaptureError: it cannot be opened, is no `.scap` capture, or one that cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise CaptureError(path, error.strerror or "cannot be opened") from error
    try:
        return ScapFile(path, file)
    except OSError as error:
        file.close()
        raise CaptureError(path, error.strerror or "cannot be read") from error
    except BaseException:
        file.close()
        raise


def _source_of(path: Path, file: BinaryIO) -> Source:
    info = path.stat()
    is_regular = stat.S_ISREG(info.st_mode)
    if is_regular and info.st_size == 0:
        raise CaptureError(path, "the file is empty")
    # A file's own buffer, filled by `peek`, also serves pipes, which cannot go back.
    magic = file.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)]  # type: ignore[attr-defined]
    if magic == GZIP_MAGIC:
        return StreamSource(file, gzip_pieces(file))
    return MappedSource(file) if is_regular else StreamSource(file, plain_pieces(file))


def _header_fault(body: bytes) -> str:
    """Why a section cannot be read, by the body of its header; empty if it can."""
    if len(body) < _SECTION.size:
        return "ends within its header"
    magic, major, minor = _SECTION.unpack_from(body)
    if magic == int.from_bytes(_MAGIC.to_bytes(4, "big"), "little"):
        return "comes from a big-endian machine, which is not supported"
    if magic != _MAGIC:
        return "has no valid header"
    if major != _MAJOR_VERSION:
        return f"has format {major}.{minor}; supported is {_MAJOR_VERSION}"
    return ""
