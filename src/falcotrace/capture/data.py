"""What engines ask of a capture, whatever file it lies in.

In: nothing. Out: protocols. `reader.Capture` has its row groups at hand; a capture of another
format is read from front to back and hands them out one after the other.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from falcotrace.capture.footer import Footer
from falcotrace.capture.parquet.stored import StoredColumn
from falcotrace.capture.reader import RowGroup


class ProcessTable(Protocol):
    """Columns by path, one row for each state of a process; an Arrow table is one."""

    def __len__(self) -> int:
        """How many states."""
        ...

    def __getitem__(self, path: str) -> pa.ChunkedArray:
        """A column."""
        ...


class CaptureData(Protocol):
    """Row groups that can be read in any order."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def footer(self) -> Footer:
        """What the capture says about itself."""
        ...

    @property
    def row_groups(self) -> tuple[RowGroup, ...]:
        """The row groups, in time order."""
        ...

    @property
    def unrecorded(self) -> frozenset[str]:
        """Columns whose null says nothing."""
        ...

    def read(self, row_group: int, paths: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of one row group."""
        ...

    def stored(self, row_group: int, path: str) -> StoredColumn | None:
        """A column of one row group as a file has it; None where `read` has to be asked."""
        ...

    def processes(self, row_group: int) -> ProcessTable:
        """States of processes in a row group, sorted by `proc.key`."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@runtime_checkable
class StreamedCapture(Protocol):
    """A capture that is read from front to back."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def footer(self) -> Footer:
        """What is known of the capture so far."""
        ...

    @property
    def unrecorded(self) -> frozenset[str]:
        """Columns whose null says nothing."""
        ...

    def stream(self, event_names: frozenset[str] | None) -> Iterator[CaptureData]:
        """Row groups, one each, with rows for events of some types alone (None: all)."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
