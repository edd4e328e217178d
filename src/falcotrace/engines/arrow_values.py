"""Vectors as Arrow arrays of one type for each operand, for whoever goes on with them.

In: an operand and its vector for some rows. Out: texts in the form of `events.text.to_text`, bytes
as they are, numbers as numbers (those that Falco prints in a special form as that text), lists as
lists; of both ends of a connection and of an address's names the one that Falco prints. Null where
the event has no value.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.printing import is_plain_number, printed_texts
from falcotrace.engines.vectors import (
    Bools,
    EndsVector,
    ListVector,
    NumberVector,
    TextVector,
    Vector,
    arrow_texts,
    texts_of,
)
from falcotrace.events.columns import COLUMNS
from falcotrace.events.fields import FieldType, Storage, column_path
from falcotrace.events.operators import Multiplicity, ValueKind, kind_of
from falcotrace.rules.plan import FieldOperand, Operand

_SCALARS = {
    ValueKind.TEXT: pa.string(),
    ValueKind.ADDRESS: pa.string(),
    ValueKind.NETWORK: pa.string(),
    ValueKind.BYTES: pa.binary(),
    ValueKind.BOOL: pa.bool_(),
    ValueKind.NUMBER: pa.int64(),
}


def arrow_type(operand: Operand) -> pa.DataType:
    """The Arrow type of an operand's values, whatever a capture has of them.

    Example:
        >>> from falcotrace.rules.field_reference import find_field
        >>> arrow_type(find_field("proc.aname", None))
        ListType(list<item: string>)
    """
    if operand.multiplicity in {Multiplicity.LIST, Multiplicity.ANY_ANCESTOR}:
        return pa.list_(_scalar_type(operand))
    return _scalar_type(operand)


def _scalar_type(operand: Operand) -> pa.DataType:
    kind = kind_of(operand.type)
    if operand.type is FieldType.MIXED:
        return pa.string()
    if kind is not ValueKind.NUMBER:
        return _SCALARS[kind]
    if not is_plain_number(operand):
        return pa.string()
    if operand.type is FieldType.DOUBLE:
        return pa.float64()
    return pa.uint64() if _is_unsigned(operand) else pa.int64()


def _is_unsigned(operand: Operand) -> bool:
    """Whether a capture stores numbers beyond the range of signed ones for a field."""
    if not isinstance(operand, FieldOperand):
        return False
    field = operand.field
    if field.name == "evt.rawarg":
        path = f"evt.rawarg.{operand.argument}"
    elif field.storage is Storage.SAME:
        path = column_path(field.source)
    else:
        path = field.path
    return path in COLUMNS and COLUMNS[path].type == "uint64"


def arrow_array(operand: Operand, vector: Vector) -> pa.Array:
    """The values of an operand's vector, of the type that `arrow_type` says."""
    if isinstance(vector, EndsVector):
        return arrow_array(operand, vector.left)
    if isinstance(vector, ListVector) and operand.multiplicity is Multiplicity.ANY_NAME:
        return arrow_array(operand, vector.element(0))
    kind = arrow_type(operand)
    if not vector.present().any():
        return pa.nulls(len(vector), kind)
    if isinstance(vector, ListVector):
        assert pa.types.is_list(kind)
        elements = _scalar_array(operand, vector.elements, kind.value_type)
        offsets = pa.py_buffer(np.ascontiguousarray(vector.offsets, np.int32))
        valid = _bitmap(vector.present())
        return pa.Array.from_buffers(kind, len(vector), [valid, offsets], children=[elements])
    found = _scalar_array(operand, vector, kind.value_type if pa.types.is_list(kind) else kind)
    return _as_lists(found) if pa.types.is_list(kind) else found


def _scalar_array(
    operand: Operand, vector: TextVector | NumberVector, kind: pa.DataType
) -> pa.Array:
    if isinstance(vector, TextVector):
        return texts_of(vector.compact()).cast(kind)
    if pa.types.is_string(kind):
        return _texts(printed_texts(operand, vector))
    values = vector.values
    valid = None if vector.valid is None else _bitmap(vector.valid)
    if values.dtype == np.bool_:
        data = _bitmap(values.astype(np.bool_, copy=False))
        return pa.Array.from_buffers(pa.bool_(), len(values), [valid, data]).cast(kind)
    plain = np.ascontiguousarray(values)
    name = pa.from_numpy_dtype(plain.dtype)
    # A negative number in a field without a sign wraps around, as it does in Falco.
    return pa.Array.from_buffers(name, len(plain), [valid, pa.py_buffer(plain)]).cast(
        kind, safe=False
    )


def _texts(values: list[str | None]) -> pa.Array:
    """Texts with nulls, made without `pa.array`, which would import pandas."""
    array = arrow_texts(value or "" for value in values)
    present = np.array([value is not None for value in values], np.bool_)
    return pc.if_else(_booleans(present), array, pa.nulls(1, pa.string())[0])


def _booleans(truth: Bools) -> pa.Array:
    return pa.Array.from_buffers(pa.bool_(), len(truth), [None, _bitmap(truth)])


def _bitmap(truth: Bools) -> pa.Buffer:
    return pa.py_buffer(np.packbits(truth, bitorder="little"))


def _as_lists(array: pa.Array) -> pa.Array:
    """Single values of a field that stands for several, each as a list of one."""
    offsets = pa.py_buffer(np.arange(len(array) + 1, dtype=np.int32))
    kind = pa.list_(array.type)
    return pa.Array.from_buffers(kind, len(array), [None, offsets], children=[array])
