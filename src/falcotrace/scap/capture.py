"""A `.scap` file as a capture that rules can be asked of, without writing another file.

In: a file. Out: row groups one after the other, whose columns are made when they are asked for, of
the events that rules look at.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from falcotrace.capture.footer import Footer
from falcotrace.scap.batch_columns import BatchColumns
from falcotrace.scap.footer import UNRECORDED, first_event_ns, footer_of
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.process_states import ProcessStates
from falcotrace.scap.reader import open_scap
from falcotrace.scap.state import StateEngine

if TYPE_CHECKING:
    from falcotrace.capture.reader import RowGroup


class ScapCapture:
    """A `.scap` file; each call of `stream` reads it anew.

    Raises:
        CaptureError: it cannot be read or is no capture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unrecorded = UNRECORDED
        self.row_groups: tuple[RowGroup, ...] = ()
        self._started_ns = 0
        with open_scap(path) as file:
            first = next(iter(file), None)
            self._metadata = first.metadata if first is not None else Metadata()
            self.footer: Footer = footer_of(self._metadata, file.warnings)

    def close(self) -> None:
        """Nothing stays open."""

    def stream(self, event_names: frozenset[str] | None) -> Iterator["ScapRowGroup"]:
        """Go through the file.

        Args:
            event_names: types of events that have rows; None for all.

        Raises:
            CaptureError: the file cannot be read.
        """
        next_key = 1
        last_ns = 0
        with open_scap(self.path) as file:
            for section in file:
                engine = StateEngine(section.metadata, first_key=next_key)
                interfaces = Interfaces.of(section.metadata.interfaces)
                for batch in section:
                    if not self._started_ns:
                        self._started_ns = first_event_ns(batch)
                        self.footer = footer_of(self._metadata, file.warnings, self._started_ns)
                    # Also of events that have no rows: the end of the file is known by them.
                    last_ns = max(last_ns, int(batch.times_ns.max(initial=0)))
                    columns = BatchColumns(batch, engine.run(batch), interfaces, event_names)
                    if len(columns):
                        yield ScapRowGroup(self.path, self.footer, columns)
                next_key = engine.next_key
            footer = footer_of(self._metadata, file.warnings, self._started_ns)
            recording = msgspec.structs.replace(footer.recording, ended_ns=last_ns)
            self.footer = msgspec.structs.replace(footer, recording=recording)


class ScapRowGroup:
    """One batch of events as a capture of one row group."""

    unrecorded = UNRECORDED

    def __init__(self, path: Path, footer: Footer, columns: BatchColumns) -> None:
        self.path = path
        self.footer = footer
        self._columns = columns
        self.row_groups = (columns.row_group(),)

    def read(self, row_group: int, paths: Sequence[str]) -> dict[str, pa.Array]:
        """Columns by path; made now."""
        del row_group
        return {path: self._columns.array(path) for path in paths}

    def stored(self, row_group: int, path: str) -> None:
        """Nothing is stored: columns are in memory."""
        del row_group, path

    def processes(self, row_group: int) -> ProcessStates:
        """States of processes."""
        del row_group
        return self._columns.process_states()

    def close(self) -> None:
        """Nothing stays open."""
