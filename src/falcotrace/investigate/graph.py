"""A graph of what led to something and what came of it.

In: nodes and edges. Out: the same, in an order that a reader can follow. An edge points the way
things went: from a parent to its child, from a file to who read it, from a writer to the file.
Every edge cites events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import pyarrow as pa

from falcotrace.investigate.activities import Activity, Thing
from falcotrace.investigate.process import Process
from falcotrace.rules.plan import Priority

STARTED = "started"
"""The action of an edge from a process to one that it started."""

_EDGES = pa.schema(
    [
        ("time", pa.timestamp("ns", "UTC")),
        *((name, pa.string()) for name in ("side", "source", "action", "target")),
        *((name, pa.int64()) for name in ("first_event", "last_event", "count", "bytes")),
    ]
)


class Side(StrEnum):
    """Where a node stands."""

    ALERT = "alert"
    CAUSE = "cause"
    IMPACT = "impact"


@dataclass(frozen=True, slots=True)
class Node:
    """A process, or something that processes act on.

    Attributes:
        id: the same for the same node in every graph of these captures.
        kind: `process`, or the kind of the thing.
        label: what to call it.
        side: cause or impact of the alert, or its own process.
        process: the process; None for a thing.
        thing: the thing; None for a process.
        rules: rules that alerted on it.
        left_out_count: things that a process did and that are not drawn.
        count: how many processes it stands for: those that the same process started alike.
    """

    id: str
    kind: str
    label: str
    side: Side
    process: Process | None = None
    thing: Thing | None = None
    rules: tuple[str, ...] = ()
    left_out_count: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Edge:
    """Something that went from one node to another.

    Attributes:
        source: id of a node.
        target: id of a node.
        action: what was done, as people say it.
        capture: number of the capture.
        first_num: `evt.num` of the event that shows it first; 0 where nobody recorded it.
        last_num: of the one that shows it last.
        first_ns: when, ns since the epoch.
        last_ns: when the last time.
        count: how many events show it.
        moved_bytes: what was read, written, sent or received.
    """

    source: str
    target: str
    action: str
    capture: int = 0
    first_num: int = 0
    last_num: int = 0
    first_ns: int = 0
    last_ns: int = 0
    count: int = 0
    moved_bytes: int = 0

    @property
    def events(self) -> str:
        """The events that show it, in short; empty where nobody recorded it."""
        if not self.first_num:
            return ""
        more = f" .. {self.last_num}" if self.last_num != self.first_num else ""
        return f"{self.first_num}{more}"


@dataclass(frozen=True)
class Graph:
    """What led to an alert, and what came of it.

    Attributes:
        nodes: by id, in order of time.
        edges: in order of time.
        start: id of the node that was asked about.
        left_out_count: what was found and is not drawn, because it is noise or there is no room.
        notes: what the reader has to know: losses, limits.
        start_ns: when the event that was asked about happened, ns since the epoch.
        priorities: how severe the rules are that nodes name, as far as anybody said.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    start: str
    left_out_count: int = 0
    notes: tuple[str, ...] = ()
    start_ns: int = 0
    priorities: Mapping[str, Priority] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[Node, ...]:
        """Where it began: nodes that nothing leads to."""
        reached = {edge.target for edge in self.edges}
        return tuple(node for node in self.nodes.values() if node.id not in reached)

    def edges_from(self, node: str) -> tuple[Edge, ...]:
        """What went out of a node."""
        return tuple(edge for edge in self.edges if edge.source == node)

    def edges_to(self, node: str) -> tuple[Edge, ...]:
        """What went into a node."""
        return tuple(edge for edge in self.edges if edge.target == node)

    def arrow(self) -> pa.Table:
        """One row for each edge, in order of time, with the numbers of the events that show it."""
        rows = [
            {
                "time": edge.first_ns or None,
                "side": str(self._side(edge)),
                "source": self.nodes[edge.source].label,
                "action": edge.action,
                "target": self.nodes[edge.target].label,
                "first_event": edge.first_num or None,
                "last_event": edge.last_num or None,
                "count": edge.count,
                "bytes": edge.moved_bytes,
            }
            for edge in self.edges
        ]
        return pa.Table.from_pylist(rows, _EDGES)

    def _side(self, edge: Edge) -> Side:
        """Where an edge stands: with the end that is not the alert's own process."""
        sides = (self.nodes[edge.source].side, self.nodes[edge.target].side)
        return next((side for side in sides if side is not Side.ALERT), Side.ALERT)

    def to_dict(self) -> dict[str, object]:
        """The graph as JSON has it."""
        return {
            "start": self.start,
            "start_ns": self.start_ns,
            "nodes": [_node_fields(node) for node in self.nodes.values()],
            "edges": [_edge_fields(edge) for edge in self.edges],
            "left_out": self.left_out_count,
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        from falcotrace.investigate.pictures import graph_svg  # noqa: PLC0415 - Jupyter's

        return graph_svg(self)


def _node_fields(node: Node) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "side": str(node.side),
        "rules": list(node.rules),
    }
    if node.process:
        process = node.process
        fields |= {
            "pid": process.pid,
            "start_ns": process.start_ns,
            "exepath": process.exepath,
            "user": process.user,
            "container": process.container_id,
            "left_out": node.left_out_count,
            "count": node.count,
        }
    return fields


def _edge_fields(edge: Edge) -> dict[str, object]:
    return {name: getattr(edge, name) for name in Edge.__slots__}


def process_id(process: Process) -> str:
    """The id of a process's node."""
    return f"process:{process.key.hostname}:{process.pid}:{process.start_ns}"


def thing_id(thing: Thing) -> str:
    """The id of a thing's node."""
    return f"{thing.kind}:{thing.name}"


def seen_as(done: Activity) -> Thing:
    """What a graph shows as the object: all connections of clients to one server are one."""
    is_client = done.remote and not done.is_server
    return Thing(done.thing.kind, done.remote) if is_client else done.thing


def _together(process: Process, done: Activity) -> Activity:
    """What a process did over all its connections to one server, where these are one node."""
    if not done.remote or done.is_server:
        return done
    alike = [
        one
        for one in process.home.activities.of(process, (done.action,))
        if seen_as(one) == seen_as(done) and one.capture == done.capture
    ]
    return replace(
        done,
        first_num=min(one.first_num for one in alike),
        last_num=max(one.last_num for one in alike),
        first_ns=min(one.first_ns for one in alike),
        last_ns=max(one.last_ns for one in alike),
        count=sum(one.count for one in alike),
        moved_bytes=sum(one.moved_bytes for one in alike),
    )


@dataclass(slots=True)
class GraphBuilder:
    """Gathers nodes and edges; the same ones once."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str, str, int], Edge] = field(default_factory=dict)

    def add_process(self, process: Process, side: Side) -> str:
        """Add a process; one that is there keeps its side."""
        found = process_id(process)
        if found not in self.nodes:
            self.nodes[found] = Node(found, "process", process.label, side, process)
        return found

    def add_thing(self, thing: Thing, side: Side) -> str:
        """Add a thing; one that is there keeps its side."""
        found = thing_id(thing)
        if found not in self.nodes:
            self.nodes[found] = Node(found, thing.kind, thing.name, side, thing=thing)
        return found

    def add_edge(self, edge: Edge) -> None:
        """Add an edge."""
        self.edges.setdefault((edge.source, edge.target, edge.action, edge.capture), edge)

    def add_started(self, parent: Process, child: Process) -> None:
        """Say that a process started another; the parent's fork shows it, or what the child did."""
        birth = child.home.birth(child)
        capture, num, time_ns = (
            (birth.capture, birth.num, birth.time_ns) if birth else (0, 0, child.start_ns)
        )
        if birth is None and child.is_recorded and child.activities:
            first = child.activities[0]
            capture, num = first.capture, first.first_num
        ends = (process_id(parent), process_id(child))
        self.add_edge(Edge(*ends, STARTED, capture, num, num, time_ns, time_ns, int(num > 0)))

    def add_activity(
        self, process: Process, done: Activity, *, is_inward: bool, end: Thing | None = None
    ) -> None:
        """Say that a process did something; `end` is the thing's node if it is not its own."""
        done = _together(process, done)
        ends = (process_id(process), thing_id(end or seen_as(done)))
        source, target = reversed(ends) if is_inward else ends
        self.add_edge(
            Edge(
                source,
                target,
                done.action.name,
                done.capture,
                done.first_num,
                done.last_num,
                done.first_ns,
                done.last_ns,
                done.count,
                done.moved_bytes,
            )
        )

    def build(
        self, start: str, left_out_count: int, notes: Iterable[str], start_ns: int = 0
    ) -> Graph:
        """The graph, in order of time."""
        edges = tuple(sorted(self.edges.values(), key=lambda edge: (edge.first_ns, edge.first_num)))
        first: dict[str, int] = {}
        for edge in edges:
            for end in (edge.source, edge.target):
                first.setdefault(end, edge.first_ns)
        order = sorted(self.nodes, key=lambda node: first.get(node, 0))
        nodes = {node: self.nodes[node] for node in order}
        return Graph(nodes, edges, start, left_out_count, tuple(notes), start_ns)
