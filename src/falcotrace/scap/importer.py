"""Turns a `.scap` capture into one of our own.

In: a file. Out: a capture with a row for each event that rules would see, and a report of what was
read, cut or damaged. The state engine goes through the file; the columns of each batch are made and
encoded in a process of their own meanwhile, as many at once as there are cores.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from falcotrace.capture.encoding import EncodedRowGroup, encode_row_group
from falcotrace.capture.writer import CaptureWriter
from falcotrace.errors import CaptureError
from falcotrace.forked import forked_map
from falcotrace.scap.batch_columns import BatchColumns
from falcotrace.scap.blocks_warnings import ScapWarning
from falcotrace.scap.footer import first_event_ns, footer_of
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.reader import ScapFile, open_scap
from falcotrace.scap.state import StateEngine

LEAST_EVENTS = 100_000
"""Fewer are encoded sooner than a process is made for them."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        event_count: events written.
        warnings: what was skipped, cut or damaged.
    """

    event_count: int
    warnings: tuple[ScapWarning, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    event_count: int
    read_bytes: int


def import_scap(
    path: Path,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ImportReport:
    """Write the events of a `.scap` file as a capture.

    Args:
        path: the file, compressed or not.
        out: the capture.
        overwrite: replace `out` if it exists.
        progress: told after each row group.

    Raises:
        CaptureError: the file cannot be read or is no capture; `out` exists, cannot be written, or
            is the same file.
    """
    if out.exists() and path.exists() and out.samefile(path):
        raise CaptureError(out, "is the file to import: it is not overwritten")
    with open_scap(path) as file, CaptureWriter(out, overwrite=overwrite) as writer:
        batches = _Batches(file)
        written = 0
        for columns, group in forked_map(_encoded, batches, is_worthwhile=_is_large):
            writer.append(group)
            written += len(columns)
            progress(Progress(written, file.size_bytes))
        writer.close(footer_of(batches.metadata, file.warnings, batches.started_ns))
        return ImportReport(written, file.warnings)


class _Batches:
    """The columns of each batch with events that rules see.

    Attributes:
        metadata: of the first section.
        started_ns: when the first event happened.
    """

    def __init__(self, file: ScapFile) -> None:
        self._file = file
        self.metadata = Metadata()
        self.started_ns = 0

    def __iter__(self) -> Iterator[BatchColumns]:
        next_key = 1
        for number, section in enumerate(self._file):
            if not number:
                self.metadata = section.metadata
            engine = StateEngine(section.metadata, first_key=next_key)
            interfaces = Interfaces.of(section.metadata.interfaces)
            for batch in section:
                self.started_ns = self.started_ns or first_event_ns(batch)
                columns = BatchColumns(batch, engine.run(batch), interfaces)
                if len(columns):
                    yield columns
            next_key = engine.next_key


def _encoded(columns: BatchColumns) -> EncodedRowGroup:
    return encode_row_group(columns.arrays(), columns.processes())


def _is_large(columns: BatchColumns) -> bool:
    return len(columns) >= LEAST_EVENTS
