"""The truths of a rule's checks over a row group, as distinct combinations.

In: a row group, the rule's checks, and the types of events that it looks at. Out: the rows of those
events and their combinations. Checks of the process alone are asked once for each process state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.field_columns import is_process_operand
from falcotrace.engines.formula import FormulaCompiler, Node
from falcotrace.engines.literals import Literals
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.vectors import Bools, Integers, Rows, TextVector
from falcotrace.explain.distance import Truths
from falcotrace.explain.patterns import PatternBuilder, Patterns
from falcotrace.rules.outline import Outline

_DEAR = 100.0
"""Checks from this cost on make texts of several columns (`formula.Node.cost`)."""

_SLICES = 10
_MANY_ROWS = 1 << 18
"""Of more rows dear checks are asked in so many slices, or their texts would fill the memory."""


class Checks:
    """The checks of an outline, compiled.

    Args:
        outline: the condition.
    """

    def __init__(self, outline: Outline) -> None:
        atoms = outline.atoms
        compiler = FormulaCompiler(Literals(atoms), is_process_operand)
        nodes = {atom: compiler.compile(atom) for atom in atoms}
        self.of_process = [node for node in nodes.values() if node.is_process]
        self.of_event = [node for node in nodes.values() if not node.is_process]
        order = {id(node): at for at, node in enumerate([*self.of_process, *self.of_event])}
        # The same check may stand at several leaves.
        self._of_leaves = [
            order[id(nodes[atom])]
            for place in outline.leaves
            if (atom := outline.parts[place].atom) is not None
        ]

    def leaf_truths(self, table: Truths) -> Truths:
        """Truths of leaves from truths of checks; both have a row each."""
        return table[self._of_leaves]


@dataclass(frozen=True, slots=True, eq=False)
class RowPatterns:
    """Events of a row group, their numbers, and the combinations of their truths."""

    row_set: RowSet
    nums: Integers
    patterns: Patterns


def find_patterns(
    source: RowGroupSource, event_names: frozenset[str] | None, checks: Checks
) -> RowPatterns:
    """Ask all checks of the events of some types; None: of every type."""
    processes = source.process_set()
    rows = _rows_of(source, event_names)
    row_set = RowSet(source, rows, processes, source.places.take)
    of_states = _patterns(PatternBuilder.of_rows(len(processes)), processes, checks.of_process)
    begun = Patterns(of_states.table, of_states.of_rows.take(row_set.places))
    patterns = _patterns(PatternBuilder(begun), row_set, checks.of_event)
    return RowPatterns(row_set, source.integers("evt.num").take(rows), patterns)


def _patterns(builder: PatternBuilder, rows: RowSet, nodes: Sequence[Node]) -> Patterns:
    for node in nodes:
        is_dear = node.cost >= _DEAR and len(rows) > _MANY_ROWS
        builder.add(_sliced_truth(rows, node) if is_dear else rows.truth(node, None))
    return builder.build()


def _sliced_truth(rows: RowSet, node: Node) -> Bools:
    """The truth of a check; a slice is small enough that the set does not keep its values."""
    slices = np.array_split(np.arange(len(rows)), _SLICES)
    return np.concatenate([rows.truth(node, positions) for positions in slices])


def _rows_of(source: RowGroupSource, event_names: frozenset[str] | None) -> Rows:
    events = source.column("evt.type")
    assert isinstance(events, TextVector)
    if event_names is None:
        return np.arange(len(events))
    names = events.domain.values.to_pylist()
    wanted = np.array([*(name in event_names for name in names), False], np.bool_)
    return np.flatnonzero(wanted.take(events.codes))
