"""Operands of the syntax tree to operands of the plan: fields looked up, functions typed.

Source: libs 48dfd53c userspace/libsinsp/sinsp_filter_transformer*.cpp (which types a function
takes).
"""

from typing import assert_never

from falcotrace.errors import Span
from falcotrace.events.fields import FieldType
from falcotrace.events.operators import Multiplicity, ValueKind, kind_of
from falcotrace.rules import ast
from falcotrace.rules.ast import FieldExpression, Literal, LiteralList, Transform, Transformer
from falcotrace.rules.faults import Fault
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import (
    Constant,
    FieldOperand,
    ListOperand,
    Operand,
    TransformOperand,
)
from falcotrace.rules.printer import print_operand

EVENT_NAME_FIELDS = frozenset({"evt.type", "syscall.type"})
_Argument = FieldOperand | TransformOperand | Constant | ListOperand
_TEXT = frozenset({ValueKind.TEXT})
_TEXT_OR_BYTES = frozenset({ValueKind.TEXT, ValueKind.BYTES})


def build_operand(expression: ast.Operand) -> Operand:
    """Look up the fields of an operand and type its functions.

    Raises:
        Fault: an unknown field, or a function that does not take what it is given.
    """
    match expression:
        case FieldExpression(name=name, argument=argument, span=span):
            return find_field(name, argument, span)
        case Transformer(function=Transform.VAL, arguments=(FieldExpression() as field,)):
            return build_operand(field)
        case Transformer():
            return _build_function(expression)
        case _:
            assert_never(expression)


def _build_function(call: Transformer) -> TransformOperand:
    arguments = tuple(_build_argument(item, call.function) for item in call.arguments)
    field_type, multiplicity = _type_of(call, arguments)
    return TransformOperand(
        call.function, arguments, call.argument, field_type, multiplicity, print_operand(call)
    )


def _build_argument(item: ast.TransformerArgument, function: Transform) -> _Argument:
    match item:
        case Literal(text=text):
            return Constant(text)
        case LiteralList(items=items, span=span):
            built = tuple(_build_argument(part, function) for part in items)
            parts: list[FieldOperand | TransformOperand | Constant] = []
            for part in built:
                if isinstance(part, ListOperand):
                    raise Fault("a list cannot stand inside a list", span)
                parts.append(part)
            return ListOperand(tuple(parts))
        case FieldExpression() | Transformer():
            operand = build_operand(item)
            _require_transformable(operand, function, item.span)
            return operand
        case _:
            assert_never(item)


def _require_transformable(operand: Operand, function: Transform, span: Span) -> None:
    if not isinstance(operand, FieldOperand):
        return
    if operand.field.name in EVENT_NAME_FIELDS:
        # Falco derives a rule's event types from these fields and cannot see through a function.
        raise Fault(f"`{operand.field.name}` cannot stand in a function", span)
    if "no_transformer" in operand.field.restrictions:
        raise Fault(f"field `{operand.text}` cannot stand in a function such as `{function}`", span)


def _type_of(call: Transformer, arguments: tuple[_Argument, ...]) -> tuple[FieldType, Multiplicity]:
    match call.function:
        case Transform.TOLOWER | Transform.TOUPPER | Transform.BASENAME:
            return _type_of_single(call, arguments, _TEXT)
        case Transform.B64:
            return _type_of_single(call, arguments, _TEXT_OR_BYTES)
        case Transform.LEN:
            only = _require_count(call, arguments, 1)[0]
            if not _is_list(only):
                _require_kind(call, 0, only, _TEXT_OR_BYTES)
            return FieldType.UINT64, Multiplicity.SINGLE
        case Transform.CONCAT:
            if len(arguments) < 2:
                raise Fault("`concat` needs two or more texts", call.span)
            for index, argument in enumerate(arguments):
                _require_kind(call, index, argument, _TEXT)
            return FieldType.CHARBUF, Multiplicity.SINGLE
        case Transform.JOIN:
            separator, items = _require_count(call, arguments, 2)
            _require_kind(call, 0, separator, _TEXT)
            _require_text_list(call, items)
            return FieldType.CHARBUF, Multiplicity.SINGLE
        case Transform.GETOPT:
            words, options = _require_count(call, arguments, 2)
            if not _is_list(words):
                _require_kind(call, 0, words, _TEXT)
            if not isinstance(options, Constant):
                raise Fault("`getopt` needs its options as a quoted text", call.span)
            many = Multiplicity.LIST if call.argument is None else Multiplicity.SINGLE
            return FieldType.CHARBUF, many
        case Transform.VAL:
            raise Fault("`val` takes one field and stands on the right of an operator", call.span)
        case _:
            assert_never(call.function)


def _type_of_single(
    call: Transformer, arguments: tuple[_Argument, ...], kinds: frozenset[ValueKind]
) -> tuple[FieldType, Multiplicity]:
    """A function of one value; applied to each element of a list."""
    only = _require_count(call, arguments, 1)[0]
    if isinstance(only, ListOperand):
        raise Fault(f"`{call.function}` does not take a list in parentheses", call.span)
    if isinstance(only, Constant):
        return FieldType.CHARBUF, Multiplicity.SINGLE
    if kind_of(only.type) not in kinds:
        raise _wrong_kind(call, 0, only)
    return only.type, only.multiplicity


def _require_count(
    call: Transformer, arguments: tuple[_Argument, ...], count: int
) -> tuple[_Argument, ...]:
    if len(arguments) != count:
        plural = "s" if count > 1 else ""
        raise Fault(
            f"`{call.function}` takes {count} argument{plural}, not {len(arguments)}", call.span
        )
    return arguments


def _require_kind(
    call: Transformer, index: int, argument: _Argument, kinds: frozenset[ValueKind]
) -> None:
    if isinstance(argument, Constant):
        return
    if isinstance(argument, ListOperand) or argument.multiplicity is not Multiplicity.SINGLE:
        message = f"`{call.function}` needs a single value here, not a list"
        raise Fault(message, call.arguments[index].span)
    if kind_of(argument.type) not in kinds:
        raise _wrong_kind(call, index, argument)


def _require_text_list(call: Transformer, argument: _Argument) -> None:
    if isinstance(argument, ListOperand):
        for item in argument.items:
            _require_kind(call, 1, item, _TEXT)
    elif not _is_list(argument):
        raise Fault("`join` needs a list: a field with several values, or (a, b)", call.span)


def _is_list(argument: _Argument) -> bool:
    if isinstance(argument, Constant):
        return False
    return isinstance(argument, ListOperand) or argument.multiplicity is Multiplicity.LIST


def _wrong_kind(call: Transformer, index: int, operand: Operand) -> Fault:
    return Fault(
        f"`{call.function}` does not take `{operand.text}`, which is a {kind_of(operand.type)}",
        call.arguments[index].span,
    )
