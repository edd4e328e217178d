"""From a recording's journal to its capture, checkpoint by checkpoint.

In: a recording's folder. Out: the capture in it. While recording this follows the journal as it
grows; after a crash it goes on where the last checkpoint was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from falcotrace.capture.encoding import encode_row_group
from falcotrace.capture.footer import Footer, Losses
from falcotrace.errors import RecordError
from falcotrace.events.columns import COLUMNS
from falcotrace.record.accounts import Accounts
from falcotrace.record.converter import ROW_GROUP_EVENTS, Converted, Converter
from falcotrace.record.coverage import recorded_columns
from falcotrace.record.folder import Checkpoint, RecordingFolder, Start
from falcotrace.record.framed_log import read_log
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.journal import JournalReader
from falcotrace.record.known_log import keep_block, restore, rewrite
from falcotrace.record.losses import account_since, with_unknown
from falcotrace.record.parts import Content, WrittenCapture
from falcotrace.record.ring import Batch
from falcotrace.record.rings import Rings
from falcotrace.record.runtimes.containers import Containers

FILES_OF_AN_EPOCH = 1 << 16

COMPACT_BYTES = 16 << 20
_COMPACT_FACTOR = 4
"""A log of what is known is written anew when it is larger than that, and has grown so much."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a capture's footer says of its end.

    Attributes:
        time_ns: when, since the epoch.
        reason: why.
        losses: the account of the whole recording.
        cpu_time_ns: the recorder's own CPU time; 0 where nobody knows.
        peak_memory_bytes: the most memory that it had beside the kernel's ring; 0 likewise.
        is_last: whether recording has ended, so that nothing is still on its way.
    """

    time_ns: int
    reason: str
    losses: Losses
    cpu_time_ns: int = 0
    peak_memory_bytes: int = 0
    is_last: bool = False


class Conversion:
    """Converts the samples of one recording. Use as a context manager.

    Args:
        folder: its folder.
        start: what was recorded.
        wait: waits for containers that are being looked up.

    Attributes:
        other_readers: whoever else follows the journal; it is kept for them.

    Raises:
        CaptureError: the capture cannot be written.
        RecordError: the folder holds something else than a recording.
    """

    def __init__(
        self, folder: RecordingFolder, start: Start, wait: Callable[[], object] = lambda: None
    ) -> None:
        checkpoint = folder.read_checkpoint()
        self._folder = folder
        self._start = start
        self._saw_container = checkpoint.saw_container
        self._known_file = checkpoint.known_file
        self._containers = Containers(folder.path, wait)
        self.other_readers: list[JournalReader] = []
        started_ns = start.footer.recording.started_ns
        self.parts = folder.open_parts(checkpoint, started_ns, start.series)
        try:
            self._restore(checkpoint)
        except BaseException:
            self.parts.close()
            raise

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Know again what was known at the checkpoint."""
        folder, start = self._folder, self._start
        self._converter = converter_of(start, self._containers)
        self._converter.go_on(checkpoint.position, checkpoint.next_num, checkpoint.last_key)
        self._converter.rings = Rings(checkpoint.partly_blind)
        known = folder.read_known(checkpoint)
        restore(known, self._converter.known, start.magic, checkpoint.position)
        self._known = folder.open_known(checkpoint.known_file, checkpoint.known_bytes)
        self._compacted_bytes = 0
        self._reader = JournalReader(folder.path, start.magic, checkpoint.position)
        self._converted = (checkpoint.position, checkpoint.next_num, checkpoint.last_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self._reader.close()
        self._known.close()
        self.parts.close()

    @property
    def event_count(self) -> int:
        """Events that were converted."""
        return self._converter.event_count

    @property
    def file_epoch(self) -> int:
        """Changes whenever very many files have been described; see `KernelSession.renew_files`."""
        return self._converter.known.files.newest_id // FILES_OF_AN_EPOCH

    @property
    def position(self) -> int:
        """How much of the journal was taken, bytes."""
        return self._reader.position

    @property
    def sample_count(self) -> int:
        """Samples of the journal that were taken."""
        return self._reader.sample_count

    def step(self) -> bool:
        """Convert what makes a row group, or what is there; whether anything was.

        Raises:
            CaptureError: the capture cannot be written.
            OSError: what belongs to a checkpoint cannot be written.
        """
        return self.add(list(self._reader.batches(ROW_GROUP_EVENTS)))

    def add(self, batches: Sequence[Batch]) -> bool:
        """Convert samples that are in no journal; whether there were any."""
        for converted in self._converter.convert(batches):
            self._keep(converted)
        return bool(batches)

    def _keep(self, converted: Converted) -> None:
        """Make what was converted survive, and give back its part of the journal."""
        if converted.columns is not None:
            self.parts.append(encode_row_group(converted.columns, converted.processes))
        keep_block(converted.block, self._converter.known, self._known)
        self._known.sync()
        if self._known.end > max(COMPACT_BYTES, _COMPACT_FACTOR * self._compacted_bytes):
            self._compact()
        self._converted = (self._reader.position, converted.next_num, converted.last_key)
        self.keep_parts()
        self._reader.drop_read(self.other_readers)

    def keep_parts(self) -> None:
        """Write a checkpoint, and remove parts that were dropped before it."""
        position, next_num, last_key = self._converted
        self._folder.write_checkpoint(
            Checkpoint(
                position=position,
                next_num=next_num,
                last_key=last_key,
                parts=self.parts.kept,
                finished=self.parts.finished,
                known_bytes=self._known.end,
                known_file=self._known_file,
                saw_container=self._saw_container or self._converter.saw_container,
                partly_blind=tuple(self._converter.rings.account()),
            )
        )
        self.parts.remove_dropped()

    def _compact(self) -> None:
        """Go on with a log that holds only what later events may still name."""
        before = read_log(self._folder.path / self._known_file, self._known.end)
        number = int(self._known_file.removeprefix("known").removesuffix(".log") or 0) + 1
        self._known_file = f"known{number}.log"
        log = self._folder.open_known(self._known_file)
        rewrite(before, self._converter.known, self._start.magic, log)
        log.sync()
        self._known.close()
        self._known = log
        self._compacted_bytes = log.end

    def seal(self, path: Path, ending: Ending, since_ns: int = 0) -> WrittenCapture:
        """Make a capture of what was converted; recording goes on.

        Args:
            path: the file; what stands there is replaced.
            ending: what its footer says of the end.
            since_ns: leave out row groups that end before.

        Raises:
            CaptureError: it cannot be written.
        """
        return self.parts.assemble(path, partial(self._footer, ending), since_ns)

    def begin_part(self, ending: Ending, *, is_capture: bool) -> WrittenCapture | None:
        """Go on with another part, for which a checkpoint is written.

        Args:
            ending: when that is, and the account until then.
            is_capture: make a capture of the part that was the newest, in the folder until
                `Parts.move_finished`.
        """
        found = None
        if is_capture:
            footer_of = partial(self._footer, ending)
            found = self.parts.finish_and_begin(footer_of, ending.time_ns, ending.losses)
        else:
            self.parts.begin(ending.time_ns, ending.losses)
        self.keep_parts()
        return found

    def finish(self, ending: Ending, since_ns: int = 0) -> WrittenCapture:
        """Make a capture of all parts, still in the folder.

        Raises:
            CaptureError: it cannot be written.
        """
        footer_of = partial(self._footer, ending)
        if len(self.parts.kept) == 1:
            return self.parts.finish_newest(footer_of)
        return self.parts.assemble(self._folder.assembled, footer_of, since_ns)

    def _footer(self, ending: Ending, content: Content) -> Footer:
        """The footer of a capture that begins with some part."""
        with_containers = self._saw_container or self._converter.saw_container
        columns = recorded_columns(
            with_containers=with_containers,
            with_contents=self._start.data_bytes > 0,
            with_answers=self._start.has_answers,
            told=self._containers.filled,
        )
        recording = msgspec.structs.replace(
            self._start.footer.recording,
            started_ns=content.first.began_ns,
            ended_ns=ending.time_ns,
            ended_by=ending.reason,
            cpu_time_ns=ending.cpu_time_ns,
            peak_memory_bytes=ending.peak_memory_bytes,
            journal_bytes=self._reader.position,
        )
        return msgspec.structs.replace(
            self._start.footer,
            recording=recording,
            losses=with_unknown(
                self._losses(ending, content),
                self._containers.unknown_count,
                self._converter.known.names.dropped_count,
            ),
            partly_blind=self._converter.rings.account(),
            unrecorded=sorted(COLUMNS.keys() - columns),
        )

    @staticmethod
    def _losses(ending: Ending, content: Content) -> Losses:
        """Of a whole recording what the kernel counted; of a part what adds up to its events."""
        if ending.is_last and content.first.number == 1:
            return ending.losses
        return account_since(ending.losses, content.first, content.event_count)


def converter_of(
    start: Start, containers: Containers, numbers: frozenset[int] | None = None
) -> Converter:
    """A converter for the samples of a recording.

    Args:
        start: what was recorded.
        containers: what runtimes told.
        numbers: make columns of these system calls only; None: of all.

    Raises:
        RecordError: what was written down at its start cannot be.
    """
    recorded = start.footer
    return Converter(
        Accounts(recorded.users, recorded.groups),
        start.arch,
        recorded.recording.boot_to_epoch_ns,
        start.data_bytes,
        _interfaces(start),
        containers,
        numbers,
    )


def _interfaces(start: Start) -> Interfaces:
    try:
        return Interfaces.of_texts(start.interfaces)
    except ValueError as error:
        raise RecordError(
            f"the recording's start names an interface that is none: {error}"
        ) from None
