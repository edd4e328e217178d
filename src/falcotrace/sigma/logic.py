"""Conditions while they are made: checks under `and`, `or`, `not`, constants, and what is missing.

In come children, out come nodes without constants inside. `settle` takes out what no system call
answers, so that the rest never holds where the whole would not.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import assert_never

from falcotrace.errors import Span
from falcotrace.events.fields import FIELDS, FieldType
from falcotrace.events.operators import Operator, Quantifier
from falcotrace.rules.ast import (
    And,
    Check,
    Condition,
    FieldExpression,
    Literal,
    MacroReference,
    Not,
    Operand,
    Or,
)
from falcotrace.rules.source import TextSource

NOWHERE = Span(TextSource("<sigma>", ""), 0, 0)
"""Where nodes stand that nobody wrote."""


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """Something that no system call answers.

    Args:
        reason: what and why, as a part of a sentence.
    """

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class AllOf:
    """All children hold."""

    children: "tuple[Tree, ...]"


@dataclasses.dataclass(frozen=True, slots=True)
class AnyOf:
    """Some child holds."""

    children: "tuple[Tree, ...]"


@dataclasses.dataclass(frozen=True, slots=True)
class NotOf:
    """The child does not hold."""

    child: "Tree"


Tree = AllOf | AnyOf | NotOf | Condition | Missing | bool
"""A condition in the making; `Condition` is a finished part of it."""


def all_of(children: Iterable[Tree]) -> Tree:
    """Children under `and`; constants are gone."""
    kept: dict[Tree, None] = {}
    for child in children:
        if child is False:
            return False
        if child is not True:
            kept.update(
                dict.fromkeys(child.children if isinstance(child, AllOf | And) else (child,))
            )
    return _group(AllOf, tuple(kept), empty=True)


def any_of(children: Iterable[Tree]) -> Tree:
    """Children under `or`; constants are gone."""
    kept: dict[Tree, None] = {}
    for child in children:
        if child is True:
            return True
        if child is not False:
            kept.update(
                dict.fromkeys(child.children if isinstance(child, AnyOf | Or) else (child,))
            )
    return _group(AnyOf, tuple(kept), empty=False)


def not_of(child: Tree) -> Tree:
    """The opposite of a child."""
    if isinstance(child, bool):
        return not child
    return child.child if isinstance(child, NotOf) else NotOf(child)


def _group(kind: type[AllOf | AnyOf], children: tuple[Tree, ...], *, empty: bool) -> Tree:
    if len(children) < 2:
        return children[0] if children else empty
    return kind(children)


def missing_reasons(tree: Tree) -> tuple[str, ...]:
    """Why parts of a tree cannot be asked, each reason once."""
    match tree:
        case Missing(reason=reason):
            return (reason,)
        case AllOf(children=children) | AnyOf(children=children):
            reasons = (reason for child in children for reason in missing_reasons(child))
            return tuple(dict.fromkeys(reasons))
        case NotOf(child=child):
            return missing_reasons(child)
        case _:
            return ()


def settle(tree: Tree, *, unknown: bool = False) -> Tree:
    """Take out what cannot be asked.

    What is missing counts as false where it would make the condition true, and as true below `not`:
    the result may be false where the whole would be true, never the other way round.
    """
    match tree:
        case Missing():
            return unknown
        case AllOf(children=children):
            return all_of(settle(child, unknown=unknown) for child in children)
        case AnyOf(children=children):
            return any_of(settle(child, unknown=unknown) for child in children)
        case NotOf(child=child):
            return not_of(settle(child, unknown=not unknown))
        case _:
            return tree


def finish(tree: Tree) -> Condition:
    """A settled tree as a condition; checks of one field become one check of a list.

    Raises:
        ValueError: the tree is a constant, or not settled.
    """
    match tree:
        case bool() | Missing():
            raise ValueError(f"{tree} is no condition")
        case NotOf(child=child):
            return Not(finish(child), NOWHERE)
        case AllOf(children=children):
            return _joined(And, _merged(list(map(finish, children)), _TOGETHER))
        case AnyOf(children=children):
            parts = map(finish, _factored(children))
            return _joined(Or, _merged(list(parts), _ALTERNATIVES))
        case And() | Or() | Not() | Check() | MacroReference():
            return tree
        case _:
            assert_never(tree)


def _factored(children: "Sequence[Tree]") -> "list[Tree]":
    """Alternatives with the same first part as one: that part and the alternatives of the rest."""
    groups: dict[object, list[Tree]] = {}
    for place, child in enumerate(children):
        key = child.children[0] if isinstance(child, AllOf) else place
        groups.setdefault(key, []).append(child)
    return [_factor(group) for group in groups.values()]


def _factor(group: "Sequence[Tree]") -> Tree:
    rests = [all_of(child.children[1:]) for child in group if isinstance(child, AllOf)]
    first = group[0]
    if len(group) == 1 or not isinstance(first, AllOf):
        return first
    return all_of((first.children[0], any_of(rests)))


def _joined(kind: type[And | Or], parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else kind(tuple(parts), NOWHERE)


_ALTERNATIVES: dict[Operator, Quantifier | None] = {
    Operator.EQUAL: None,
    **dict.fromkeys(
        (
            *(Operator.CONTAINS, Operator.ICONTAINS, Operator.STARTSWITH, Operator.ENDSWITH),
            *(Operator.GLOB, Operator.IGLOB, Operator.REGEX),
        ),
        Quantifier.ANY_OF,
    ),
}
"""Operators whose values under `or` fit into one list, and the word for it; `in` for `=`."""

_TOGETHER: dict[Operator, Quantifier | None] = dict.fromkeys(
    (Operator.CONTAINS, Operator.ICONTAINS), Quantifier.ALL_OF
)


def _merged(parts: list[Condition], mergers: dict[Operator, Quantifier | None]) -> list[Condition]:
    groups: dict[object, list[Condition]] = {}
    for place, part in enumerate(parts):
        key = _merge_key(part) if isinstance(part, Check) and part.operator in mergers else None
        groups.setdefault(place if key is None else key, []).append(part)
    return [_merge(group, mergers) for group in groups.values()]


def _merge_key(check: Check) -> object:
    """What checks have in common that fit into one list; None for one that has to stay alone."""
    if check.quantifier is not None or check.right is not None:
        return None
    kind = FIELDS[check.left.name].type if isinstance(check.left, FieldExpression) else None
    # Falco tests only the first of several networks, and addresses of one family in a list.
    if kind is FieldType.IPNET:
        return None
    is_long = kind is FieldType.IPADDR and ":" in check.values[0].text
    return check.left, check.operator, is_long


def _merge(group: list[Condition], mergers: dict[Operator, Quantifier | None]) -> Condition:
    first = group[0]
    if len(group) == 1 or not isinstance(first, Check):
        return first
    values = tuple(value for check in group if isinstance(check, Check) for value in check.values)
    quantifier = mergers[first.operator]
    operator = first.operator if quantifier else Operator.IN
    return make_check(first.left, operator, *(value.text for value in values), many=quantifier)


def make_check(
    left: Operand,
    operator: Operator,
    *values: str,
    many: Quantifier | None = None,
    right: Operand | None = None,
) -> Check:
    """A check as the parser would make it."""
    literals = tuple(Literal(value, NOWHERE) for value in values)
    return Check(left, operator, many, literals, right, NOWHERE, NOWHERE, str(operator))
