"""The parts of a recording: files of row groups, of which the oldest may go while the newest grows.

In: row groups. Out: captures, of one part as it stands or of several put together. Beside each part
lies a log of what a capture's footer says of its row groups; both count as far as a checkpoint says
(`folder.py`). The log has the digests of row groups from when they were written, and a checkpoint
the chain of these, so that what was changed in between is found.
"""

import contextlib
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from falcotrace.capture.appended_file import MakeRoom
from falcotrace.capture.chain import NO_HEAD, ChainBuilder, Link
from falcotrace.capture.digests import digest_of
from falcotrace.capture.encoding import EncodedRowGroup
from falcotrace.capture.footer import Chained, Footer, Losses
from falcotrace.capture.writer import CaptureWriter, WrittenRowGroup, begins, chain_of
from falcotrace.errors import CaptureError, RecordError
from falcotrace.record.framed_log import FramedLog, read_log

_GROUP = 1


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of row groups.

    Attributes:
        number: from 1 on.
        began_ns: events since then are in it, ns since the epoch.
        groups_bytes: how much of its log counts.
        losses: the account when it began, without intervals.
        after: the head of the capture before it in a rotation, in hexadecimal.
        link: the chain of its row groups, likewise.
    """

    number: int
    began_ns: int
    groups_bytes: int = 0
    losses: Losses = Losses(is_known=True)
    after: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a capture is about to hold: the first of its parts, and its number of events."""

    first: Part
    event_count: int


@dataclass(frozen=True, slots=True)
class WrittenCapture:
    """A capture that is complete, and its account of losses.

    Attributes:
        changed: what was changed between its recording and its recovery.
    """

    path: Path
    event_count: int
    size_bytes: int
    losses: Losses
    changed: tuple[str, ...] = ()


FooterOf = Callable[[Content], Footer]
"""Makes the footer of a capture."""


class Parts:
    """Writes the newest part and knows the others.

    Args:
        folder: where they are.
        kept: as a checkpoint has them; the last one is gone on with.
        finished: captures that wait to be moved to their place.
        series: of a rotation, see `Chained`.
        make_room: asked for room for row groups when the disk is full.

    Attributes:
        newest_bytes: size of the newest part.
        size_bytes: size of all parts.
        changed: what was found to have been changed; captures say so.

    Raises:
        CaptureError: a file is not what it should be.
        RecordError: a log is not.
    """

    def __init__(
        self,
        folder: Path,
        kept: Sequence[Part],
        finished: Sequence[Part] = (),
        series: str = "",
        make_room: MakeRoom | None = None,
    ) -> None:
        self._folder = folder
        self._make_room = make_room
        self._series = series
        self.changed: tuple[str, ...] = ()
        self._closed = list(kept[:-1])
        self._finished = list(finished)
        self._bytes: dict[int, int] = {}
        self.newest_bytes = self.size_bytes = 0
        self._open(kept[-1])

    def _open(self, part: Part) -> None:
        groups = self._groups(part)
        self._newest = part
        self._event_count = sum(group.entry.row_count for group in groups)
        self._chain = self._chain_of(part, groups)
        make_room = self._make_room
        self._log = FramedLog(self._log_path(part.number), part.groups_bytes, make_room)
        self._writer = CaptureWriter(self._path(part.number), resume=groups, make_room=make_room)
        self._note_sizes()

    def _note_sizes(self) -> None:
        """Keep sizes as numbers: another thread may ask at any time."""
        newest = self._newest.number
        self._bytes[newest] = self.newest_bytes = self._writer.bytes_written
        kept = {part.number for part in self._closed} | {newest}
        self._bytes = {number: size for number, size in self._bytes.items() if number in kept}
        self.size_bytes = sum(self._bytes.values())

    def close(self) -> None:
        """Let go of the files."""
        self._log.close()
        self._writer.__exit__(None, None, None)

    @property
    def kept(self) -> tuple[Part, ...]:
        """The parts, for a checkpoint."""
        link = self._chain.link.hex()
        newest = msgspec.structs.replace(self._newest, groups_bytes=self._log.end, link=link)
        return (*self._closed, newest)

    @property
    def finished(self) -> tuple[Part, ...]:
        """Parts that are captures and wait to be moved to their place."""
        return tuple(self._finished)

    @property
    def newest_began_ns(self) -> int:
        """When the newest part began."""
        return self._newest.began_ns

    def append(self, group: EncodedRowGroup) -> None:
        """Write a row group, so that it survives.

        Raises:
            CaptureError: it cannot be written.
        """
        begin = self._writer.bytes_written
        written = self._writer.append(group)
        self._writer.sync()
        self._chain.add(Link.of(written.entry, self._writer.bytes_written - begin, written.digest))
        self._log.append(_GROUP, msgspec.msgpack.encode(written))
        self._log.sync()
        self._event_count += group.row_count
        self._note_sizes()

    def begin(self, began_ns: int, losses: Losses, after: str = "") -> None:
        """Begin a part; `after` is the head of the capture that was made of the one before."""
        part = Part(
            number=self._newest.number + 1,
            began_ns=began_ns,
            losses=msgspec.structs.replace(losses, intervals=[]),
            after=after,
        )
        self._closed = list(self.kept)
        self.close()
        self._open(part)

    def drop_before(self, time_ns: int) -> None:
        """Forget parts that ended before a time; the newest stays."""
        ends = [part.began_ns for part in self.kept[1:]]
        self._closed = [
            part for part, end_ns in zip(self._closed, ends, strict=True) if end_ns > time_ns
        ]
        self._note_sizes()

    def drop_first(self) -> bool:
        """Forget the oldest part if there is one behind it."""
        if not self._closed:
            return False
        self._closed.pop(0)
        self._note_sizes()
        return True

    def remove_dropped(self) -> None:
        """Remove the files of parts that were forgotten; when a checkpoint says so."""
        numbers = {part.number for part in (*self._closed, *self._finished, self._newest)}
        for path in self._folder.glob("part-*"):
            if path not in {make(at) for at in numbers for make in (self._path, self._log_path)}:
                path.unlink()

    def finish_newest(self, footer_of: FooterOf) -> WrittenCapture:
        """Make a capture of the newest part where it stands; nothing is written to it any more.

        Raises:
            CaptureError: it cannot be written.
        """
        return self._finish_newest(footer_of)[0]

    def _finish_newest(self, footer_of: FooterOf) -> tuple[WrittenCapture, str]:
        """The capture, and the head of its chain."""
        newest = self._newest
        footer = footer_of(Content(newest, self._event_count))
        chained = Chained(changed=list(self.changed))
        if self._series:
            chained = msgspec.structs.replace(
                chained, series=self._series, number=newest.number, after=newest.after
            )
        head = self._writer.close(footer, chained)
        path = self._path(newest.number)
        size = path.stat().st_size
        found = WrittenCapture(path, self._event_count, size, footer.losses, self.changed)
        return found, head.hex()

    def finish_and_begin(
        self, footer_of: FooterOf, began_ns: int, losses: Losses
    ) -> WrittenCapture:
        """Make a capture of the newest part and begin another; see `move_finished`.

        Raises:
            CaptureError: it cannot be written.
        """
        found, head = self._finish_newest(footer_of)
        self.begin(began_ns, losses, head)
        self._finished.append(self._closed.pop())
        return found

    def move_finished(self, output: Path) -> list[Path]:
        """Move captures to their place, when a checkpoint says that they are finished.

        Args:
            output: the name of the recording; theirs are with the time, see `stamped`.

        Raises:
            RecordError: one cannot be moved.
        """
        moved = []
        for part in self._finished:
            path = self._path(part.number)
            # One that is not there was moved before the recorder ended.
            if path.exists():
                place = stamped(output, part.began_ns)
                try:
                    path.rename(place)
                except OSError as error:
                    raise RecordError(f"{place} cannot be made: {error.strerror}") from None
                moved.append(place)
        self._finished = []
        return moved

    def assemble(self, path: Path, footer_of: FooterOf, since_ns: int = 0) -> WrittenCapture:
        """Put row groups of all parts together in another file.

        Args:
            path: the file; whatever stands there is replaced.
            footer_of: makes its footer.
            since_ns: leave out row groups that end before, ns since the epoch.

        Raises:
            CaptureError: it cannot be written.
            RecordError: a log is damaged.
        """
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        count = 0
        first = None
        with CaptureWriter(path) as writer:
            for part in self.kept:
                groups = self._groups(part)
                places = zip(begins(groups), groups, strict=True)
                wanted = [one for one in places if one[1].entry.last_time_ns >= since_ns]
                if wanted:
                    first = first or part
                    count += self._copy(part, wanted, writer)
            footer = footer_of(Content(first or self._newest, count))
            writer.close(footer, Chained(changed=list(self.changed)))
        return WrittenCapture(path, count, path.stat().st_size, footer.losses, self.changed)

    def _copy(
        self, part: Part, groups: Sequence[tuple[int, WrittenRowGroup]], writer: CaptureWriter
    ) -> int:
        """Copy row groups; returns their events."""
        source = self._opened(part)
        try:
            for begin, group in groups:
                writer.copy(source, begin, group)
        except ValueError as error:
            raise RecordError(f"{self._log_path(part.number)} is damaged: {error}") from None
        finally:
            os.close(source)
        return sum(group.entry.row_count for _, group in groups)

    def _groups(self, part: Part) -> list[WrittenRowGroup]:
        path = self._log_path(part.number)
        if not part.groups_bytes or not path.exists():
            return []
        try:
            return [
                msgspec.msgpack.decode(payload, type=WrittenRowGroup)
                for _, payload in read_log(path, part.groups_bytes)
            ]
        except (OSError, msgspec.MsgspecError) as error:
            raise RecordError(f"{path} cannot be read: {error}") from None

    def _chain_of(self, part: Part, groups: Sequence[WrittenRowGroup]) -> ChainBuilder:
        try:
            return chain_of(groups, bytes.fromhex(part.after) or NO_HEAD)
        except (struct.error, ValueError) as error:
            raise RecordError(f"{self._log_path(part.number)} is damaged: {error}") from None

    def find_changes(self) -> None:
        """Compare row groups with their digests, and these with the checkpoint; see `changed`.

        Raises:
            CaptureError: a file cannot be read.
            RecordError: a log is not one.
        """
        changed = []
        for part in (*self._closed, self._newest):
            if not part.groups_bytes:
                continue
            groups = self._groups(part)
            if self._chain_of(part, groups).link.hex() != part.link:
                changed.append(f"the account of row groups in {self._log_path(part.number).name}")
            file = self._opened(part)
            try:
                changed += _changed_groups(file, groups, self._path(part.number).name)
            finally:
                os.close(file)
        self.changed = tuple(changed)

    def _opened(self, part: Part) -> int:
        path = self._path(part.number)
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise CaptureError(path, f"cannot be read: {error.strerror}") from None

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06}.parquet"

    def _log_path(self, number: int) -> Path:
        return self._folder / f"part-{number:06}.log"


def _changed_groups(file: int, groups: Sequence[WrittenRowGroup], name: str) -> Iterator[str]:
    """Row groups that are not as they were written."""
    ends = [*begins(groups)[1:], groups[-1].end] if groups else []
    for begin, end, group in zip(begins(groups), ends, groups, strict=True):
        if digest_of(file, begin, end - begin) != group.digest:
            nums = f"{group.entry.first_num:,} to {group.entry.last_num:,}"
            yield f"events {nums} in {name}"


def stamped(output: Path, time_ns: int) -> Path:
    """A name for one of several captures: the output's with a time, and a number if need be.

    Example:
        >>> stamped(Path("c.parquet"), 0).name
        'c-19700101T000000Z.parquet'
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time_ns // 10**9))
    path = output.with_name(f"{output.stem}-{stamp}{output.suffix}")
    number = 1
    while path.exists():
        number += 1
        path = output.with_name(f"{output.stem}-{stamp}-{number}{output.suffix}")
    return path
