"""The Arrow schema of a capture, made from the table of columns: nested structs named as fields.

In: `events.columns.COLUMNS`. Out: schemas, and the step from flat columns to nested ones that the
    writer
takes. Files are the same whichever schema wrote them: dictionaries are an encoding, not a type, in
Parquet.
"""

from collections.abc import Iterable, Mapping
from functools import cache

import pyarrow as pa

from falcotrace.events.columns import COLUMNS

_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "uint64": pa.uint64(),
    "bool": pa.bool_(),
    "binary": pa.binary(),
    "list<string>": pa.list_(pa.field("element", pa.string())),
    "list<int64>": pa.list_(pa.field("element", pa.int64())),
}

_CODED_TEXT = pa.dictionary(pa.int32(), pa.string())

_DICTIONARY_TYPES: Mapping[str, pa.DataType] = {
    **_TYPES,
    "string": _CODED_TEXT,
    "list<string>": pa.list_(pa.field("element", _CODED_TEXT)),
}


REQUIRED_COLUMNS = ("evt.num", "evt.time", "evt.type", "proc.key")
"""Columns that every event has. Structs are never null either, only what is in them: each level
that can be null costs a reader a bit an event and a step of decoding (14 % of it, measured)."""


def flat_type(path: str) -> pa.DataType:
    """The Arrow type of a column; raises KeyError for a path that is none."""
    return _TYPES[COLUMNS[path].type]


@cache
def capture_schema() -> pa.Schema:
    """The one schema of format version 1: all leaves, in one order, whatever was recorded."""
    return pa.schema(_fields(tuple(COLUMNS), "", _TYPES))


@cache
def dictionary_schema() -> pa.Schema:
    """The same schema with every text dictionary-encoded, as the writer hands it to Parquet."""
    return pa.schema(_fields(tuple(COLUMNS), "", _DICTIONARY_TYPES))


def _fields(paths: Iterable[str], prefix: str, types: Mapping[str, pa.DataType]) -> list[pa.Field]:
    members: dict[str, list[str]] = {}
    for path in paths:
        members.setdefault(path.removeprefix(prefix).split(".")[0], []).append(path)
    return [
        pa.field(name, types[COLUMNS[inside[0]].type], inside[0] not in REQUIRED_COLUMNS)
        if inside == [prefix + name]
        else pa.field(name, pa.struct(_fields(inside, f"{prefix}{name}.", types)), nullable=False)
        for name, inside in members.items()
    ]


def nest(columns: Mapping[str, pa.Array], rows: int, schema: pa.Schema) -> pa.RecordBatch:
    """Put flat columns into a nested schema; columns that are left out become null.

    Args:
        columns: arrays by path, `rows` long; cast where the type differs.
        rows: the number of rows.
        schema: `capture_schema()` or `dictionary_schema()`.

    Raises:
        KeyError: a path that is no column.
    """
    unknown = columns.keys() - COLUMNS.keys()
    if unknown:
        raise KeyError(f"no column is called {min(unknown)!r}")
    nulls = {kind: pa.nulls(rows, kind) for kind in {*_TYPES.values(), *_DICTIONARY_TYPES.values()}}
    arrays = [_nest_field(field, field.name, columns, nulls) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _nest_field(
    field: pa.Field,
    path: str,
    columns: Mapping[str, pa.Array],
    nulls: Mapping[pa.DataType, pa.Array],
) -> pa.Array:
    if not pa.types.is_struct(field.type):
        array = columns.get(path)
        if array is None:
            return nulls[field.type]
        return array if array.type == field.type else array.cast(field.type)
    children = [_nest_field(child, f"{path}.{child.name}", columns, nulls) for child in field.type]
    return pa.StructArray.from_arrays(children, fields=list(field.type))
