"""Where the nodes of a graph stand: each in a row of its own, causes above the alert, impact below.

In: a `Graph`. Out: rows from top to bottom with a depth each, and the links that join them. A link
is either part of a row (it leads to the row above that the node hangs on) or goes around.

One node a row, because labels are command lines and paths: they need room to the right, and a
process that wrote thirty files is a list that can be read, not a fan of thirty crossing lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from falcotrace.investigate.actions import RAN
from falcotrace.investigate.graph import Edge, Graph, Node, Side

_STARTED = "started"


@dataclass(frozen=True, slots=True)
class Link:
    """All edges from one node to another.

    Attributes:
        source: id of a node.
        target: id of a node.
        edges: in order of time.
    """

    source: str
    target: str
    edges: tuple[Edge, ...]

    @property
    def first_ns(self) -> int:
        """When it was first seen, ns since the epoch."""
        return self.edges[0].first_ns


@dataclass(frozen=True, slots=True)
class GraphRow:
    """One node and its place.

    Attributes:
        node: the node.
        depth: how far it is from the left.
        anchor: id of the node that it hangs on; empty for one that hangs on none.
        link: what joins it to the anchor; None without an anchor.
        is_above: whether it is an input that stands above its anchor.
    """

    node: Node
    depth: int
    anchor: str = ""
    link: Link | None = None
    is_above: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """The rows of a graph, from top to bottom.

    Attributes:
        rows: one for each node.
        around: links that are part of no row, in order of time.
    """

    rows: tuple[GraphRow, ...]
    around: tuple[Link, ...]


def place(graph: Graph) -> Placement:
    """Find a place for each node."""
    links = _links_of(graph)
    anchors = _anchors(graph, links)
    rows = tuple(_in_order(graph, anchors))
    used = {id(link) for link in anchors.values()}
    around = tuple(link for link in links if id(link) not in used and link.source != link.target)
    return Placement(rows, around)


def _links_of(graph: Graph) -> list[Link]:
    """Edges between the same two nodes belong together."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in graph.edges:
        if edge.source in graph.nodes and edge.target in graph.nodes:
            found.setdefault((edge.source, edge.target), []).append(edge)
    return [Link(source, target, tuple(edges)) for (source, target), edges in found.items()]


def _anchors(graph: Graph, links: Sequence[Link]) -> Mapping[str, Link]:
    """The link by which each node hangs on another.

    A process hangs on its parent, or else on the file that it ran; a thing on who made it, an input
    that nobody made before it was taken on who took it.
    """
    anchors: dict[str, Link] = {}
    for actions in ({_STARTED}, {RAN.name}):
        for link in links:
            is_way = any(edge.action in actions for edge in link.edges)
            if is_way and graph.nodes[link.target].process is not None:
                _hang(anchors, link.target, link.source, link)
    made = {link.target for link in links}
    for link in sorted(links, key=lambda one: one.first_ns):
        source, target = graph.nodes[link.source], graph.nodes[link.target]
        if target.process is None:
            _hang(anchors, link.target, link.source, link)
        if source.process is None and (source.side == Side.CAUSE or link.source not in made):
            _hang(anchors, link.source, link.target, link)
    return anchors


def _hang(anchors: dict[str, Link], name: str, anchor: str, link: Link) -> None:
    is_used = anchors.get(anchor) is link
    if name not in anchors and not is_used and not _leads(anchors, anchor, name):
        anchors[name] = link


def _leads(anchors: Mapping[str, Link], begin: str, end: str) -> bool:
    """Whether a node hangs, over others, on another."""
    current = begin
    for _ in range(len(anchors) + 1):
        if current == end:
            return True
        link = anchors.get(current)
        if link is None:
            return False
        current = link.source if link.target == current else link.target
    return True


@dataclass(slots=True)
class _Branch:
    node: Node
    link: Link | None
    anchor: str
    is_above: bool
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)


_SIDES = {Side.CAUSE: 0, Side.ALERT: 1, Side.IMPACT: 2}


def _in_order(graph: Graph, anchors: Mapping[str, Link]) -> Iterator[GraphRow]:
    branches = _branches(graph, anchors)
    to_start = _way_up(branches, graph.start)
    rank = {
        name: (1 if name in to_start else _SIDES[graph.nodes[name].side], place)
        for place, name in enumerate(graph.nodes)
    }
    roots = sorted((n for n, one in branches.items() if not one.anchor), key=rank.__getitem__)
    waiting = [(name, 0, False) for name in reversed(roots)]
    while waiting:
        name, depth, is_ready = waiting.pop()
        branch = branches[name]
        if not is_ready and branch.above:
            waiting.append((name, depth, True))
            above = sorted(branch.above, key=rank.__getitem__)
            waiting += [(one, depth + 1, False) for one in reversed(above)]
            continue
        yield GraphRow(branch.node, depth, branch.anchor, branch.link, branch.is_above)
        below = sorted(branch.below, key=rank.__getitem__)
        waiting += [(one, depth + 1, False) for one in reversed(below)]


def _branches(graph: Graph, anchors: Mapping[str, Link]) -> dict[str, _Branch]:
    branches: dict[str, _Branch] = {}
    for name, node in graph.nodes.items():
        link = anchors.get(name)
        anchor = "" if link is None else (link.source if link.target == name else link.target)
        is_input = link is not None and link.source == name
        branches[name] = _Branch(node, link, anchor, is_input and node.side == Side.CAUSE)
    for name, branch in branches.items():
        if branch.anchor:
            home = branches[branch.anchor]
            (home.above if branch.is_above else home.below).append(name)
    return branches


def _way_up(branches: Mapping[str, _Branch], start: str) -> set[str]:
    """A node and what it hangs on."""
    found: set[str] = set()
    current = start
    while current in branches and current not in found:
        found.add(current)
        current = branches[current].anchor
    return found
