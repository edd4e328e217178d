"""From a recording's journal to its capture, checkpoint by checkpoint.

In: a recording's folder. Out: the capture in it. While recording this follows the journal as it
grows; after a crash it goes on where the last checkpoint was.
"""

import resource
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

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
from falcotrace.record.ring import Batch
from falcotrace.record.rings import Rings

FILES_OF_AN_EPOCH = 1 << 16

COMPACT_BYTES = 16 << 20
_COMPACT_FACTOR = 4
"""A log of what is known is written anew when it is larger than that, and has grown so much."""


class Conversion:
    """Converts the samples of one recording. Use as a context manager.

    Args:
        folder: its folder.
        start: what was recorded.

    Raises:
        CaptureError: the capture cannot be written.
        RecordError: the folder holds something else than a recording.
    """

    def __init__(self, folder: RecordingFolder, start: Start) -> None:
        checkpoint = folder.read_checkpoint()
        self._folder = folder
        self._start = start
        self._saw_container = checkpoint.saw_container
        self._known_file = checkpoint.known_file
        self.writer = folder.resume_writer(checkpoint)
        try:
            self._restore(checkpoint)
        except BaseException:
            self.writer.__exit__(None, None, None)
            raise

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Know again what was known at the checkpoint."""
        folder, start, recorded = self._folder, self._start, self._start.footer
        self._converter = Converter(
            self.writer,
            Accounts(recorded.users, recorded.groups),
            start.arch,
            recorded.recording.boot_to_epoch_ns,
            start.data_bytes,
            _interfaces(start),
        )
        self._converter.go_on(checkpoint.position, checkpoint.next_num, checkpoint.last_key)
        self._converter.rings = Rings(checkpoint.partly_blind)
        known = folder.read_known(checkpoint)
        restore(known, self._converter.known, start.magic, checkpoint.position)
        self._known = folder.open_known(checkpoint.known_file, checkpoint.known_bytes)
        self._compacted_bytes = 0
        self._reader = JournalReader(folder.path, start.magic, checkpoint.position)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()
        self._known.close()
        self.writer.__exit__(kind, error, trace)

    @property
    def event_count(self) -> int:
        """Events in the capture."""
        return self._converter.event_count

    @property
    def file_epoch(self) -> int:
        """Changes whenever very many files have been described; see `KernelSession.renew_files`."""
        return self._converter.known.files.newest_id // FILES_OF_AN_EPOCH

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
        written = converted.written
        keep_block(converted.block, self._converter.known.files, self._known)
        self.writer.sync()
        groups_bytes = self._folder.note_groups([written] if written else [])
        self._known.sync()
        if self._known.end > max(COMPACT_BYTES, _COMPACT_FACTOR * self._compacted_bytes):
            self._compact()
        self._folder.write_checkpoint(
            Checkpoint(
                position=self._reader.position,
                next_num=converted.next_num,
                last_key=converted.last_key,
                groups_bytes=groups_bytes,
                known_bytes=self._known.end,
                known_file=self._known_file,
                saw_container=self._saw_container or self._converter.saw_container,
                partly_blind=tuple(self._converter.rings.account()),
            )
        )
        self._reader.drop_converted()

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

    def finish(self, losses: Losses, *, ended_ns: int, ended_by: str, cpu_time_ns: int) -> None:
        """Write the footer; the capture is complete then.

        Args:
            losses: the account.
            ended_ns: when recording ended, since the epoch.
            ended_by: why.
            cpu_time_ns: the recorder's own CPU time.

        Raises:
            CaptureError: it cannot be written.
        """
        with_containers = self._saw_container or self._converter.saw_container
        columns = recorded_columns(
            with_containers=with_containers, with_contents=self._start.data_bytes > 0
        )
        recording = msgspec.structs.replace(
            self._start.footer.recording,
            ended_ns=ended_ns,
            ended_by=ended_by,
            cpu_time_ns=cpu_time_ns,
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
            journal_bytes=self._reader.position,
        )
        footer: Footer = msgspec.structs.replace(
            self._start.footer,
            recording=recording,
            losses=losses,
            partly_blind=self._converter.rings.account(),
            unrecorded=sorted(COLUMNS.keys() - columns),
        )
        self.writer.close(footer)


def _interfaces(start: Start) -> Interfaces:
    try:
        return Interfaces.of_texts(start.interfaces)
    except ValueError as error:
        raise RecordError(
            f"the recording's start names an interface that is none: {error}"
        ) from None
