"""A capture's schema in Parquet's words.

In: an Arrow schema of structs that are never null, lists of one level and plain leaves. Out: the
    elements of Parquet's schema, and the leaves that column chunks are written for.

The words are those of Apache Parquet, parquet.thrift; the schema is the one that Arrow would write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from falcotrace.capture.parquet.thrift import EMPTY, FALSE, Value, binary, byte, i32, structure

BOOLEAN: Final = 0
INT32: Final = 1
INT64: Final = 2
BYTE_ARRAY: Final = 6

_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2

_TEXT = {6: i32(0), 10: structure({1: EMPTY})}
_LIST = {6: i32(3), 10: structure({3: EMPTY})}
_UNSIGNED = {6: i32(14), 10: structure({10: structure({1: byte(64), 2: FALSE})})}

_LEAVES: Final[dict[pa.DataType, tuple[int, dict[int, Value]]]] = {
    pa.bool_(): (BOOLEAN, {}),
    pa.int32(): (INT32, {}),
    pa.int64(): (INT64, {}),
    pa.uint64(): (INT64, _UNSIGNED),
    pa.string(): (BYTE_ARRAY, _TEXT),
    pa.binary(): (BYTE_ARRAY, {}),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column as Parquet sees it.

    Attributes:
        path: the Arrow fields above it and its own name, joined by dots.
        parts: the same as Parquet has it, with the levels of a list.
        type: the Arrow type; of a list, that of the list.
        physical: the number of Parquet's type.
        is_required: whether each row has a value.
    """

    path: str
    parts: tuple[str, ...]
    type: pa.DataType
    physical: int
    is_required: bool

    @property
    def is_list(self) -> bool:
        """Whether a row can have several values."""
        return pa.types.is_list(self.type)


def schema_elements(schema: pa.Schema) -> list[Value]:
    """The elements of the schema, depth first, with the root."""
    root = structure({3: i32(_REQUIRED), 4: binary(b"schema"), 5: i32(len(schema))})
    return [root, *(element for field in schema for element in _elements(field))]


def _elements(field: pa.Field) -> Iterator[Value]:
    name = binary(field.name.encode())
    repetition = i32(_OPTIONAL if field.nullable else _REQUIRED)
    if pa.types.is_struct(field.type):
        yield structure({3: repetition, 4: name, 5: i32(field.type.num_fields)})
        for child in field.type:
            yield from _elements(child)
    elif pa.types.is_list(field.type):
        yield structure({3: repetition, 4: name, 5: i32(1), **_LIST})
        yield structure({3: i32(_REPEATED), 4: binary(b"list"), 5: i32(1)})
        yield from _elements(field.type.value_field.with_name("element"))
    else:
        physical, annotation = _LEAVES[field.type]
        yield structure({1: i32(physical), 3: repetition, 4: name, **annotation})


def leaves(schema: pa.Schema) -> list[Leaf]:
    """The columns, in the order of the file."""
    return [leaf for field in schema for leaf in _leaves(field, ())]


def _leaves(field: pa.Field, above: tuple[str, ...]) -> Iterator[Leaf]:
    names = (*above, field.name)
    if pa.types.is_struct(field.type):
        for child in field.type:
            yield from _leaves(child, names)
        return
    is_list = pa.types.is_list(field.type)
    value_type = field.type.value_type if is_list else field.type
    yield Leaf(
        path=".".join(names),
        parts=(*names, "list", "element") if is_list else names,
        type=field.type,
        physical=_LEAVES[value_type][0],
        is_required=not field.nullable,
    )
