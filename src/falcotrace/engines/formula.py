"""Formulas of a plan, compiled: shared parts are one node, cheap parts come first.

In: formulas over atoms. Out: nodes that a `RowSet` evaluates. Parts that speak only of the process
stand together, so that they are decided once for each process state and not for each event.
Nothing recurses: conditions may be nested a thousand levels deep.
"""

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from falcotrace.engines.checks import Check, make_check
from falcotrace.engines.comparisons import Comparison
from falcotrace.engines.literals import Literals, asks_for_texts
from falcotrace.events.operators import Operator
from falcotrace.rules.plan import Atom, FieldOperand, Formula, Operand, fold_formula, iter_fields


class Kind(enum.Enum):
    """What a node is."""

    LEAF = enum.auto()
    ALL = enum.auto()
    ANY = enum.auto()
    NOT = enum.auto()


@dataclass(slots=True, eq=False)
class Node:
    """A part of one or more conditions; equal parts are the same object.

    Attributes:
        kind: what it is.
        children: in the order in which they are asked.
        check: the check of a leaf.
        is_process: whether it depends on nothing but the state of the process.
        cost: a guess at nanoseconds for each row.
        parents: how many nodes and rules contain it.
    """

    kind: Kind
    children: "tuple[Node, ...]" = ()
    check: Check | Comparison | None = None
    is_process: bool = False
    cost: float = 0.0
    parents: int = field(default=0)


_OPERATOR_COSTS = {
    Operator.EXISTS: 1.0,
    Operator.STARTSWITH: 4.0,
    Operator.ENDSWITH: 4.0,
    Operator.CONTAINS: 20.0,
    Operator.ICONTAINS: 20.0,
    Operator.PMATCH: 30.0,
    Operator.GLOB: 40.0,
    Operator.IGLOB: 40.0,
    Operator.REGEX: 500.0,
}
_NUMBER_COST = 2.0
_TEXT_EQUALITY_COST = 3.0
_TRANSFORM_COST = 100.0
_COMPARISON_COST = 100.0
_PROCESS_COST = 1.0


class FormulaCompiler:
    """Turns formulas into nodes; keeps what it made, so that equal parts are shared.

    Args:
        literals: the index of the plan's texts.
        is_process: whether an operand depends on nothing but the state of the process.
    """

    def __init__(self, literals: Literals, is_process: Callable[[Operand], bool]) -> None:
        self._literals = literals
        self._is_process = is_process
        self._nodes: dict[Hashable, Node] = {}

    def compile(self, formula: Formula) -> Node:
        """Return the node of a formula."""
        node = fold_formula(
            formula,
            atom=self._leaf,
            all_of=lambda children: self._join(Kind.ALL, children),
            any_of=lambda children: self._join(Kind.ANY, children),
            not_of=lambda child: self._inner(Kind.NOT, (child,)),
        )
        node.parents += 1
        return node

    def _leaf(self, atom: Atom) -> Node:
        known = self._nodes.get(atom)
        if known is not None:
            return known
        is_process = self._is_process(atom.left)
        if atom.right is None:
            check: Check | Comparison = make_check(atom, self._literals)
            cost = _cost_of(atom)
        else:
            is_process = is_process and self._is_process(atom.right)
            check, cost = Comparison(atom), _COMPARISON_COST
        node = Node(Kind.LEAF, (), check, is_process, _PROCESS_COST if is_process else cost)
        return self._nodes.setdefault(atom, node)

    def _join(self, kind: Kind, children: list[Node]) -> Node:
        of_process = [child for child in children if child.is_process]
        others = [child for child in children if not child.is_process]
        if len(of_process) > 1 and others:
            children = [self._inner(kind, tuple(of_process)), *others]
        return self._inner(kind, tuple(sorted(children, key=lambda child: child.cost)))

    def _inner(self, kind: Kind, children: tuple[Node, ...]) -> Node:
        # Children are shared already, so their identity is their meaning.
        key = (kind, *map(id, children))
        known = self._nodes.get(key)
        if known is not None:
            return known
        for child in children:
            child.parents += 1
        is_process = all(child.is_process for child in children)
        cost = _PROCESS_COST if is_process else sum(child.cost for child in children)
        return self._nodes.setdefault(key, Node(kind, children, None, is_process, cost))


def _cost_of(atom: Atom) -> float:
    cost = 0.0
    if not isinstance(atom.left, FieldOperand):
        cost += _TRANSFORM_COST
    for operand in iter_fields(atom.left):
        if operand.field.source.startswith("args"):
            cost += _TRANSFORM_COST
    if asks_for_texts(atom):
        return cost + _TEXT_EQUALITY_COST
    return cost + _OPERATOR_COSTS.get(atom.operator, _NUMBER_COST)
