"""A second opinion on conditions: one event at a time, as slowly and plainly as can be."""

import fnmatch
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import assert_never

from falcotrace.events.operators import Multiplicity, Operator, Quantifier, ValueKind, kind_of
from falcotrace.rules.ast import Transform
from falcotrace.rules.plan import (
    AllOf,
    AnyOf,
    Atom,
    FieldOperand,
    Formula,
    NotOf,
    Operand,
    TransformOperand,
    Value,
)

Event = Mapping[str, object]


def holds(formula: Formula, event: Event) -> bool:
    """Whether a condition holds for one event."""
    match formula:
        case AllOf(children=children):
            return all(holds(child, event) for child in children)
        case AnyOf(children=children):
            return any(holds(child, event) for child in children)
        case NotOf(child=child):
            return not holds(child, event)
        case Atom():
            return atom_holds(formula, event)
        case _:
            assert_never(formula)


def atom_holds(atom: Atom, event: Event) -> bool:
    """Whether one check holds; a missing value makes it false."""
    left = read(atom.left, event)
    if left is None:
        return False
    if atom.operator is Operator.EXISTS:
        return True
    right = atom.values
    if atom.right is not None:
        other = read(atom.right, event)
        if other is None:
            return False
        right = (other,)  # type: ignore[assignment]
    match atom.left.multiplicity:
        case Multiplicity.SINGLE:
            return single_holds(atom, left, right)
        case Multiplicity.ANY_ANCESTOR:
            return any(single_holds(atom, item, right) for item in items(left))
        case Multiplicity.ANY_NAME:
            truths = [single_holds(atom, item, right) for item in items(left)]
            return all(truths) if atom.operator is Operator.NOT_EQUAL else any(truths)
        case Multiplicity.BOTH_ENDS:
            truths = [single_holds(atom, item, right) for item in items(left)]
            if atom.operator is Operator.NOT_EQUAL:
                return bool(truths) and all(truths)
            return any(truths)
        case Multiplicity.LIST:
            truths = [single_holds(atom, item, right) for item in items(left)]
            return all(truths) if atom.operator is Operator.IN else any(truths)


def items(value: object) -> list[object]:
    """The elements of a list value."""
    assert isinstance(value, list)
    return value


def read(operand: Operand, event: Event) -> object:
    """The value of an operand."""
    match operand:
        case FieldOperand(text=text):
            return event.get(text)
        case TransformOperand(function=function, arguments=(argument,)):
            assert isinstance(argument, FieldOperand | TransformOperand)
            value = read(argument, event)
            if value is None:
                return None
            if function is Transform.LEN:
                return len(value.encode()) if isinstance(value, str) else len(items(value))
            assert isinstance(value, str)
            return {
                Transform.TOLOWER: "".join(c.lower() if c.isascii() else c for c in value),
                Transform.TOUPPER: "".join(c.upper() if c.isascii() else c for c in value),
                Transform.BASENAME: value.split("/")[-1],
            }[function]
        case _:
            raise NotImplementedError


def single_holds(atom: Atom, left: object, right: tuple[Value, ...]) -> bool:
    """Whether a check holds for one value."""
    kind = kind_of(atom.left.type)
    if kind in {ValueKind.ADDRESS, ValueKind.NETWORK}:
        left = ip_address(str(left))
    if kind is ValueKind.TEXT and atom.operator in ORDERS:
        left, right = str(left).encode(), tuple(str(v).encode() for v in right)
    if kind is ValueKind.BYTES and isinstance(left, str):
        left = left.encode()
    if atom.operator in {Operator.IN, Operator.INTERSECTS}:
        return any(equal(left, value) for value in right)
    if atom.operator is Operator.PMATCH:
        return any(is_path_prefix(str(value), str(left)) for value in right)
    truths = [COMPARISONS[atom.operator](left, value) for value in right]
    match atom.quantifier:
        case Quantifier.ANY_OF:
            return any(truths)
        case Quantifier.ALL_OF:
            return bool(truths) and all(truths)
        case Quantifier.ONE_OF:
            return truths.count(True) == 1
        case None:
            return truths[0]


def equal(left: object, right: object) -> bool:
    """Equality; an address is `equal` to a network that it lies in."""
    if hasattr(right, "network_address"):
        return left.version == right.version and left in right  # type: ignore[attr-defined,operator]
    if isinstance(right, str) and hasattr(left, "version"):
        right = ip_address(right)
    return left == right


def is_path_prefix(pattern: str, path: str) -> bool:
    """Whether a path begins with the components of a pattern."""
    wanted = [part for part in pattern.split("/") if part]
    have = [part for part in path.split("/") if part]
    return len(wanted) <= len(have) and all(
        fnmatch.fnmatchcase(one, other) for one, other in zip(have, wanted, strict=False)
    )


def fold(text: object) -> str:
    """Fold ASCII letters."""
    return "".join(c.lower() if c.isascii() else c for c in str(text))


ORDERS = {Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL}

COMPARISONS: Mapping[Operator, Callable[..., bool]] = {
    Operator.EQUAL: equal,
    Operator.NOT_EQUAL: lambda left, right: not equal(left, right),
    Operator.LESS: lambda left, right: left < right,
    Operator.LESS_EQUAL: lambda left, right: left <= right,
    Operator.GREATER: lambda left, right: left > right,
    Operator.GREATER_EQUAL: lambda left, right: left >= right,
    Operator.CONTAINS: lambda left, right: right in left,
    Operator.ICONTAINS: lambda left, right: fold(right) in fold(left),
    Operator.STARTSWITH: lambda left, right: left.startswith(right),
    Operator.ENDSWITH: lambda left, right: left.endswith(right),
    Operator.BCONTAINS: lambda left, right: right in left,
    Operator.BSTARTSWITH: lambda left, right: left.startswith(right),
    Operator.GLOB: fnmatch.fnmatchcase,
    Operator.IGLOB: lambda left, right: fnmatch.fnmatchcase(fold(left), fold(right)),
    Operator.REGEX: lambda left, right: re.fullmatch(right, left) is not None,
}
