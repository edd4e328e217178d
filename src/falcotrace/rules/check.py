"""Resolved syntax tree to formula: fields exist, operators fit types, values are converted.

In comes a tree without macro references, out come a formula over atoms and the hints of Falco's
condition compiler. The first thing that is wrong stops with a Fault, as in Falco. Equal atoms
become one object, and a sub-tree that many rules share (a macro) is checked once.

Source: libs 48dfd53c userspace/libsinsp/filter.cpp (sinsp_filter_compiler) and filter_compare.cpp;
falco 13074749 userspace/engine/filter_warning_resolver.cpp.
"""

import dataclasses
from collections.abc import Sequence
from typing import assert_never

from falcotrace.errors import Span
from falcotrace.events.operators import (
    Multiplicity,
    Operator,
    ValueKind,
    is_allowed,
    kind_of,
)
from falcotrace.rules.ast import (
    And,
    Check,
    Condition,
    FieldExpression,
    Literal,
    MacroReference,
    Not,
    Or,
    Transform,
)
from falcotrace.rules.codes import LoadCode
from falcotrace.rules.faults import Fault
from falcotrace.rules.field_reference import is_field
from falcotrace.rules.lexer import FIELD_NAME
from falcotrace.rules.operands import EVENT_NAME_FIELDS, build_operand
from falcotrace.rules.plan import (
    AllOf,
    AnyOf,
    Atom,
    FieldOperand,
    Formula,
    NotOf,
    Operand,
    Value,
    iter_fields,
)
from falcotrace.rules.regex import check_regex, is_plain_text
from falcotrace.rules.values import check_event_name, convert_value

DEPRECATED_FIELDS = (
    "evt.dir",
    "evt.latency",
    "evt.latency.s",
    "evt.latency.ns",
    "evt.latency.human",
    "evt.wait_latency",
)
"""Fields that Falco warns about in conditions and outputs."""

_CONSTANT_ONLY = frozenset(
    {Operator.REGEX, Operator.PMATCH, Operator.BCONTAINS, Operator.BSTARTSWITH}
)
_FUNCTION_CALLS = tuple(f"{name}(" for name in Transform)


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """Something that is probably not what the author meant."""

    code: LoadCode
    message: str
    span: Span
    help: str | None = None


def once_per_field(hints: Sequence[Hint]) -> list[Hint]:
    """Leave out repeated warnings about one deprecated field; Falco gives one for each rule."""
    seen: set[tuple[LoadCode, str]] = set()
    kept: list[Hint] = []
    for hint in hints:
        key = (hint.code, hint.message)
        if hint.code is not LoadCode.DEPRECATED_ITEM or key not in seen:
            kept.append(hint)
        seen.add(key)
    return kept


class Checker:
    """Checks conditions; remembers what it has seen, for many rules share macros."""

    def __init__(self) -> None:
        self._atoms: dict[Atom, Atom] = {}
        # By identity of the node, which is kept so that no other can take its place.
        self._checked: dict[int, tuple[Check, Atom, tuple[Hint, ...]]] = {}
        self._formulas: dict[int, tuple[Condition, Formula]] = {}

    def check(self, condition: Condition) -> tuple[Formula, list[Hint]]:
        """Check a condition.

        Args:
            condition: without macro references.

        Returns:
            The formula, and what to tell the author.

        Raises:
            Fault: the first thing that is wrong.
        """
        hints: list[Hint] = []
        for check in _distinct_checks(condition):
            hints += self._check(check)[1]
        return self._build(condition), hints

    def _check(self, check: Check) -> tuple[Atom, tuple[Hint, ...]]:
        known = self._checked.get(id(check))
        if known is None:
            atom = atom_of(check)
            atom = self._atoms.setdefault(atom, atom)
            known = self._checked[id(check)] = (check, atom, _hints_of(check, atom))
        return known[1], known[2]

    def _build(self, condition: Condition) -> Formula:
        pending: list[tuple[Condition, bool]] = [(condition, False)]
        while pending:
            node, children_done = pending.pop()
            if id(node) in self._formulas:
                continue
            children = _children(node)
            if children and not children_done:
                pending.append((node, True))
                pending += [(child, False) for child in children]
            else:
                self._formulas[id(node)] = (node, self._combine(node))
        return self._formulas[id(condition)][1]

    def _combine(self, node: Condition) -> Formula:
        parts = [self._formulas[id(child)][1] for child in _children(node)]
        match node:
            case Check():
                return self._check(node)[0]
            case Not():
                return parts[0].child if isinstance(parts[0], NotOf) else NotOf(parts[0])
            case And():
                return AllOf(_flatten(AllOf, parts))
            case Or():
                return AnyOf(_flatten(AnyOf, parts))
            case MacroReference(name=name):
                raise Fault(f"macro `{name}` is not resolved", node.span)
            case _:
                assert_never(node)


def _flatten(kind: type[AllOf] | type[AnyOf], parts: list[Formula]) -> tuple[Formula, ...]:
    flat: list[Formula] = []
    for part in parts:
        if isinstance(part, kind):
            flat.extend(part.children)
        else:
            flat.append(part)
    return tuple(flat)


def _children(node: Condition) -> tuple[Condition, ...]:
    if isinstance(node, And | Or):
        return node.children
    return (node.child,) if isinstance(node, Not) else ()


def _distinct_checks(condition: Condition) -> list[Check]:
    """The checks of a tree from left to right, shared ones once."""
    seen: dict[int, Condition] = {}
    checks: list[Check] = []
    pending = [condition]
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        if isinstance(node, Check):
            checks.append(node)
        pending.extend(reversed(_children(node)))
    return checks


def atom_of(check: Check) -> Atom:
    """Return the atom of one check.

    Raises:
        Fault: the field does not exist, the operator does not fit it, or a value cannot be
            converted.
    """
    left = build_operand(check.left)
    _require_usable(left, check)
    kind = kind_of(left.type)
    if not is_allowed(check.operator, kind, left.multiplicity):
        raise _not_allowed(check, left, kind)
    is_around = isinstance(left, FieldOperand) and left.field.name == "evt.around"
    if is_around and check.operator is not Operator.EQUAL:
        raise Fault("`evt.around` supports only `=`", check.operator_span)
    if check.right is not None:
        right = _build_right(check, left)
        return Atom(left, check.operator, check.quantifier, (), right)
    values = tuple(_convert(check, left, literal) for literal in check.values)
    return Atom(left, check.operator, check.quantifier, values, None)


def _require_usable(operand: Operand, check: Check) -> None:
    for field in iter_fields(operand):
        if field.field.usable_in == "output":
            raise Fault(f"field `{field.text}` can only be printed", check.left.span)


def _not_allowed(check: Check, left: Operand, kind: ValueKind) -> Fault:
    what = kind.value
    help_text = None
    if left.multiplicity is Multiplicity.LIST:
        what = "list"
        help_text = "a list takes `exists`, `in` and `intersects`"
    elif kind in {ValueKind.ADDRESS, ValueKind.NETWORK, ValueKind.BOOL, ValueKind.NUMBER}:
        help_text = f"`{left.text} = ..` and `{left.text} in (..)` compare whole values"
    message = f"`{check.operator}` does not apply to `{left.text}`, which is a {what}"
    return Fault(message, check.operator_span, help_text=help_text)


def _convert(check: Check, left: Operand, literal: Literal) -> Value:
    if isinstance(left, FieldOperand) and left.field.name in EVENT_NAME_FIELDS:
        check_event_name(literal.text, literal.span)
    value = convert_value(literal.text, left.type, check.operator, literal.span)
    if check.operator is Operator.REGEX:
        check_regex(literal.text, literal.span)
    return value


def _build_right(check: Check, left: Operand) -> Operand:
    assert check.right is not None
    span = check.right.span
    right = build_operand(check.right)
    _require_usable(right, check)
    if check.operator in _CONSTANT_ONLY:
        raise Fault(f"`{check.operator}` needs a constant, not a field", span)
    for operand, where in ((left, check.left.span), (right, span)):
        if not isinstance(operand, FieldOperand):
            continue
        if operand.field.name in EVENT_NAME_FIELDS:
            # Falco derives a rule's event types from these fields: only constants say anything.
            raise Fault(f"`{operand.text}` cannot be compared with a field", where)
        if "no_field_comparison" in operand.field.restrictions:
            raise Fault(f"`{operand.text}` cannot be compared with a field", where)
    if kind_of(left.type) is not kind_of(right.type) or (
        kind_of(left.type) is ValueKind.NUMBER and left.type is not right.type
    ):
        message = f"`{left.text}` ({left.type}) and `{right.text}` ({right.type}) differ in type"
        raise Fault(message, span)
    lists = (left.multiplicity, right.multiplicity).count(Multiplicity.LIST)
    if lists and check.operator not in {Operator.IN, Operator.INTERSECTS}:
        raise Fault(f"`{check.operator}` does not apply to a list", check.operator_span)
    return right


def _hints_of(check: Check, atom: Atom) -> tuple[Hint, ...]:
    hints: list[Hint] = []
    for field in (*iter_fields(atom.left), *(iter_fields(atom.right) if atom.right else ())):
        if field.field.name in DEPRECATED_FIELDS:
            message = f"field `{field.field.name}` is deprecated"
            hints.append(Hint(LoadCode.DEPRECATED_ITEM, message, check.left.span))
    for literal in check.values:
        if check.operator is Operator.REGEX and is_plain_text(literal.text):
            message = "this regular expression has no special characters"
            hints.append(Hint(LoadCode.COMPILE_CONDITION, message, literal.span, "`=` would do"))
        hints += _hint_at_field(literal)
    return tuple(hints)


def _hint_at_field(literal: Literal) -> list[Hint]:
    """Warn about a value that reads like a field or a function: it is only a text."""
    name, bracket, rest = literal.text.partition("[")
    if "." in name and FIELD_NAME.fullmatch(name):
        argument = rest.removesuffix("]") if bracket else None
        if is_field(name, argument):
            message = f"`{literal.text}` is the name of a field, but only a text here"
            help_text = f"val({literal.text}) compares with the field"
            return [Hint(LoadCode.COMPILE_CONDITION, message, literal.span, help_text)]
    if literal.text.startswith(_FUNCTION_CALLS):
        message = f"`{literal.text}` looks like a function, but is only a text in quotes"
        return [Hint(LoadCode.COMPILE_CONDITION, message, literal.span)]
    return []


def unsafe_na_checks(condition: Condition) -> list[Span]:
    """Return the comparisons of plugin fields with `<NA>`, which the plugins never yield."""
    operators = {
        Operator.EQUAL,
        Operator.NOT_EQUAL,
        Operator.IN,
        Operator.INTERSECTS,
        Operator.PMATCH,
    }
    return [
        check.span
        for check in _distinct_checks(condition)
        if isinstance(check.left, FieldExpression)
        and check.left.name.startswith(("ka.", "jevt."))
        and check.operator in operators
        and any(value.text == "<NA>" for value in check.values)
    ]
