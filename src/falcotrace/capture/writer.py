"""Writes a capture: encoded row groups, one behind the other, their hash chain, and the footer.

In: row groups, as columns or encoded already. Out: one Parquet file. The writer knows nothing about
    where events come from.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
import pyarrow as pa

from falcotrace.capture.appended_file import AppendedFile, MakeRoom
from falcotrace.capture.chain import NO_HEAD, ChainBuilder, Link
from falcotrace.capture.encoding import KEY, EncodedRowGroup, encode_row_group
from falcotrace.capture.footer import METADATA_KEY, Chained, Footer, RowGroupEntry, encode_footer
from falcotrace.capture.parquet.file import MAGIC, ParquetFile
from falcotrace.capture.parquet.moved import moved_row_group
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.schema import capture_schema
from falcotrace.errors import CaptureError
from falcotrace.version import __version__


class WrittenRowGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known of a row group when the footer is written.

    Attributes:
        entry: its place and span.
        about: what Parquet's footer says of it.
        event_counts: events by type.
        digest: SHA-256 of its bytes, those of its process table among them.
    """

    entry: RowGroupEntry
    about: bytes
    event_counts: dict[str, int]
    digest: bytes

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.entry.processes_offset + self.entry.processes_bytes


class CaptureWriter:
    """Writes one capture file of mode 0600.

    Use as a context manager and call `close` with the final footer; a file that was not closed is
    no capture. Rows reach the disk as whole row groups.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        resume: Sequence[WrittenRowGroup] | None = None,
        make_room: MakeRoom | None = None,
    ) -> None:
        """Create the file, or go on where another writer stopped.

        Args:
            path: the file.
            overwrite: replace a file that exists.
            resume: what `append` told of the row groups of a writer that did not come to an end;
                what stands behind them is cut off.
            make_room: asked for room when the disk is full, before that is an error.

        Raises:
            CaptureError: the file exists and may not be overwritten, cannot be created, or is
                shorter than the row groups that it should have.
        """
        self._path = path
        descriptor = _create(path, overwrite) if resume is None else _reopen(path, resume)
        self._file = AppendedFile(descriptor, make_room)
        with self._reported():
            self._parquet = ParquetFile(
                self._file, capture_schema(), f"falcotrace version {__version__}"
            )
        self._groups: list[WrittenRowGroup] = []
        for group in resume or ():
            self._parquet.adopt(group.about, group.entry.row_count)
            self._groups.append(group)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file.closed:
            return
        # Nobody called `close`: what was written stays readable as Parquet, but is no capture.
        with contextlib.suppress(OSError):
            self._parquet.close({})
        self._file.close()

    @property
    def row_group_count(self) -> int:
        """Row groups written so far."""
        return len(self._groups)

    @property
    def bytes_written(self) -> int:
        """Bytes that have reached the file."""
        return self._file.tell()

    def write_row_group(
        self, events: Mapping[str, pa.Array | Sparse | Stepwise], processes: pa.Table
    ) -> WrittenRowGroup | None:
        """Encode and write one row group; see `encode_row_group`. Without events nothing happens.

        Returns:
            As `append`; None without events.

        Raises:
            CaptureError: the file cannot be written.
            KeyError, ValueError: as there.
        """
        if not len(np.asarray(events[KEY])):
            return None
        return self.append(encode_row_group(events, processes))

    def append(self, group: EncodedRowGroup) -> WrittenRowGroup:
        """Write one row group; they must follow each other in `evt.num`.

        Returns:
            What has to be known of it if another writer shall go on, see `resume`.

        Raises:
            CaptureError: the file cannot be written.
        """
        with self._reported():
            about = self._parquet.write_row_group(group.chunks, group.row_count, group.statistics)
            offset = self._file.tell()
            self._file.write(group.processes)
        digest = sha256()
        for part in (part for chunk in group.chunks for part in chunk.parts):
            digest.update(part)
        digest.update(group.processes)
        entry = RowGroupEntry(
            row_count=group.row_count,
            first_num=group.nums[0],
            last_num=group.nums[1],
            first_time_ns=group.times_ns[0],
            last_time_ns=group.times_ns[1],
            processes_offset=offset,
            processes_bytes=len(group.processes),
            process_count=group.process_count,
        )
        written = WrittenRowGroup(
            entry=entry,
            about=about,
            event_counts=dict(group.event_counts),
            digest=digest.digest(),
        )
        self._groups.append(written)
        return written

    def copy(self, source: int, begin: int, group: WrittenRowGroup) -> WrittenRowGroup:
        """Write a row group that stands in another file, as it stands there.

        Its digest stays the one of when it was written: if it was changed since, the chain says so.

        Args:
            source: the other file, open for reading.
            begin: its first byte there; see `begins`.
            group: what `append` told of it there.

        Returns:
            As `append`.

        Raises:
            CaptureError: the file cannot be written, or the other one ends before the row group.
            ValueError: `group` does not describe a row group.
        """
        with self._reported():
            distance = self._file.tell() - begin
            try:
                self._file.copy_from(source, begin, group.end)
            except EOFError:
                raise CaptureError(
                    self._path, "cannot be made: a part of it ends too early"
                ) from None
        about = moved_row_group(group.about, distance)
        offset = group.entry.processes_offset + distance
        entry = msgspec.structs.replace(group.entry, processes_offset=offset)
        written = msgspec.structs.replace(group, about=about, entry=entry)
        self._parquet.adopt(about, entry.row_count)
        self._groups.append(written)
        return written

    def sync(self) -> None:
        """Have the row groups survive the machine's end.

        Raises:
            CaptureError: the file cannot be written.
        """
        with self._reported():
            self._file.sync()

    def close(self, footer: Footer, chained: Chained | None = None) -> bytes:
        """Write chain and footer.

        Args:
            footer: row groups, event counts and place in a rotation are replaced by the writer's.
            chained: its place in a rotation; None: in none.

        Returns:
            The head of the chain.

        Raises:
            CaptureError: the file cannot be written.
        """
        place = chained or Chained()
        complete = msgspec.structs.replace(
            footer,
            row_groups=[group.entry for group in self._groups],
            event_counts=_event_counts(self._groups),
            chained=place,
        )
        chain = chain_of(self._groups, bytes.fromhex(place.after) or NO_HEAD)
        with self._reported():
            last = self._parquet.footer({METADATA_KEY: encode_footer(complete)})
            self._file.write(chain.block(last) + last)
            self._file.sync()
            self._file.close()
        return chain.head

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """A full disk is an error in one line."""
        try:
            yield
        except OSError as error:
            raise CaptureError(self._path, f"cannot be written: {error.strerror}") from None


def _create(path: Path, overwrite: bool) -> int:  # noqa: FBT001 - an option passed on
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL) | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise CaptureError(path, "exists already; --force overwrites it") from None
    except OSError as error:
        raise CaptureError(path, f"cannot be written: {error.strerror}") from None
    os.fchmod(descriptor, 0o600)
    return descriptor


def _event_counts(groups: Sequence[WrittenRowGroup]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in groups:
        for name, count in group.event_counts.items():
            counts[name] = counts.get(name, 0) + count
    return counts


def chain_of(groups: Sequence[WrittenRowGroup], before: bytes = NO_HEAD) -> ChainBuilder:
    """The chain of the row groups of one file, given all of them in their order."""
    chain = ChainBuilder(before)
    for begin, group in zip(begins(groups), groups, strict=True):
        chain.add(Link.of(group.entry, group.end - begin, group.digest))
    return chain


def begins(groups: Sequence[WrittenRowGroup]) -> list[int]:
    """The first byte of each row group of one file, given all of them in their order."""
    return [len(MAGIC), *(group.end for group in groups)][: len(groups)]


def _reopen(path: Path, groups: Sequence[WrittenRowGroup]) -> int:
    end = max((group.end for group in groups), default=0)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise CaptureError(path, f"cannot be written: {error.strerror}") from None
    if os.fstat(descriptor).st_size < end:
        os.close(descriptor)
        raise CaptureError(path, f"is shorter than its row groups, which end at byte {end}")
    os.ftruncate(descriptor, end)
    return descriptor
