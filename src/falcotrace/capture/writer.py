"""Writes a capture: encoded row groups, one behind the other, and the footer.

In: row groups, as columns or encoded already. Out: one Parquet file. The writer knows nothing about
    where events come from.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
import pyarrow as pa

from falcotrace.capture.encoding import KEY, EncodedRowGroup, encode_row_group
from falcotrace.capture.footer import METADATA_KEY, Footer, RowGroupEntry, encode_footer
from falcotrace.capture.parquet.file import ParquetFile
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.schema import capture_schema
from falcotrace.errors import CaptureError
from falcotrace.version import __version__


class CaptureWriter:
    """Writes one capture file of mode 0600.

    Use as a context manager and call `close` with the final footer; a file that was not closed is
    no capture. Rows reach the disk as whole row groups.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Create the file.

        Raises:
            CaptureError: the file exists and may not be overwritten, or cannot be created.
        """
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL) | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            raise CaptureError(path, "exists already; --force overwrites it") from None
        except OSError as error:
            raise CaptureError(path, f"cannot be written: {error.strerror}") from None
        os.fchmod(descriptor, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._parquet = ParquetFile(
            self._file, capture_schema(), f"falcotrace version {__version__}"
        )
        self._entries: list[RowGroupEntry] = []
        self._event_counts: dict[str, int] = {}

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
        return len(self._entries)

    @property
    def bytes_written(self) -> int:
        """Bytes that have reached the file."""
        return self._file.tell()

    def write_row_group(
        self, events: Mapping[str, pa.Array | Sparse | Stepwise], processes: pa.Table
    ) -> None:
        """Encode and write one row group; see `encode_row_group`. Without events nothing happens.

        Raises:
            CaptureError: the file cannot be written.
            KeyError, ValueError: as there.
        """
        if len(np.asarray(events[KEY])):
            self.append(encode_row_group(events, processes))

    def append(self, group: EncodedRowGroup) -> None:
        """Write one row group; they must follow each other in `evt.num`.

        Raises:
            CaptureError: the file cannot be written.
        """
        with self._reported():
            self._parquet.write_row_group(group.chunks, group.row_count, group.statistics)
            offset = self._file.tell()
            self._file.write(group.processes)
        self._entries.append(
            RowGroupEntry(
                row_count=group.row_count,
                first_num=group.nums[0],
                last_num=group.nums[1],
                first_time_ns=group.times_ns[0],
                last_time_ns=group.times_ns[1],
                processes_offset=offset,
                processes_bytes=len(group.processes),
                process_count=group.process_count,
            )
        )
        for name, count in group.event_counts.items():
            self._event_counts[name] = self._event_counts.get(name, 0) + count

    def close(self, footer: Footer) -> None:
        """Write the footer; row groups and event counts in it are replaced by the writer's own.

        Raises:
            CaptureError: the file cannot be written.
        """
        complete = msgspec.structs.replace(
            footer, row_groups=self._entries, event_counts=self._event_counts
        )
        with self._reported():
            self._parquet.close({METADATA_KEY: encode_footer(complete)})
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """A full disk is an error in one line."""
        try:
            yield
        except OSError as error:
            raise CaptureError(self._path, f"cannot be written: {error.strerror}") from None
