"""Writes a capture: batches of events and a table of process states become sorted row groups.

In: flat event columns that carry `proc.key`, and a table with one row for each key. Out: one
    Parquet file in which every event carries its process's columns, with the process table beside
    each large row group. The writer knows nothing about where events come from.
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
import pyarrow.compute as pc

from falcotrace.capture.footer import METADATA_KEY, Footer, RowGroupEntry, encode_footer
from falcotrace.capture.parquet.chunk import MEDIUM_COUNT, Chunk, Statistics
from falcotrace.capture.parquet.file import ParquetFile
from falcotrace.capture.parquet.levels import run_begins
from falcotrace.capture.parquet.rows import null_chunk, rising_chunk, rows_chunk
from falcotrace.capture.parquet.runs import lists_chunk, runs_chunk
from falcotrace.capture.parquet.schema import leaves
from falcotrace.capture.parquet.values import Presence, Sparse
from falcotrace.capture.process_table import encode_processes
from falcotrace.capture.schema import REQUIRED_COLUMNS, capture_schema, flat_type
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS
from falcotrace.version import __version__

KEY = "proc.key"

STATISTICS_COLUMNS = ("evt.num", "evt.time", "evt.type", KEY)
"""Columns by which readers prune; statistics of the others only cost space."""

DELTA_COLUMNS = ("evt.num", "evt.time")
"""Numbers that differ from event to event: as dictionaries they were two fifths of a capture, as
differences they are half as large and decoded in a third of the time (measured)."""


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
        self._leaves = leaves(capture_schema())
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

    def write_row_group(self, events: Mapping[str, pa.Array | Sparse], processes: pa.Table) -> None:
        """Write one row group.

        Args:
            events: columns of scope event and fd by path, all of the same length or sparse;
                `evt.num`, `evt.time`, `evt.type` and `proc.key` are required as arrays, missing
                others are null.
            processes: `proc.key` and any process columns, one row for each key in `events` at
                least.

        Row groups must follow each other in `evt.num`; rows inside one may come in any order, but
        those that are sorted by `proc.key` and `evt.num` cost a little less.

        Raises:
            CaptureError: the file cannot be written.
            KeyError: there is no such column, no such process state, or a required column is not
                there.
            ValueError: columns are not equally long, or a required one misses a value.
        """
        rows = len(np.asarray(events[KEY]))
        if rows == 0:
            return
        unknown = events.keys() - COLUMNS.keys()
        if unknown:
            raise KeyError(f"no column is called {min(unknown)!r}")
        for path in REQUIRED_COLUMNS:
            column = events[path]
            if isinstance(column, Sparse) or column.null_count or len(column) != rows:
                raise ValueError(f"{path} does not have a value for every event")
        keys = np.asarray(events[KEY])
        order = _order(keys, np.asarray(events["evt.num"]))
        if order is not None:
            keys = keys[order]
        begins = run_begins(keys)
        present = select_processes(processes, keys[begins])
        counts = np.diff(np.append(begins, rows))
        chunks = self._chunks(events, Presence(rows, order), present, counts)
        with self._reported():
            self._parquet.write_row_group(chunks, rows, _statistics(events))
            self._write_processes(present, events, rows)
        self._count_events(events["evt.type"])

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

    def _chunks(
        self,
        events: Mapping[str, pa.Array | Sparse],
        presence: Presence,
        present: pa.Table,
        counts: np.ndarray,
    ) -> Iterator[Chunk]:
        states = {path: present[path].chunk(0) for path in present.column_names}
        for leaf in self._leaves:
            path = leaf.path
            if path in states:
                yield (lists_chunk if leaf.is_list else runs_chunk)(leaf, states[path], counts)
            elif path not in events:
                yield null_chunk(leaf, presence.count)
            elif path in DELTA_COLUMNS:
                yield rising_chunk(leaf, events[path], presence)
            else:
                yield rows_chunk(leaf, _cast(events[path], leaf.type), presence)

    def _count_events(self, types: pa.Array) -> None:
        for item in pc.value_counts(types).to_pylist():
            name = item["values"]
            self._event_counts[name] = self._event_counts.get(name, 0) + item["counts"]

    def _write_processes(
        self, present: pa.Table, events: Mapping[str, pa.Array], rows: int
    ) -> None:
        offset = self._file.tell()
        if rows > MEDIUM_COUNT:
            self._file.write(encode_processes(present))
        times = pc.min_max(events["evt.time"])
        numbers = pc.min_max(events["evt.num"])
        self._entries.append(
            RowGroupEntry(
                row_count=rows,
                first_num=numbers["min"].as_py(),
                last_num=numbers["max"].as_py(),
                first_time_ns=times["min"].as_py(),
                last_time_ns=times["max"].as_py(),
                processes_offset=offset,
                processes_bytes=self._file.tell() - offset,
                process_count=present.num_rows,
            )
        )


def _order(keys: np.ndarray, numbers: np.ndarray) -> np.ndarray | None:
    """The rows in the order of the file, by process state, then by number; None if they are."""
    steps = np.diff(keys)
    if bool((steps >= 0).all() and (np.diff(numbers)[steps == 0] > 0).all()):
        return None
    return np.lexsort((numbers, keys))


def select_processes(processes: pa.Table, keys: np.ndarray) -> pa.Table:
    """Rows of `processes` whose key occurs in `keys`, sorted by key, with every process column.

    Raises:
        KeyError: an event's key is not in the table.
    """
    wanted = np.unique(keys)
    have = np.asarray(processes[KEY])
    order = np.argsort(have, kind="stable")
    position = np.searchsorted(have, wanted, sorter=order)
    if position.size and (position[-1] >= have.size or (have[order[position]] != wanted).any()):
        raise KeyError("an event names a process state that the table of processes does not hold")
    chosen = processes.take(pa.array(order[position])).combine_chunks()
    names = set(processes.column_names)
    columns = {KEY: chosen[KEY]} | {
        column.path: _in_its_type(chosen[column.path], column.path)
        if column.path in names
        else pa.nulls(wanted.size, flat_type(column.path))
        for column in PROCESS_COLUMNS
    }
    return pa.table(columns)


def _in_its_type(column: pa.ChunkedArray, path: str) -> pa.ChunkedArray:
    """A column of processes in its type.

    Dictionaries stay: decoded, an environment is there once for each state of each descendant.
    """
    kind = column.type.value_type if pa.types.is_list(column.type) else column.type
    return column if pa.types.is_dictionary(kind) else column.cast(flat_type(path))


def _cast(column: pa.Array | Sparse, kind: pa.DataType) -> pa.Array | Sparse:
    """The column in the type of its leaf; dictionaries stay dictionaries."""
    if isinstance(column, Sparse):
        return Sparse(column.places, _cast(column.values, kind))
    if column.type == kind or pa.types.is_dictionary(column.type):
        return column
    return column.cast(kind)


def _statistics(columns: Mapping[str, pa.Array]) -> dict[str, Statistics]:
    return {path: _bounds(columns[path]) for path in STATISTICS_COLUMNS}


def _bounds(array: pa.Array) -> Statistics:
    # What a dictionary holds beyond what occurs makes the bounds wider, not wrong.
    bounds = pc.min_max(array.dictionary if pa.types.is_dictionary(array.type) else array)
    least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
    if isinstance(least, str):
        return Statistics(least.encode(), greatest.encode())
    return Statistics(
        least.to_bytes(8, "little", signed=True), greatest.to_bytes(8, "little", signed=True)
    )
