"""What the states of processes decide, before any event is read.

In: the captures of a part and the queries of a batch. Out: the relation `gates`
(`falcotrace.engines.sql.batch`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from falcotrace.engines.batch.parts import Part
from falcotrace.engines.capture_source import PROCESS_KEY, first_time_ns
from falcotrace.engines.sql.batch import Batch
from falcotrace.engines.sql.split import WORD_BITS
from falcotrace.engines.vectors import Bools, Integers

_KINDS = """
CREATE OR REPLACE TEMP TABLE kinds AS
SELECT row_number() OVER () - 1 AS kind, *
FROM (SELECT * EXCLUDE (place), list(place) AS places FROM states GROUP BY ALL)
"""
"""States of other processes, row groups and captures that say the same are asked once."""


@dataclass(frozen=True, slots=True, eq=False)
class _Spans:
    """For each state of each row group where it stands, sorted by file, state and row."""

    files: Integers
    keys: Integers
    first_rows: Integers
    last_rows: Integers


def gates_of(part: Part, batch: Batch, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Ask the states of a part.

    Raises:
        CaptureError: a capture is damaged.
    """
    states, spans = _states(part, batch.state_columns)
    connection.register("states", states)
    connection.execute(_KINDS)
    connection.unregister("states")
    kinds = connection.sql("SELECT kind, unnest(places) AS place FROM kinds").to_arrow_table()
    kind_of = np.zeros(len(states), np.int64)
    kind_of[kinds["place"].to_numpy()] = kinds["kind"].to_numpy()
    count = len(batch.rules)
    truths = list(_truths(batch.gate_queries, connection))
    words = {
        **_packed("g", [truth.take(kind_of) for truth in truths[:count]]),
        **_packed("b", [truth.take(kind_of) for truth in truths[count:]]),
    }
    return _told(part, *_merged(spans, words))


def _states(part: Part, columns: Sequence[str]) -> tuple[pa.Table, _Spans]:
    """The relation `states`, and where each of them stands."""
    tables: list[pa.Table] = []
    spans: list[tuple[Integers, ...]] = []
    for place, capture in enumerate(part.captures):
        for group in part.groups_of(capture):
            processes = capture.processes(group.index)
            tables.append(pa.table(_nested({path: _plain(processes[path]) for path in columns})))
            keys = processes[PROCESS_KEY].to_numpy().astype(np.int64)
            first = sum(other.row_count for other in capture.row_groups[: group.index])
            of_group = (place, first, first + group.row_count - 1)
            spans.append((keys, *(np.full(len(keys), value) for value in of_group)))
    keys, files, first_rows, last_rows = map(np.concatenate, zip(*spans, strict=True))
    states = pa.concat_tables(tables) if columns else pa.table({})
    places = pa.array(np.arange(len(keys)))
    told = pa.table([places, *states.columns], ["place", *states.column_names])
    return told, _Spans(files, keys, first_rows, last_rows)


def _truths(queries: Iterable[str], connection: duckdb.DuckDBPyConnection) -> Iterator[Bools]:
    """For each truth whether it holds, by kind."""
    for query in queries:
        found = connection.sql(query).to_arrow_table()
        order = np.argsort(found["kind"].to_numpy())
        for column in found.columns[1:]:
            yield column.to_numpy().astype(np.bool_).take(order)


def _packed(prefix: str, truths: Sequence[Bools]) -> dict[str, Integers]:
    """Numbers of which each bit is a truth."""
    words: dict[str, Integers] = {}
    for start in range(0, len(truths), WORD_BITS):
        word = np.zeros(len(truths[start]), np.int64)
        for bit, truth in enumerate(truths[start : start + WORD_BITS]):
            word |= truth.astype(np.int64) << bit
        words[f"{prefix}{len(words)}"] = word
    return words


def _merged(spans: _Spans, words: Mapping[str, Integers]) -> tuple[_Spans, dict[str, Integers]]:
    """Spans of one state that follow each other and say the same become one."""
    order = np.lexsort((spans.first_rows, spans.keys, spans.files))
    files, keys = spans.files.take(order), spans.keys.take(order)
    ordered = {name: word.take(order) for name, word in words.items()}
    is_new = np.zeros(len(order), np.bool_)
    is_new[:1] = True
    for values in (files, keys, *ordered.values()):
        is_new[1:] |= values[1:] != values[:-1]
    begins = np.flatnonzero(is_new)
    ends = np.append(begins[1:], len(order)) - 1
    merged = _Spans(
        files.take(begins),
        keys.take(begins),
        spans.first_rows.take(order).take(begins),
        spans.last_rows.take(order).take(ends),
    )
    return merged, {name: word.take(begins) for name, word in ordered.items()}


def _told(part: Part, spans: _Spans, words: Mapping[str, Integers]) -> pa.Table:
    """The relation `gates`."""
    hosts = pa.array([capture.footer.host.hostname for capture in part.captures], pa.string())
    starts = pa.array([first_time_ns(capture.footer) for capture in part.captures], pa.int64())
    files = pa.array(spans.files)
    return pa.table(
        {
            "file": files,
            "key": spans.keys,
            "first_row": spans.first_rows,
            "last_row": spans.last_rows,
            "host_name": hosts.take(files),
            "first_event_ns": starts.take(files),
            **words,
        }
    )


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column without dictionaries: those of row groups differ, and tables are put together."""
    array = column.combine_chunks()
    kind = array.type
    if pa.types.is_dictionary(kind):
        return array.dictionary_decode()
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return array.cast(pa.list_(kind.value_type.value_type))
    return array


def _nested(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns as structs: `proc.name` is the member `name` of `proc`."""
    members: dict[str, dict[str, pa.Array]] = {}
    nested: dict[str, pa.Array] = {}
    for path, array in columns.items():
        head, _, rest = path.partition(".")
        if rest:
            members.setdefault(head, {})[rest] = array
        else:
            nested[head] = array
    for head, inside in members.items():
        arrays = _nested(inside)
        nested[head] = pa.StructArray.from_arrays(list(arrays.values()), list(arrays))
    return nested
