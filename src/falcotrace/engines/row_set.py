"""Evaluates compiled formulas over a set of rows, narrowing the set check by check.

In: a source of vectors and the rows in question. Out: which of them satisfy a node. A check that
only some rows still need is asked for those alone; parts that speak only of the process are decided
once for each process state. What a source is (a row group, a table of processes, Python values) is
its own business.
"""

from collections.abc import Callable, Generator
from typing import Protocol, TypeAlias

import numpy as np

from falcotrace.engines.comparisons import Comparison
from falcotrace.engines.formula import Kind, Node
from falcotrace.engines.transforms import transform_vector
from falcotrace.engines.vectors import Bools, Codes, Rows, TextVector, Vector
from falcotrace.rules.plan import FieldOperand, Operand, TransformOperand

_SHARED_COST = 3.0
"""A node up to this cost that others share is decided for all rows of a set at once."""

_FEW = 8
"""Values for less than one in so many rows of a set are fetched for those rows alone."""

_Steps: TypeAlias = Generator[tuple[Node, Rows | None], Bools, Bools]


class Source(Protocol):
    """Where the values of fields come from."""

    def field(self, operand: FieldOperand, rows: Rows) -> Vector:
        """The values of a field for some rows."""
        ...


class RowSet:
    """Some rows of a source, and what is known about them.

    Args:
        source: gives vectors.
        rows: the rows, by the source's own numbers.
        processes: the states of processes as a set of their own; None if the source has no such
            table, and every node is decided row by row.
        places: gives for each row the place of its process state among `processes`.
    """

    def __init__(
        self,
        source: Source,
        rows: Rows,
        processes: "RowSet | None" = None,
        places: Callable[[Rows], Codes] | None = None,
    ) -> None:
        self.rows = rows
        self._source = source
        self._processes = processes
        self._find_places = places
        self._places: Codes | None = None
        self._vectors: dict[Operand, Vector] = {}
        self._truths: dict[Node, Bools] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, node: Node) -> Rows:
        """Positions within the set, ascending, that satisfy a node."""
        if node.kind is not Kind.ALL or self._decides_for_processes(node):
            return np.flatnonzero(self.truth(node, None))
        kept: Rows | None = None
        for child in node.children:
            truth = self.truth(child, kept)
            kept = np.flatnonzero(truth) if kept is None else kept[truth]
            if not len(kept):
                break
        assert kept is not None
        return kept

    def truth(self, node: Node, positions: Rows | None) -> Bools:
        """Whether a node holds at some positions of the set; None means all of them."""
        stack: list[_Steps] = [self._steps(node, positions)]
        answer: Bools | None = None
        while stack:
            try:
                request = stack[-1].send(answer) if answer is not None else next(stack[-1])
            except StopIteration as done:
                answer = done.value
                stack.pop()
            else:
                answer = None
                stack.append(self._steps(*request))
        assert answer is not None
        return answer

    def vector(self, operand: Operand, positions: Rows | None = None) -> Vector:
        """The values of an operand at some positions; those of the whole set are remembered."""
        found = self._vectors.get(operand)
        if found is None and isinstance(operand, TransformOperand):
            return self._transform(operand, positions)
        if found is None:
            assert isinstance(operand, FieldOperand)
            if positions is not None and len(positions) * _FEW < len(self):
                return self._source.field(operand, self.rows.take(positions))
            found = self._source.field(operand, self.rows)
            if isinstance(found, TextVector) and found.is_sparse:
                found = found.compact()
            self._vectors[operand] = found
        return found if positions is None else found.take(positions)

    def _transform(self, operand: TransformOperand, positions: Rows | None) -> Vector:
        size = len(self) if positions is None else len(positions)

        result = transform_vector(operand, lambda inner: self.vector(inner, positions), size)
        if positions is None:
            self._vectors[operand] = result
        return result

    def _steps(self, node: Node, positions: Rows | None) -> _Steps:
        """Decide a node; yields the parts that have to be decided first."""
        known = self._truths.get(node)
        if known is None and self._decides_for_processes(node):
            return self._by_process(node, positions)
        if known is None and positions is not None and self._is_shared(node):
            known = yield node, None
        if known is None:
            known = yield from self._decide(node, positions)
            if positions is None and node.parents > 1:
                self._truths[node] = known
            return known
        return known if positions is None else known.take(positions)

    def _decide(self, node: Node, positions: Rows | None) -> _Steps:
        if node.kind is Kind.LEAF:
            return self._leaf(node, positions)
        if node.kind is Kind.NOT:
            inner = yield node.children[0], positions
            return ~inner
        # Both kinds look for rows that are decided: for AND by a false part, for OR by a true one.
        deciding = node.kind is Kind.ANY
        size = len(self) if positions is None else len(positions)
        result = np.full(size, not deciding)
        undecided: Rows | None = None
        for child in node.children:
            asked = undecided if positions is None or undecided is None else positions[undecided]
            truth = yield child, positions if undecided is None else asked
            hits = truth if deciding else ~truth
            if undecided is None:
                result[hits] = deciding
                undecided = np.flatnonzero(~hits)
            else:
                result[undecided[hits]] = deciding
                undecided = undecided[~hits]
            if not len(undecided):
                break
        return result

    def _leaf(self, node: Node, positions: Rows | None) -> Bools:
        check = node.check
        assert check is not None
        left = self.vector(check.atom.left, positions)
        if isinstance(check, Comparison):
            assert check.atom.right is not None
            return check.rows(left, self.vector(check.atom.right, positions))
        return check.rows(left)

    def _decides_for_processes(self, node: Node) -> bool:
        return node.is_process and self._processes is not None

    def _by_process(self, node: Node, positions: Rows | None) -> Bools:
        assert self._processes is not None
        truth = self._processes.whole_truth(node)
        if not truth.any():
            return np.zeros(len(self) if positions is None else len(positions), np.bool_)
        places = self.places
        return truth.take(places if positions is None else places.take(positions))

    @property
    def places(self) -> Codes:
        """For each row the place of its process state."""
        if self._places is None:
            assert self._find_places is not None
            self._places = self._find_places(self.rows)
        return self._places

    def whole_truth(self, node: Node) -> Bools:
        """Whether a node holds for each row of the set; remembered."""
        known = self._truths.get(node)
        if known is None:
            known = self._truths[node] = self.truth(node, None)
        return known

    def _is_shared(self, node: Node) -> bool:
        return node.parents > 1 and node.cost <= _SHARED_COST
