"""A rule's condition as its author wrote it: macros, lists and exceptions under their names.

In comes the plan of a rule, out comes a tree whose leaves are the atoms of the plan, in order. It
is flat: parts stand before their children, so whoever computes something bottom up reads it from
the end, and nothing recurses however deep a condition is. A condition of another front end, of
which nobody kept how it was written, gives a tree without names.
"""

import dataclasses
import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from falcotrace.rules.ast import And, Check, Condition, Literal, MacroReference, Not, Or
from falcotrace.rules.check import atom_of
from falcotrace.rules.codes import ItemKind
from falcotrace.rules.plan import AllOf, AnyOf, Atom, Formula, NotOf, RulePlan
from falcotrace.rules.pretty import atom_text, value_text
from falcotrace.rules.printer import print_operand

_SHOWN_ITEMS = 3
"""So many values of a list are shown; the others are counted."""

_FEW_GROUPS, _MOST_GROUPS = 2, 6
"""Beyond so many lists in one check only their names are shown, and so many of them."""

_SHOWN_LENGTH = 60
"""A longer value of a condition is shown by its beginning."""


class PartKind(enum.StrEnum):
    """What a part of a condition is."""

    ALL = "all"
    ANY = "any"
    NOT = "not"
    LEAF = "leaf"


@dataclasses.dataclass(frozen=True, slots=True)
class PartName:
    """What the author called a part: `spawned_process`, a macro; `known_writers`, an exception."""

    name: str
    kind: str


@dataclasses.dataclass(frozen=True, slots=True)
class ListUse:
    """A list that a check names, and how many of its items the check has."""

    name: str
    item_count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of a condition.

    Attributes:
        kind: what it is.
        names: from the outermost in; a macro that is only another macro has both names.
        children: places in the outline, all behind this part; none for leaves.
        atom: the check of a leaf.
        text: a leaf as it was written, its lists by name and cut for reading; else empty.
        lists: the lists that a leaf names.
        is_negated: whether it stands below an odd number of `not`.
    """

    kind: PartKind
    names: tuple[PartName, ...]
    children: tuple[int, ...]
    atom: Atom | None
    text: str
    lists: tuple[ListUse, ...]
    is_negated: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a condition; the whole is the first, and children stand behind their parents."""

    parts: tuple[Part, ...]

    @property
    def leaves(self) -> tuple[int, ...]:
        """The places of the leaves, in the order written."""
        return tuple(place for place, part in enumerate(self.parts) if part.atom is not None)

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The distinct atoms, in order of first use."""
        return tuple(dict.fromkeys(part.atom for part in self.parts if part.atom is not None))


_Node = Condition | Formula


@dataclasses.dataclass(slots=True)
class _Draft:
    """A part whose children are still being placed."""

    node: _Node
    names: tuple[PartName, ...]
    is_negated: bool
    children: list[int] = dataclasses.field(default_factory=list)


def outline_rule(rule: RulePlan) -> Outline:
    r"""Return the outline of a rule's condition.

    Example:
        >>> from falcotrace.rules.load import RulesText, load_rules
        >>> text = "- {rule: r, desc: d, condition: not x, output: o, priority: INFO}"
        >>> text = "- {macro: x, condition: evt.type=open}\n" + text
        >>> parts = outline_rule(load_rules([RulesText(text)]).plan.rules[0]).parts
        >>> parts[1].names[0].name, parts[1].text
        ('x', 'evt.type = open')
    """
    written = rule.written
    if written is None:
        return _outline(rule.condition, {}, ())
    return _outline(written.tree, written.macros, written.exceptions)


def outline_formula(formula: Formula) -> Outline:
    """Return the outline of a condition of which only the formula is known."""
    return _outline(formula, {}, ())


def _outline(tree: _Node, macros: Mapping[str, Condition], exceptions: Sequence[str]) -> Outline:
    drafts: list[_Draft] = []
    names_of = _exception_names(tree, exceptions)
    pending: list[tuple[_Node, tuple[PartName, ...], int]] = [(tree, (), -1)]
    while pending:
        node, names, parent = pending.pop()
        while isinstance(node, MacroReference):
            names = (*names, PartName(node.name, "macro"))
            node = macros[node.name]
        above = drafts[parent] if parent >= 0 else None
        # `a and (b and c)` is one group; only a name makes a group of its own.
        if above is None or names or not _is_same_group(above.node, node):
            is_below_not = above is not None and isinstance(above.node, Not | NotOf)
            is_negated = above is not None and above.is_negated is not is_below_not
            drafts.append(_Draft(node, names, is_negated))
            if above is not None:
                above.children.append(len(drafts) - 1)
            parent = len(drafts) - 1
        children = _children(node)
        pending += [(child, names_of.get(id(child), ()), parent) for child in reversed(children)]
    return Outline(tuple(map(_part, drafts)))


def _exception_names(tree: _Node, exceptions: Sequence[str]) -> dict[int, tuple[PartName, ...]]:
    """Exceptions are the last terms of the whole: the text is `(..) and not (..) and not (..)`."""
    if not (exceptions and isinstance(tree, And) and len(tree.children) > len(exceptions)):
        return {}
    last = tree.children[-len(exceptions) :]
    return {
        id(term.child): (PartName(name, "exception"),)
        for term, name in zip(last, exceptions, strict=True)
        if isinstance(term, Not)
    }


def _is_same_group(above: _Node, node: _Node) -> bool:
    return any(
        isinstance(above, kinds) and isinstance(node, kinds)
        for kinds in ((And, AllOf), (Or, AnyOf))
    )


def _children(node: _Node) -> tuple[_Node, ...]:
    match node:
        case And() | Or() | AllOf() | AnyOf():
            return node.children
        case Not() | NotOf():
            return (node.child,)
        case Check() | MacroReference() | Atom():
            return ()
        case _:
            assert_never(node)


def _part(draft: _Draft) -> Part:
    atom: Atom | None = None
    text, lists = "", tuple[ListUse, ...]()
    match draft.node:
        case And() | AllOf():
            kind = PartKind.ALL
        case Or() | AnyOf():
            kind = PartKind.ANY
        case Not() | NotOf():
            kind = PartKind.NOT
        case Check() as check:
            kind, atom = PartKind.LEAF, atom_of(check)
            text, lists = check_text(check)
        case Atom():
            kind, atom, text = PartKind.LEAF, draft.node, _formula_leaf(draft.node)
        case MacroReference():
            raise AssertionError("references are followed before")
        case _:
            assert_never(draft.node)
    return Part(kind, draft.names, tuple(draft.children), atom, text, lists, draft.is_negated)


def check_text(check: Check) -> tuple[str, tuple[ListUse, ...]]:
    """A check as it was written, its lists by name: `proc.name in (shells: ash, bash, 5 more)`."""
    words = [print_operand(check.left), check.spelling]
    uses: tuple[ListUse, ...] = ()
    if check.quantifier is not None:
        words.append(check.quantifier)
    if check.right is not None:
        words.append(print_operand(check.right))
    elif check.operator in {"in", "intersects", "pmatch"} or check.quantifier is not None:
        groups = list(_by_list(check.values))
        uses = tuple(ListUse(name, len(items)) for name, items in groups if name)
        words.append(f"({_groups_text(groups)})")
    elif check.values:
        words.append(_shown(check.values[0].text))
    return " ".join(words), uses


def _by_list(values: Sequence[Literal]) -> Iterator[tuple[str, list[Literal]]]:
    """Values in order: those of one list together with its name, others with an empty name."""
    name, items = "", list[Literal]()
    for value in values:
        of_list = _list_name(value)
        if items and of_list != name:
            yield name, items
            items = []
        name = of_list
        items.append(value)
    if items:
        yield name, items


def _list_name(value: Literal) -> str:
    """The list that a value came from, as the condition names it."""
    for context in value.span.usages():
        if context.kind == ItemKind.LIST:
            return context.name
    return ""


def _groups_text(groups: Sequence[tuple[str, Sequence[Literal]]]) -> str:
    """Few lists with their first items, many by name and size alone."""
    if len(groups) <= _FEW_GROUPS:
        return ", ".join(_group_text(name, items) for name, items in groups)
    shown = [
        f"{name} ({len(items):,})" if name else _group_text(name, items)
        for name, items in groups[:_MOST_GROUPS]
    ]
    more = len(groups) - len(shown)
    return ", ".join((*shown, *([f"{more} more lists"] if more else [])))


def _group_text(name: str, items: Sequence[Literal]) -> str:
    # What was written value by value is shown a little longer than a list that has a name.
    most = _SHOWN_ITEMS if name else 3 * _SHOWN_ITEMS
    shown = [_shown(item.text) for item in items[: most if len(items) > most + 1 else len(items)]]
    more = f", {len(items) - len(shown):,} more" if len(items) > len(shown) else ""
    return (f"{name}: " if name else "") + ", ".join(shown) + more


def _shown(text: str) -> str:
    if len(text) > _SHOWN_LENGTH:
        text = text[:_SHOWN_LENGTH] + "..."
    return value_text(text)


def _formula_leaf(atom: Atom) -> str:
    most = 3 * _SHOWN_ITEMS
    if len(atom.values) <= most + 1:
        return atom_text(atom)
    shown = atom_text(dataclasses.replace(atom, values=atom.values[:most]))
    return f"{shown.removesuffix(')')}, {len(atom.values) - most:,} more)"
