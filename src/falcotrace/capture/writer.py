"""Writes a capture: batches of events and a table of process states become sorted row groups.

In: flat event columns that carry `proc.key`, and a table with one row for each key. Out: one
    Parquet file in which every event carries its process's columns, with the process table beside
    each row group. The writer knows nothing about where events come from.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from falcotrace.capture.footer import METADATA_KEY, Footer, RowGroupEntry, encode_footer
from falcotrace.capture.schema import dictionary_schema, flat_type, nest
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS, Scope

KEY = "proc.key"

STATISTICS_COLUMNS = ("evt.num", "evt.time", "evt.type", KEY)
"""Columns by which readers prune; statistics of the others only cost space."""

DELTA_COLUMNS = ("evt.num", "evt.time")
"""Numbers that differ from event to event: as dictionaries they were two fifths of a capture, as
differences they are half as large and decoded in a third of the time (measured)."""

COMPRESSION_LEVEL = 3
"""zstd; level 1 writes a little faster, level 6 saves little more."""


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
        self._sink = pa.PythonFile(self._file, mode="w")
        self._writer = pq.ParquetWriter(
            self._sink,
            dictionary_schema(),
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            store_schema=False,
            write_statistics=list(STATISTICS_COLUMNS),
            use_dictionary=[leaf for leaf in _leaves() if leaf not in DELTA_COLUMNS],
            column_encoding=dict.fromkeys(DELTA_COLUMNS, "DELTA_BINARY_PACKED"),
            dictionary_pagesize_limit=4 << 20,
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
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._file.close()

    @property
    def row_group_count(self) -> int:
        """Row groups written so far."""
        return len(self._entries)

    @property
    def bytes_written(self) -> int:
        """Bytes that have reached the file."""
        return self._file.tell()

    def write_row_group(self, events: Mapping[str, pa.Array], processes: pa.Table) -> None:
        """Write one row group.

        Args:
            events: columns of scope event and fd by path, all of the same length; `evt.num`,
                `evt.time`, `evt.type` and `proc.key` are required, missing others are null.
            processes: `proc.key` and any process columns, one row for each key in `events` at
                least.

        Row groups must follow each other in `evt.num`; rows inside one may come in any order, but
        those that are sorted by `proc.key` and `evt.num` need not be sorted here.
        """
        rows = len(events["evt.num"])
        if rows == 0:
            return
        keys = np.asarray(events[KEY])
        numbers = np.asarray(events["evt.num"])
        columns = dict(events)
        if not _is_sorted(keys, numbers):
            order = np.lexsort((numbers, keys))
            keys = keys[order]
            taken = pa.array(order)
            columns = {path: array.take(taken) for path, array in events.items()}
        present = select_processes(processes, keys)
        index = np.searchsorted(np.asarray(present[KEY]), keys)
        columns.update(process_columns(present, index))
        batch = nest(columns, rows, dictionary_schema())
        self._writer.write_batch(batch, row_group_size=rows)
        self._count_events(events["evt.type"])
        self._write_processes(present, events, rows)

    def close(self, footer: Footer) -> None:
        """Write the footer; row groups and event counts in it are replaced by the writer's own."""
        complete = msgspec.structs.replace(
            footer, row_groups=self._entries, event_counts=self._event_counts
        )
        self._writer.add_key_value_metadata({METADATA_KEY: encode_footer(complete)})
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _count_events(self, types: pa.Array) -> None:
        for item in pc.value_counts(types).to_pylist():
            name = item["values"]
            self._event_counts[name] = self._event_counts.get(name, 0) + item["counts"]

    def _write_processes(
        self, present: pa.Table, events: Mapping[str, pa.Array], rows: int
    ) -> None:
        offset = self._file.tell()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(self._sink, present.schema, options=options) as stream:
            stream.write_table(present)
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


def _leaves() -> list[str]:
    """The columns as Parquet calls them."""
    return [f"{path}.list.element" if c.is_list else path for path, c in COLUMNS.items()]


def _is_sorted(keys: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether rows are in the order of the file: by process state, then by number."""
    steps = np.diff(keys)
    return bool((steps >= 0).all() and (np.diff(numbers)[steps == 0] > 0).all())


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
        column.path: chosen[column.path].cast(flat_type(column.path))
        if column.path in names
        else pa.nulls(wanted.size, flat_type(column.path))
        for column in PROCESS_COLUMNS
    }
    return pa.table(columns)


def process_columns(processes: pa.Table, index: np.ndarray) -> dict[str, pa.Array]:
    """The process columns of events, given the row of the process table behind each event."""
    taken = pa.array(index)
    return {
        column.path: encode(processes[column.path].combine_chunks()).take(taken)
        for column in PROCESS_COLUMNS
    }


def encode(array: pa.Array) -> pa.Array:
    """Dictionary-encode text, also inside lists; other arrays stay as they are."""
    if pa.types.is_string(array.type):
        return array.dictionary_encode()
    if pa.types.is_list(array.type) and pa.types.is_string(array.type.value_type):
        values = array.flatten().dictionary_encode()
        lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)
    return array


def event_columns() -> tuple[str, ...]:
    """Paths that a source of events fills for each event (all but the process columns)."""
    return tuple(path for path, c in COLUMNS.items() if c.scope is not Scope.PROCESS)
