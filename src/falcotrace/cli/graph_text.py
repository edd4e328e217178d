"""A graph as two trees of lines: what led to the alert, and below it what came of it.

In: a `Graph`. Out: branches. A graph is no tree: below each process stands what it started and did,
in order of time, so every edge is drawn once and names the events that show it. Nodes are numbered;
one that occurs again is referred to by its number.
"""

from collections.abc import Iterable, Iterator

from falcotrace.cli.branches import Branch, shown
from falcotrace.cli.quantities import show_bytes
from falcotrace.cli.tree import describe_process
from falcotrace.investigate.graph import STARTED, Edge, Graph, Side


class GraphText:
    """Draws one graph: first the causes, then the impacts.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._numbers: dict[str, int] = {}
        self._undrawn = dict.fromkeys(graph.edges)

    def causes(self) -> list[Branch]:
        """What led to the alert: from where it began down to its process."""
        nodes = [node.id for node in self._graph.nodes.values() if node.side is not Side.IMPACT]
        inside = frozenset(nodes)
        # What they did later led to nothing.
        edges = [
            edge
            for edge in self._graph.edges
            if {edge.source, edge.target} <= inside and edge.first_ns <= self._graph.start_ns
        ]
        trees = _Section(self, edges).trees(nodes)
        if self._graph.start not in self._numbers:
            trees.append(Branch(self.node_pieces(self._graph.start)))
        return trees

    def impacts(self) -> list[Branch]:
        """What came of it: of the alert's process first, then of those that led to it."""
        nodes = [self._graph.start, *self._graph.nodes]
        known = [node for node in nodes if self._graph.nodes[node].side is not Side.IMPACT]
        return _Section(self, list(self._undrawn)).trees([*known, *nodes])

    def take(self, edge: Edge) -> bool:
        """Whether an edge is still to be drawn; now it is."""
        if edge not in self._undrawn:
            return False
        del self._undrawn[edge]
        return True

    def is_process(self, node: str) -> bool:
        """Whether a node is a process."""
        return self._graph.nodes[node].process is not None

    def is_impact(self, node: str) -> bool:
        """Whether a node came of the alert."""
        return self._graph.nodes[node].side is Side.IMPACT

    def edge_pieces(self, edge: Edge, node: str) -> tuple[tuple[str, str], ...]:
        """An edge, and the node at the end that is drawn below the other one."""
        by = " by" if edge.action != STARTED and self.is_process(node) else ""
        cited = [f"event {edge.events}" if edge.events else "before the recording"]
        if edge.count > 1:
            cited.append(f"{edge.count:,} times")
        if edge.moved_bytes:
            cited.append(show_bytes(edge.moved_bytes))
        label = self.node_pieces(node)
        return ((f"{edge.action}{by} ", "cyan"), *label, (f"  [{', '.join(cited)}]", "green"))

    def node_pieces(self, node: str) -> tuple[tuple[str, str], ...]:
        """A node with everything that is known of it, or its number where that was said before."""
        found = self._graph.nodes[node]
        if node in self._numbers:
            return ((f"#{self._numbers[node]} {shown(found.label)}", "dim"),)
        number = self._numbers[node] = len(self._numbers) + 1
        is_start = node == self._graph.start
        pieces = [(f"#{number} ", "dim"), (shown(found.label), "bold" if is_start else "")]
        if found.process:
            pieces.append((f"  {shown(describe_process(found.process))}", "dim"))
        if is_start:
            pieces.append(("  ◀", "bold"))
        pieces += [(f"  ● {shown(rule)}", "bold red") for rule in found.rules]
        if found.left_out_count:
            pieces.append((f"  ({found.left_out_count:,} more not drawn)", "dim"))
        return tuple(pieces)


class _Section:
    """Trees of some edges.

    Args:
        text: the drawing that they are a part of.
        edges: in order of time.
    """

    def __init__(self, text: GraphText, edges: Iterable[Edge]) -> None:
        self._text = text
        self._edges: dict[str, list[Edge]] = {}
        self._started: set[str] = set()
        self._opened: set[str] = set()
        for edge in edges:
            self._edges.setdefault(edge.source, []).append(edge)
            self._edges.setdefault(edge.target, []).append(edge)
            if edge.action == STARTED:
                self._started.add(edge.target)

    def trees(self, begins: Iterable[str]) -> list[Branch]:
        """Trees that begin at processes, those first that no other in this section started."""
        processes = [node for node in dict.fromkeys(begins) if self._text.is_process(node)]
        firsts = [node for node in processes if node not in self._started]
        return [tree for node in (*firsts, *processes) for tree in self._tree(node)]

    def _tree(self, begin: str) -> Iterator[Branch]:
        if begin in self._opened or not self._edges.get(begin):
            return
        root = Branch(self._text.node_pieces(begin))
        waiting: list[tuple[str, Edge | None, Branch]] = [(begin, None, root)]
        while waiting:
            node, edge, branch = waiting.pop()
            if edge is not None:
                if not self._text.take(edge):
                    continue
                below = Branch(self._text.edge_pieces(edge, node))
                branch.children.append(below)
                branch = below
            if node not in self._opened:
                self._opened.add(node)
                waiting += [(*end, branch) for end in reversed(list(self._below(node)))]
        if root.children:
            yield root

    def _below(self, node: str) -> Iterator[tuple[str, Edge]]:
        """What stands below a node: of a process what it did, of a thing who came by it."""
        for edge in self._edges.get(node, ()):
            other = edge.target if edge.source == node else edge.source
            if not self._text.is_process(node):
                # Whoever was started by a process that is drawn stands below that one, and what
                # led to the alert stands by itself.
                is_placed = other in self._started or not self._text.is_impact(other)
                if edge.source == node and not is_placed:
                    yield other, edge
            elif edge.action != STARTED or edge.source == node:
                yield other, edge
