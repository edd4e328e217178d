"""Turns a `.scap` capture into one of our own.

In: a file. Out: a capture with a row for each event that rules would see, and a report of what was
read, cut or damaged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from falcotrace.capture.writer import CaptureWriter
from falcotrace.errors import CaptureError
from falcotrace.scap.batch_columns import BatchColumns
from falcotrace.scap.blocks_warnings import ScapWarning
from falcotrace.scap.footer import first_event_ns, footer_of
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.pipeline import Pipeline
from falcotrace.scap.reader import open_scap
from falcotrace.scap.state import StateEngine


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
    written = 0
    first: Metadata | None = None
    next_key = 1
    started_ns = 0
    with open_scap(path) as file, CaptureWriter(out, overwrite=overwrite) as writer:
        with Pipeline(writer) as pipeline:
            for section in file:
                first = first or section.metadata
                engine = StateEngine(section.metadata, first_key=next_key)
                interfaces = Interfaces.of(section.metadata.interfaces)
                for batch in section:
                    started_ns = started_ns or first_event_ns(batch)
                    columns = BatchColumns(batch, engine.run(batch), interfaces)
                    if len(columns):
                        pipeline.add(columns)
                        written += len(columns)
                        progress(Progress(written, file.size_bytes))
                next_key = engine.next_key
        warnings = file.warnings
        writer.close(footer_of(first or Metadata(), warnings, started_ns))
    return ImportReport(written, warnings)
