"""Opens captures and hands out flat columns, one row group at a time.

In: a file that calls itself a capture. Out: its footer, and columns by path with text as
    dictionaries. Anything that is truncated, foreign or too new is refused with one clear line.
    Nothing is evaluated here.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.capture.footer import (
    FORMAT_VERSION,
    METADATA_KEY,
    Footer,
    RowGroupEntry,
    decode_footer,
)
from falcotrace.capture.parquet.levels import run_begins
from falcotrace.capture.parquet.stored import StoredColumn, stored_column
from falcotrace.capture.process_table import PROCESS_TABLE_LIMIT_BYTES, decode_processes
from falcotrace.capture.schema import REQUIRED_COLUMNS, flat_type
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS

_MAGIC = b"PAR1"
_KEY = "proc.key"
_SCAP_MAGIC = b"\x0a\x0d\x0d\x0a"
_GZIP_MAGIC = b"\x1f\x8b"
_CODECS = frozenset({"UNCOMPRESSED", "ZSTD"})
_LARGEST_CHUNK_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group: its place in the file and the span that its rows cover."""

    index: int
    row_count: int
    first_num: int
    last_num: int
    first_time_ns: int
    last_time_ns: int


class Capture:
    """An open capture. Make one with `open_capture`; close it or use it as a context manager."""

    def __init__(self, path: Path, footer: Footer, file: pq.ParquetFile, raw: pa.OSFile) -> None:
        self.path = path
        self.footer = footer
        self._file = file
        self._raw = raw
        self._leaves = _leaf_indexes(file)
        self._schema: pa.Schema | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    @cached_property
    def row_groups(self) -> tuple[RowGroup, ...]:
        """The row groups, in time order."""
        return tuple(
            RowGroup(
                index=index,
                row_count=entry.row_count,
                first_num=entry.first_num,
                last_num=entry.last_num,
                first_time_ns=entry.first_time_ns,
                last_time_ns=entry.last_time_ns,
            )
            for index, entry in enumerate(self.footer.row_groups)
        )

    @property
    def row_count(self) -> int:
        """Number of events."""
        return sum(entry.row_count for entry in self.footer.row_groups)

    @cached_property
    def unrecorded(self) -> frozenset[str]:
        """Columns whose null says nothing, because this recording never fills them or is older."""
        return frozenset(self.footer.unrecorded) | self.lacking

    @cached_property
    def lacking(self) -> frozenset[str]:
        """Columns that the file does not have at all: those that came after its version."""
        return frozenset(COLUMNS.keys() - self._leaves.keys())

    def read(self, row_group: int, paths: Sequence[str]) -> dict[str, pa.Array]:
        """Read columns of one row group.

        Args:
            row_group: index of the row group.
            paths: columns to read; one that this file does not have comes as nulls.

        Returns:
            Flat arrays by path, all as long as the row group; text as dictionaries (int32 codes),
            lists of text as lists of dictionaries. Rows are sorted by `proc.key`, then `evt.num`.

        Raises:
            CaptureError: the file is damaged.
        """
        rows = self.footer.row_groups[row_group].row_count
        # One leaf at a time: several leaves of a struct together are put into one array and taken
        # out again (measured: 20 times slower for all columns).
        return {path: self._read_leaf(row_group, path, rows) for path in paths}

    def _read_leaf(self, row_group: int, path: str, rows: int) -> pa.Array:
        if path not in self._leaves or not rows:
            return pa.nulls(rows, flat_type(path))
        try:
            table = self._file.read_row_group(row_group, columns=[path], use_threads=False)
            found = _leaf(table, path)
            # Places in a dictionary may be beyond its end, and texts no UTF-8.
            found.validate(full=True)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise CaptureError(self.path, f"is damaged: {_first_line(error)}") from None
        if table.num_rows != rows:
            raise CaptureError(self.path, "is damaged: row group and footer disagree")
        return found

    def stored(self, row_group: int, path: str) -> StoredColumn | None:
        """A column of one row group as it is stored, for whoever needs few of its rows.

        Returns:
            None where `read` has to be asked: of lists and bytes, of columns that are stored in
            another way, and of damaged ones.
        """
        rows = self.footer.row_groups[row_group].row_count
        leaf = self._leaves.get(path)
        if leaf is None or not rows or not self._is_usual(path):
            return None
        about = self._file.metadata.row_group(row_group).column(leaf)
        codec = about.compression
        if codec not in _CODECS or about.total_compressed_size > _LARGEST_CHUNK_BYTES:
            return None
        begin = about.data_page_offset
        if about.dictionary_page_offset is not None:
            begin = min(begin, about.dictionary_page_offset)
        try:
            raw = self._raw.read_at(about.total_compressed_size, begin)
        except (OSError, ValueError):
            return None
        return stored_column(
            raw,
            flat_type(path),
            rows,
            is_required=path in REQUIRED_COLUMNS,
            is_compressed=codec != "UNCOMPRESSED",
        )

    def _is_usual(self, path: str) -> bool:
        """Whether the file has a column as a capture's schema says it."""
        if self._schema is None:
            self._schema = self._file.schema_arrow
        found = self._schema
        *above, name = path.split(".")
        for step in above:
            field = found.field(step)
            if field.nullable:
                return False
            found = field.type
        leaf = found.field(name)
        kind = leaf.type.value_type if pa.types.is_dictionary(leaf.type) else leaf.type
        return bool(kind == flat_type(path) and leaf.nullable != (path in REQUIRED_COLUMNS))

    def processes(self, row_group: int) -> "pa.Table | RowStates":
        """The states of processes that occur in a row group, sorted by `proc.key`.

        Returns:
            `proc.key` and every process column of the schema by path, one row for each key; text as
            dictionaries where there is any. What no table in the file says is read when it is asked
            for.

        Raises:
            CaptureError: the file is damaged.
        """
        entry = self.footer.row_groups[row_group]
        if not entry.processes_bytes:
            return RowStates(self, row_group)
        try:
            with self.path.open("rb") as file:
                file.seek(entry.processes_offset)
                raw = file.read(entry.processes_bytes)
            table = decode_processes(raw)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise CaptureError(self.path, f"is damaged: {_first_line(error)}") from None
        for column in PROCESS_COLUMNS:
            if column.path not in table.column_names:
                nulls = pa.nulls(table.num_rows, flat_type(column.path))
                table = table.append_column(column.path, nulls)
        return table.combine_chunks()

    def process_table(self, row_group: int) -> pa.Table:
        """The same as one table, with every column.

        Raises:
            CaptureError: the file is damaged.
        """
        states = self.processes(row_group)
        if isinstance(states, pa.Table):
            return states
        paths = (_KEY, *(column.path for column in PROCESS_COLUMNS))
        return pa.table({path: states[path] for path in paths}).combine_chunks()


class RowStates:
    """States of processes as the first row of each has them: beside small row groups is no table.

    Raises:
        CaptureError: the file is damaged.
    """

    def __init__(self, capture: Capture, row_group: int) -> None:
        self._capture = capture
        self._row_group = row_group
        keys = capture.read(row_group, [_KEY])[_KEY]
        if keys.null_count or not pa.types.is_integer(keys.type):
            raise CaptureError(capture.path, "is damaged: an event has no process state")
        # `to_numpy` and `pyarrow.array` would import pandas, which takes longer than a small scan.
        raw = np.frombuffer(keys.buffers()[1], str(keys.type), len(keys) + keys.offset)
        begins = run_begins(raw[keys.offset :]).astype(np.int64)
        self._begins = pa.Array.from_buffers(pa.int64(), len(begins), [None, pa.py_buffer(begins)])

    def __len__(self) -> int:
        return len(self._begins)

    def __getitem__(self, path: str) -> pa.ChunkedArray:
        """A column.

        Raises:
            CaptureError: the file is damaged.
        """
        column = self._capture.read(self._row_group, [path])[path]
        return pa.chunked_array([column.take(self._begins)])


def is_scap(path: Path) -> bool:
    """Whether a file begins as `.scap` files do, compressed or not; those are read elsewhere."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_SCAP_MAGIC))
    except OSError:
        return False
    return head == _SCAP_MAGIC or head.startswith(_GZIP_MAGIC)


def open_capture(path: Path) -> Capture:
    """Open a capture.

    Raises:
        CaptureError: the file cannot be read, is not Parquet, is truncated, is no capture, or was
            written in a newer format.
    """
    file = _open_parquet(path)
    footer = _footer_of(path, file.metadata)
    _check_entries(path, file, footer.row_groups)
    coded = _coded_names(file)
    # Without reading ahead: one leaf at a time gains nothing by it, and Arrow 26 was seen to wait
    # for ever in it, when many threads read (its future's condition variable was gone).
    raw = pa.OSFile(os.fsencode(path))
    dictionaries = pq.ParquetFile(
        raw,
        metadata=file.metadata,
        read_dictionary=coded,
        pre_buffer=False,
    )
    return Capture(path, footer, dictionaries, raw)


def read_footer(path: Path | str, file: BinaryIO | None = None) -> Footer:
    """What a capture says about itself, without opening it to read more.

    Args:
        path: the file, or how errors name it.
        file: its bytes, where they are not on this machine.

    Raises:
        CaptureError: as `open_capture`.
    """
    if file is None:
        return _footer_of(path, _open_parquet(Path(path)).metadata)
    try:
        metadata = pq.read_metadata(file)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise CaptureError(path, f"is no capture: {_first_line(error)}") from None
    return _footer_of(path, metadata)


def _footer_of(path: Path | str, metadata: pq.FileMetaData) -> Footer:
    raw = (metadata.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise CaptureError(path, "is a Parquet file, but not a capture of FalcoTrace")
    try:
        footer = decode_footer(raw)
    except ValueError as error:
        raise CaptureError(path, f"has a damaged footer: {error}") from None
    if footer.format_version > FORMAT_VERSION:
        raise CaptureError(
            path,
            f"has format version {footer.format_version}; this FalcoTrace reads up to "
            f"{FORMAT_VERSION}: install a newer one",
        )
    return footer


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        with path.open("rb") as file:
            head = file.read(4)
            size = file.seek(0, 2)
            file.seek(max(0, size - 4))
            tail = file.read(4)
    except IsADirectoryError:
        raise CaptureError(path, "is a directory, expected a capture") from None
    except OSError as error:
        raise CaptureError(path, f"cannot be read: {error.strerror}") from None
    if head != _MAGIC and is_scap(path):
        raise CaptureError(path, "is a .scap file: `falcotrace import` makes a capture of it")
    if head != _MAGIC:
        raise CaptureError(path, "is not a Parquet file, expected a capture")
    if tail != _MAGIC:
        raise CaptureError(path, "is truncated: the footer at its end is missing")
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise CaptureError(path, f"is damaged: {_first_line(error)}") from None


def _check_entries(path: Path, file: pq.ParquetFile, entries: Sequence[RowGroupEntry]) -> None:
    rows = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    if rows != [entry.row_count for entry in entries]:
        raise CaptureError(path, "is damaged: row groups and footer disagree")
    size = path.stat().st_size
    for entry in entries:
        end = entry.processes_offset + entry.processes_bytes
        if (
            entry.processes_offset < 0
            or not 0 <= entry.processes_bytes <= PROCESS_TABLE_LIMIT_BYTES
            or end > size
        ):
            raise CaptureError(path, "is damaged: a process table lies outside the file")


def _leaf_indexes(file: pq.ParquetFile) -> dict[str, int]:
    """Columns of ours that the file has, and their places among its leaves."""
    schema = file.metadata.schema
    paths = (schema.column(i).path.removesuffix(".list.element") for i in range(len(schema)))
    return {path: place for place, path in enumerate(paths) if path in COLUMNS}


def _coded_names(file: pq.ParquetFile) -> list[str]:
    schema = file.metadata.schema
    paths = (schema.column(i).path for i in range(len(schema)))
    return [
        path
        for path in paths
        if (column := COLUMNS.get(path.removesuffix(".list.element"))) and column.is_text
    ]


def _leaf(table: pa.Table, path: str) -> pa.Array:
    head, *rest = path.split(".")
    chunks = table[head].chunks
    array = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
    for name in rest:
        array = array.field(name)
    return array


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
