"""The Arrow schema of a capture, made from the table of columns: nested structs named as fields.

In: `events.columns.COLUMNS`. Out: the schema, and the types of flat columns. Dictionaries are an
    encoding in Parquet, not a type.
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

REQUIRED_COLUMNS = ("evt.num", "evt.time", "evt.type", "proc.key")
"""Columns that every event has. Structs are never null either, only what is in them: each level
that can be null costs a reader a bit an event and a step of decoding (14 % of it, measured)."""


def flat_type(path: str) -> pa.DataType:
    """The Arrow type of a column; raises KeyError for a path that is none."""
    return _TYPES[COLUMNS[path].type]


@cache
def capture_schema() -> pa.Schema:
    """The one schema of format version 1: all leaves, in one order, whatever was recorded."""
    return pa.schema(_fields(tuple(COLUMNS), ""))


def _fields(paths: Iterable[str], prefix: str) -> list[pa.Field]:
    members: dict[str, list[str]] = {}
    for path in paths:
        members.setdefault(path.removeprefix(prefix).split(".")[0], []).append(path)
    return [
        pa.field(name, flat_type(inside[0]), inside[0] not in REQUIRED_COLUMNS)
        if inside == [prefix + name]
        else pa.field(name, pa.struct(_fields(inside, f"{prefix}{name}.")), nullable=False)
        for name, inside in members.items()
    ]
