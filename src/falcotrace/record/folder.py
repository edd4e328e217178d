"""The folder of a recording that is under way, and of one that was interrupted.

In: what conversion has done so far. Out: the same after a crash. It holds

    start.json       what was recorded, when and where: enough to read the samples
    journal-N        samples that are not converted yet (`journal.py`)
    part-N.parquet   row groups, still without their footer
    part-N.log       what the footer will say of them (`parts.py`)
    known.log        descriptions that later events may name, as the kernel made them, and names of
                     files and addresses
    containers.log   what runtimes told of containers (`runtimes/container_log.py`)
    checkpoint.json  how much of all these belongs together
    counters.json    the kernel's account of losses, once a second
    reserve          nothing: room to bring the recording to its end (`room.py`)

A checkpoint is valid when it stands there under its name; whatever is written beyond it is cut off.
Nothing of it is executed or trusted when it is read: everything has a type and a checksum.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from falcotrace.capture.appended_file import write_whole
from falcotrace.capture.footer import Footer, PartlyBlind
from falcotrace.errors import RecordError
from falcotrace.record.framed_log import FramedLog, read_log
from falcotrace.record.parts import Part, Parts
from falcotrace.record.room import Reserve

SUFFIX: Final = ".recording"
FORMAT_VERSION: Final = 5

_KNOWN_FILE: Final = re.compile(r"known\d{0,9}\.log")

_Document = TypeVar("_Document", bound=msgspec.Struct)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a recording begins.

    Attributes:
        format_version: of the folder.
        magic: the session's number.
        arch: whose numbers system calls have.
        footer: host, recorder, accounts, clock.
        interfaces: the host's addresses with their networks.
        data_bytes: how much of each buffer was asked for.
        has_answers: whether answers of name servers are among what is recorded.
        rotates: whether the recording goes on from capture to capture.
        series: a number of these captures, in hexadecimal; empty where it does not.
    """

    format_version: int = FORMAT_VERSION
    magic: int
    arch: str
    footer: Footer
    interfaces: tuple[str, ...] = ()
    data_bytes: int = 0
    has_answers: bool = False
    rotates: bool = False
    series: str = ""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together.

    Attributes:
        position: samples of the journal before it are converted, bytes.
        next_num: the next event's `evt.num`.
        last_key: the greatest `proc.key` that was given.
        parts: files of row groups, and how much of each counts; empty before the first.
        finished: parts that are captures and wait to be moved to their place.
        known_bytes: the part of known.log that counts.
        known_file: name of that log.
        saw_container: whether a process in a container was seen.
        partly_blind: processes that had a ring of io_uring.
    """

    position: int = 0
    next_num: int = 1
    last_key: int = 0
    parts: tuple[Part, ...] = ()
    finished: tuple[Part, ...] = ()
    known_bytes: int = 0
    known_file: str = "known.log"
    saw_container: bool = False
    partly_blind: tuple[PartlyBlind, ...] = ()


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's account as it was read last.

    Attributes:
        time_ns: when, since the epoch.
        is_final: whether it was read after the end of recording, and so is exact.
        losses: the account in the footer's words, as JSON.
    """

    time_ns: int
    is_final: bool
    losses: msgspec.Raw


class RecordingFolder:
    """A recording's folder, locked against a second user of it.

    Args:
        path: the folder, which exists.

    Attributes:
        reserve: room that is kept for what has to be written when the disk is full.

    Raises:
        RecordError: somebody records into it, or it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reserve = Reserve(path)
        try:
            self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RecordError(
                f"{path}: {error.strerror}", "Expected a recording's folder."
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise RecordError(f"{path} is in use", "A recording into it is under way.") from None

    @classmethod
    def create(cls, output: Path) -> Self:
        """Make the folder beside the capture that it will become.

        Raises:
            RecordError: it cannot be made, or an interrupted recording lies there.
        """
        path = output.with_name(output.name + SUFFIX)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            raise RecordError(
                f"{path} holds a recording that did not come to its end",
                f"`falcotrace recover {path}` makes a capture of it.",
            ) from None
        except OSError as error:
            raise RecordError(f"{path} cannot be made: {error.strerror}") from None
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; what is in it stays."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def assembled(self) -> Path:
        """Where parts are put together."""
        return self.path / "capture.parquet"

    @property
    def output(self) -> Path:
        """The capture that the recording is to become."""
        return self.path.with_name(self.path.name.removesuffix(SUFFIX))

    def write_start(self, start: Start) -> None:
        """Say what is recorded."""
        self._replace("start.json", msgspec.json.encode(start))

    def read_start(self) -> Start:
        """What was recorded.

        Raises:
            RecordError: it is not there or of a newer version.
        """
        start = self._read("start.json", Start)
        if start is None:
            raise RecordError(f"{self.path} is no recording's folder, or it ended before it began")
        if start.format_version != FORMAT_VERSION:
            raise RecordError(
                f"{self.path} was written by another version of FalcoTrace",
                f"Recover it with that one: the folder's format is {start.format_version}, not "
                f"{FORMAT_VERSION}.",
            )
        return start

    def write_counters(self, counters: Counters) -> None:
        """Keep the account of losses; a full disk leaves the one before."""
        with contextlib.suppress(OSError):
            self._replace("counters.json", msgspec.json.encode(counters), is_lasting=False)

    def read_counters(self) -> Counters | None:
        """The last account of losses; None if none was kept."""
        return self._read("counters.json", Counters)

    def read_checkpoint(self) -> Checkpoint:
        """How much belongs together; nothing where there was no checkpoint.

        Raises:
            RecordError: it says what cannot be.
        """
        found = self._read("checkpoint.json", Checkpoint) or Checkpoint()
        numbers = (found.position, found.known_bytes, found.last_key)
        parts = (*found.finished, *found.parts)
        places = [part.number for part in parts]
        if (
            min(numbers) < 0
            or found.next_num < 1
            or not _KNOWN_FILE.fullmatch(found.known_file)
            or min((part.groups_bytes for part in parts), default=0) < 0
            or min(places, default=1) < 1
            or places != sorted(set(places))
            or bool(found.finished) > bool(found.parts)
        ):
            raise RecordError(f"{self.path}/checkpoint.json says what cannot be")
        return found

    def open_known(self, name: str, end: int = 0) -> FramedLog:
        """The log of what is known; cut off behind a byte."""
        return FramedLog(self.path / name, end, self.reserve.give_back)

    def read_known(self, checkpoint: Checkpoint) -> Iterator[tuple[int, bytes]]:
        """Records of that log."""
        path = self.path / checkpoint.known_file
        if path.exists():
            yield from read_log(path, checkpoint.known_bytes)

    def open_parts(self, checkpoint: Checkpoint, started_ns: int, series: str = "") -> Parts:
        """The files of row groups, gone on with behind what a checkpoint says.

        Args:
            checkpoint: what counts.
            started_ns: when recording began, for the first part.
            series: of a rotation.
        """
        kept = checkpoint.parts or (Part(number=1, began_ns=started_ns),)
        return Parts(self.path, kept, checkpoint.finished, series, self.reserve.give_back)

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Say how much belongs together; everything named must be on disk already."""
        self._replace("checkpoint.json", msgspec.json.encode(checkpoint))
        for path in self.path.glob("known*.log"):
            if path.name != checkpoint.known_file:
                path.unlink()

    def finish(self, capture: Path, *, overwrite: bool, to: Path | None = None) -> Path:
        """Make a capture appear under its name, and remove the folder.

        Args:
            capture: the file in the folder.
            overwrite: replace a file that has the name.
            to: another name than the recording's own.

        Raises:
            RecordError: another file has taken the name.
        """
        output = to or self.output
        if output.exists() and not overwrite:
            raise RecordError(
                f"{output} exists already; the recording stays in {self.path}",
                f"`falcotrace recover {self.path} -o OTHER` makes a capture of it.",
            )
        try:
            capture.replace(output)
        except OSError as error:
            raise RecordError(f"{output} cannot be made: {error.strerror}") from None
        self.remove()
        return output

    def remove(self) -> None:
        """Remove the folder and what is in it."""
        shutil.rmtree(self.path)
        self.close()

    def _replace(self, name: str, raw: bytes, *, is_lasting: bool = True) -> None:
        """Write a document so that it is there whole, before and after."""
        new = self.path / f"{name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = os.open(new, flags, 0o600)
        try:
            write_whole(file, raw, self.reserve.give_back if is_lasting else None)
            if is_lasting:
                os.fsync(file)
        finally:
            os.close(file)
        new.replace(self.path / name)
        if is_lasting:
            os.fsync(self._lock)

    def _read(self, name: str, kind: type[_Document]) -> _Document | None:
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise RecordError(f"{path} cannot be read: {error}") from None
