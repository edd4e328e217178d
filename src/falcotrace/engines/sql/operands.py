"""Operands of a plan as SQL: fields by how a capture answers them, and functions of values.

In: operands. Out: `values.SqlOperand`. What checks ask of them is not decided here.

Source: `falcotrace.events.fields` (Storage); libs 48dfd53c
userspace/libsinsp/sinsp_filter_transformer*.cpp for functions.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import assert_never

from sqlglot import exp

from falcotrace.engines.field_columns import DESCRIPTOR_COLUMN, OWN_COLUMN
from falcotrace.engines.sql import build, raw_text
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.context import ENGINE, Context
from falcotrace.engines.sql.derived_arguments import ARGUMENT_FUNCTIONS
from falcotrace.engines.sql.derived_events import EVENT_FUNCTIONS, Argument
from falcotrace.engines.sql.derived_state import STATE_FUNCTIONS
from falcotrace.engines.sql.text_checks import fold_case, raise_case
from falcotrace.engines.sql.values import Ends, Items, Missing, Scalar, SqlOperand
from falcotrace.errors import UnsupportedError
from falcotrace.events.fields import FieldType, Storage, column_path
from falcotrace.events.operators import Multiplicity, ValueKind, kind_of
from falcotrace.rules.ast import Transform
from falcotrace.rules.plan import (
    Constant,
    FieldOperand,
    ListOperand,
    Operand,
    TransformOperand,
)

DERIVED_FUNCTIONS: Mapping[str, Callable[[Context, Argument], Scalar | Items]] = MappingProxyType(
    {**EVENT_FUNCTIONS, **STATE_FUNCTIONS, **ARGUMENT_FUNCTIONS}
)
"""Every derived function by the name that `fields.tsv` gives it; `around` is a check of its own."""

_REQUIRED = frozenset({"evt.num", "evt.time", "evt.type"})
_HOST_NAME = """
(
    SELECT decode(footer.value) ->> '$.host.hostname'
    FROM :footer AS footer
    WHERE footer.key = 'falcotrace'
)
"""


_DECODED = "CASE WHEN :text IN (:bare, :full) AND to_base64(:raw) = :full THEN :raw END"
"""Strictly: padding may be left out, but bits that mean nothing must be zero."""


def operand_sql(operand: Operand, context: Context) -> SqlOperand:
    """Translate an operand.

    Raises:
        UnsupportedError: a capture cannot answer the field, or SQL cannot express the function.
    """
    match operand:
        case FieldOperand():
            return _field(operand, context)
        case TransformOperand():
            return _transform(operand, context)
        case _:
            assert_never(operand)


def _field(operand: FieldOperand, context: Context) -> SqlOperand:
    field = operand.field
    kind = kind_of(operand.type)
    match field.storage:
        case Storage.COLUMN:
            return _column(operand, kind)
        case Storage.DERIVED:
            value = DERIVED_FUNCTIONS[field.source](context, operand.argument)
            if field.type is FieldType.DYNAMIC and isinstance(value, Scalar):
                return _as_kind(value, kind)
            return value
        case Storage.SAME:
            return _address(column_path(field.source), kind)
        case Storage.BOTH_ENDS:
            left, right = field.source.split(",")
            known = build.is_present(build.column(DESCRIPTOR_COLUMN))
            return Ends(_end(left, kind), _end(right, kind), known)
        case Storage.CONSTANT:
            return _constant(field.source, field.type)
        case Storage.CAPTURE:
            return _host_name(context)
        case Storage.NEVER:
            return Missing(f"{operand.text} never has a value")
        case Storage.UNSUPPORTED | Storage.REMOVED:
            raise UnsupportedError(f"field {operand.text}: {field.source}", ENGINE)
        case _:
            assert_never(field.storage)


def _as_kind(value: Scalar, kind: ValueKind) -> Scalar:
    """Make `evt.rawarg` what the checker took it for, whatever the event's argument is."""
    if value.kind is ValueKind.NUMBER and kind is ValueKind.TEXT:
        return Scalar(template("CAST(:value AS TEXT)", value=value.expression), kind)
    if value.kind is ValueKind.TEXT and kind is ValueKind.NUMBER:
        return Scalar(template("TRY_CAST(:value AS BIGINT)", value=value.expression), kind)
    return value


def _column(operand: FieldOperand, kind: ValueKind) -> SqlOperand:
    name, argument = operand.field.name, operand.argument
    if name in OWN_COLUMN and argument == 0:
        return Scalar(build.column(OWN_COLUMN[name]), kind)
    stored = build.column(operand.field.path)
    if name in OWN_COLUMN and isinstance(argument, int):
        return Scalar(build.element(stored, build.number(argument)), kind)
    match operand.multiplicity:
        case Multiplicity.LIST | Multiplicity.ANY_ANCESTOR | Multiplicity.ANY_NAME as multiplicity:
            return Items(stored, kind, multiplicity)
        case _ if kind is ValueKind.ADDRESS:
            return _address(operand.field.path, kind)
        case _:
            return Scalar(stored, kind, is_required=name in _REQUIRED)


def _address(path: str, kind: ValueKind) -> Scalar:
    return Scalar(build.column(path), kind, packed=build.column(f"{path}_bytes"))


def _end(path: str, kind: ValueKind) -> Scalar:
    if kind is ValueKind.NUMBER:
        return Scalar(build.column(path), kind)
    return _address(path, kind)


def _constant(source: str, field_type: FieldType) -> Scalar:
    kind = kind_of(field_type)
    value = build.number(int(source)) if kind is ValueKind.NUMBER else build.text(source)
    return Scalar(value, kind, is_required=True)


def _host_name(context: Context) -> Scalar:
    if context.joins_gates:
        return Scalar(exp.column("host_name", "gates"), ValueKind.TEXT)
    capture = context.only_capture("evt.hostname")
    footer = build.call("parquet_kv_metadata", build.text(capture))
    return Scalar(template(_HOST_NAME, footer=footer), ValueKind.TEXT)


def _transform(operand: TransformOperand, context: Context) -> SqlOperand:
    match operand.function:
        case Transform.TOLOWER:
            return _map(operand, context, fold_case)
        case Transform.TOUPPER:
            return _map(operand, context, raise_case)
        case Transform.BASENAME:
            return _map(operand, context, lambda x: template("split_part(:path, '/', -1)", path=x))
        case Transform.B64:
            return _map(operand, context, _base64_of(kind_of(operand.type)))
        case Transform.LEN:
            return _length(operand.arguments[0], context)
        case Transform.CONCAT:
            parts = [_single(argument, context) for argument in operand.arguments]
            return Scalar(build.concatenate(*map(build.wrapped, parts)), ValueKind.TEXT)
        case Transform.JOIN:
            return _join(operand, context)
        case Transform.GETOPT:
            raise UnsupportedError("function getopt", ENGINE)
        case Transform.VAL:
            raise AssertionError("`val` is the operand itself in a plan")
        case _:
            assert_never(operand.function)


def _map(
    operand: TransformOperand, context: Context, function: Callable[[exp.Expr], exp.Expr]
) -> SqlOperand:
    argument = operand.arguments[0]
    if isinstance(argument, Constant | ListOperand):
        return Scalar(function(_single(argument, context)), ValueKind.TEXT)
    value = operand_sql(argument, context)
    match value:
        case Scalar():
            return Scalar(function(value.expression.copy()), value.kind)
        case Items():
            mapped = build.call("list_transform", value.expression, build.each(function))
            return Items(mapped, value.kind, value.multiplicity)
        case Ends():
            raise UnsupportedError(f"{operand.text} of both ends", ENGINE)
        case Missing():
            return value
        case _:
            assert_never(value)


def _decoded(text: exp.Expr) -> exp.Expr:
    bare = build.call("rtrim", text, build.text("="))
    full = template(":bare || repeat('=', -length(:bare) & 3)", bare=bare)
    raw = template("try(from_base64(:full))", full=full)
    return template(_DECODED, text=text, bare=bare, full=full, raw=raw)


def _base64_of(kind: ValueKind) -> Callable[[exp.Expr], exp.Expr]:
    """Decode; padding may be left out, and what cannot be decoded has no value."""

    def decode(value: exp.Expr) -> exp.Expr:
        text = value if kind is ValueKind.TEXT else template("try(decode(:value))", value=value)
        decoded = build.once(text, _decoded)
        return decoded if kind is ValueKind.BYTES else raw_text.text_of_bytes(decoded)

    return decode


def _single(argument: Operand | Constant | ListOperand, context: Context) -> exp.Expr:
    """An argument that is one text; NULL if it never has a value."""
    if isinstance(argument, Constant):
        return build.text(argument.text)
    assert not isinstance(argument, ListOperand)
    value = operand_sql(argument, context)
    if isinstance(value, Missing):
        return exp.null()
    assert isinstance(value, Scalar)
    return value.expression.copy()


def _length(argument: Operand | Constant | ListOperand, context: Context) -> SqlOperand:
    if isinstance(argument, ListOperand):
        return Scalar(build.number(len(argument.items)), ValueKind.NUMBER, is_required=True)
    if isinstance(argument, Constant):
        length = raw_text.byte_length(build.text(argument.text))
        return Scalar(length, ValueKind.NUMBER, is_required=True)
    value = operand_sql(argument, context)
    match value:
        case Items():
            return Scalar(build.call("len", value.expression), ValueKind.NUMBER)
        case Scalar(kind=ValueKind.BYTES):
            return Scalar(build.call("octet_length", value.expression), ValueKind.NUMBER)
        case Scalar():
            return Scalar(raw_text.byte_length(value.expression), ValueKind.NUMBER)
        case Missing():
            return value
        case Ends():
            raise UnsupportedError("len of both ends", ENGINE)
        case _:
            assert_never(value)


def _join(operand: TransformOperand, context: Context) -> SqlOperand:
    first, items = operand.arguments
    separator = _single(first, context)
    if isinstance(items, ListOperand):
        parts: list[exp.Expr] = []
        for item in items.items:
            if parts:
                parts.append(build.wrapped(separator))
            parts.append(build.wrapped(_single(item, context)))
        joined = build.concatenate(*parts) if parts else build.text("")
        return Scalar(joined, ValueKind.TEXT)
    assert not isinstance(items, Constant)
    value = operand_sql(items, context)
    if not isinstance(value, Items):
        raise UnsupportedError(f"{operand.text}: not a list", ENGINE)
    return Scalar(build.call("array_to_string", value.expression, separator), ValueKind.TEXT)
