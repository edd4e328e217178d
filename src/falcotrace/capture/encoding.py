"""Encodes a row group of a capture: batches of events and a table of process states, sorted.

In: flat event columns that carry `proc.key`, and a table with one row for each key. Out: column
    chunks in which every event carries its process's columns, and what the capture's footer says of
    the row group. Nothing is written, so this can be done anywhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.parquet.chunk import MEDIUM_COUNT, Chunk, Statistics
from falcotrace.capture.parquet.levels import run_begins
from falcotrace.capture.parquet.rows import has_long_texts, null_chunk, rising_chunk, rows_chunk
from falcotrace.capture.parquet.runs import lists_chunk, runs_chunk
from falcotrace.capture.parquet.schema import Leaf, leaves
from falcotrace.capture.parquet.values import Presence, Sparse, Stepwise
from falcotrace.capture.process_table import encode_processes
from falcotrace.capture.schema import REQUIRED_COLUMNS, capture_schema, flat_type
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS

KEY = "proc.key"

STATISTICS_COLUMNS = ("evt.num", "evt.time", "evt.type", KEY)
"""Columns by which readers prune; statistics of the others only cost space."""

DELTA_COLUMNS = ("evt.num", "evt.time")
"""Numbers that differ from event to event: as dictionaries they were two fifths of a capture, as
differences they are half as large and decoded in a third of the time (measured)."""

_LONG_STEPS = 4
"""Rows; a column whose steps are shorter on average is written row by row."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedRowGroup:
    """A row group as it is written.

    Attributes:
        row_count: its events.
        chunks: one for each leaf of the schema, in its order.
        statistics: of the columns, by path, that readers prune by.
        processes: the table of process states beside it; empty beside a small one.
        process_count: states in that table.
        nums: the least and the greatest `evt.num`.
        times_ns: the least and the greatest `evt.time`.
        event_counts: events by type.
    """

    row_count: int
    chunks: tuple[Chunk, ...]
    statistics: Mapping[str, Statistics]
    processes: bytes
    process_count: int
    nums: tuple[int, int]
    times_ns: tuple[int, int]
    event_counts: Mapping[str, int]


def encode_row_group(
    events: Mapping[str, pa.Array | Sparse | Stepwise], processes: pa.Table
) -> EncodedRowGroup:
    """Encode one row group of at least one event.

    Args:
        events: columns of scope event and fd by path, all of the same length or sparse; `evt.num`,
            `evt.time`, `evt.type` and `proc.key` are required as arrays, missing others are null.
            Stepwise ones only where rows are sorted by `proc.key` and `evt.num`.
        processes: `proc.key` and any process columns, one row for each key in `events` at least.

    Rows may come in any order, but those that are sorted by `proc.key` and `evt.num` cost a little
    less.

    Raises:
        KeyError: there is no such column, no such process state, or a required column is not there.
        ValueError: columns are not equally long, or a required one misses a value.
    """
    rows = len(np.asarray(events[KEY]))
    _require(events, rows)
    keys = np.asarray(events[KEY])
    order = _order(keys, np.asarray(events["evt.num"]))
    if order is not None:
        keys = keys[order]
    begins = run_begins(keys)
    present = select_processes(processes, keys[begins])
    counts = np.diff(np.append(begins, rows))
    return EncodedRowGroup(
        row_count=rows,
        chunks=tuple(_chunks(events, Presence(rows, order), present, counts)),
        statistics={path: _bounds(events[path]) for path in STATISTICS_COLUMNS},
        processes=encode_processes(present) if rows > MEDIUM_COUNT else b"",
        process_count=present.num_rows,
        nums=_span(events["evt.num"]),
        times_ns=_span(events["evt.time"]),
        event_counts={
            item["values"]: item["counts"]
            for item in pc.value_counts(events["evt.type"]).to_pylist()
        },
    )


def _require(events: Mapping[str, pa.Array | Sparse | Stepwise], rows: int) -> None:
    unknown = events.keys() - COLUMNS.keys()
    if unknown:
        raise KeyError(f"no column is called {min(unknown)!r}")
    for path in REQUIRED_COLUMNS:
        column = events[path]
        if isinstance(column, Sparse | Stepwise) or column.null_count or len(column) != rows:
            raise ValueError(f"{path} does not have a value for every event")


def _chunks(
    events: Mapping[str, pa.Array | Sparse | Stepwise],
    presence: Presence,
    present: pa.Table,
    counts: np.ndarray,
) -> Iterator[Chunk]:
    states = {path: present[path].chunk(0) for path in present.column_names}
    for leaf in _leaves():
        path = leaf.path
        if path in states:
            yield (lists_chunk if leaf.is_list else runs_chunk)(leaf, states[path], counts)
        elif path not in events:
            yield null_chunk(leaf, presence.count)
        elif path in DELTA_COLUMNS:
            yield rising_chunk(leaf, events[path], presence)
        else:
            yield event_chunk(leaf, events[path], presence)


def event_chunk(leaf: Leaf, column: pa.Array | Sparse | Stepwise, presence: Presence) -> Chunk:
    """A column of events in whatever form it is given.

    Raises:
        ValueError: it is too short or too long, or its form does not fit the order of rows.
    """
    if isinstance(column, Stepwise):
        if presence.is_sorting:
            raise ValueError("columns that are told step by step must be in the order of the file")
        values = _cast(column.values, leaf.type)
        is_long = len(values) * _LONG_STEPS <= presence.count
        if is_long and not has_long_texts(values):
            encode = lists_chunk if leaf.is_list else runs_chunk
            return encode(leaf, values, column.counts(presence.count))
        column = Stepwise(column.begins, values).array(presence.count)
    if isinstance(column, Sparse):
        column = Sparse(column.places, _cast(column.values, leaf.type))
        return rows_chunk(leaf, column, presence)
    return rows_chunk(leaf, _cast(column, leaf.type), presence)


@cache
def _leaves() -> tuple[Leaf, ...]:
    return tuple(leaves(capture_schema()))


def _span(numbers: pa.Array) -> tuple[int, int]:
    bounds = pc.min_max(numbers)
    return bounds["min"].as_py(), bounds["max"].as_py()


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


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column in the type of its leaf; dictionaries stay dictionaries."""
    if column.type == kind or pa.types.is_dictionary(column.type):
        return column
    return column.cast(kind)


def _bounds(array: pa.Array) -> Statistics:
    # What a dictionary holds beyond what occurs makes the bounds wider, not wrong.
    bounds = pc.min_max(array.dictionary if pa.types.is_dictionary(array.type) else array)
    least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
    if isinstance(least, str):
        return Statistics(least.encode(), greatest.encode())
    return Statistics(
        least.to_bytes(8, "little", signed=True), greatest.to_bytes(8, "little", signed=True)
    )
