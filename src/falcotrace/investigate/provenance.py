"""The graph of an alert: backward to its cause, forward to its impact, small enough to be read.

In: processes, activities, the event of an alert. Out: a `Graph` with at most so many nodes.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from falcotrace.investigate.activities import Activities
from falcotrace.investigate.causes import Causes
from falcotrace.investigate.graph import Graph, GraphBuilder, Side, process_id, seen_as, thing_id
from falcotrace.investigate.impacts import Candidate, Impacts
from falcotrace.investigate.process import Process
from falcotrace.investigate.processes import Processes

NODES_MAX = 50
"""More than that nobody reads."""

_CAUSE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class AlertPlace:
    """Where an alert is.

    Attributes:
        process: number of its process.
        num: number of its event.
        time_ns: when, ns since the epoch.
        rule: name of the rule; empty for an event that nobody alerted on.
    """

    process: int
    num: int
    time_ns: int
    rule: str


def build_graph(
    processes: Processes,
    activities: Activities,
    start: AlertPlace,
    alerts: Iterable[AlertPlace] = (),
    *,
    node_limit: int = NODES_MAX,
    notes: Sequence[str] = (),
) -> Graph:
    """Build the graph of an alert.

    Args:
        processes: of the captures.
        activities: of the same captures.
        start: the alert, or any event.
        alerts: other alerts, which are marked, and preferred where there is little room.
        node_limit: at most so many nodes.
        notes: what the reader has to know.
    """
    places = [start, *alerts]
    builder = GraphBuilder()
    asked = processes[start.process]
    begin = builder.add_process(asked, Side.ALERT)
    share = int(node_limit * _CAUSE_SHARE)
    causes = Causes(processes, activities, builder, share, node_limit)
    causes.find(asked, start.time_ns)
    impacts = Impacts(processes, activities, _alerted(places))
    entries = [(entry, entry.start_ns) for entry in causes.entries]
    candidates = impacts.find([*entries, (asked, asked.start_ns)])
    left_out = _take(candidates, processes, builder, node_limit)
    _mark(builder, places, processes, left_out, impacts.alike)
    return builder.build(begin, sum(left_out.values()), notes, start.time_ns)


def _alerted(places: Iterable[AlertPlace]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    for place in places:
        found.setdefault(place.process, set()).add(place.num)
    return {process: frozenset(nums) for process, nums in found.items()}


def _take(
    candidates: Iterable[Candidate],
    processes: Processes,
    builder: GraphBuilder,
    node_limit: int,
) -> Counter[str]:
    """Add the heaviest candidates, and what leads to them; how many are left out, by process."""
    left_out: Counter[str] = Counter()
    for one in sorted(candidates, key=lambda one: -one.weight):
        way = _way_to(one.process, processes, builder)
        new = {process_id(process) for process in way}
        if one.activity is not None:
            new |= {thing_id(seen_as(one.activity))} - builder.nodes.keys()
        if len(builder.nodes) + len(new) > node_limit:
            left_out[process_id(one.process)] += 1
            continue
        _add(one, way, processes, builder)
    return left_out


def _way_to(process: Process, processes: Processes, builder: GraphBuilder) -> list[Process]:
    """The process and its ancestors up to one that is in the graph."""
    if process_id(process) in builder.nodes:
        return []
    way = [process]
    for ancestor in processes.ancestors(process):
        if process_id(ancestor) in builder.nodes:
            return way
        way.append(ancestor)
    return [process]


def _add(
    one: Candidate,
    way: Sequence[Process],
    processes: Processes,
    builder: GraphBuilder,
) -> None:
    for process in way:
        builder.add_process(process, Side.IMPACT)
        parent = processes.parent(process)
        if parent is not None and (parent in way or process_id(parent) in builder.nodes):
            builder.add_started(parent, process)
    if one.activity is not None:
        builder.add_thing(seen_as(one.activity), Side.IMPACT)
        builder.add_activity(one.process, one.activity, is_inward=one.is_inward)


def _mark(
    builder: GraphBuilder,
    places: Iterable[AlertPlace],
    processes: Processes,
    left_out: Mapping[str, int],
    alike: Mapping[Process, int],
) -> None:
    """Say which rules alerted on a process, how many it stands for, and what is not drawn."""
    rules: dict[str, dict[str, None]] = {}
    for place in places:
        if not place.rule:
            continue
        rules.setdefault(process_id(processes[place.process]), {})[place.rule] = None
    for node in list(builder.nodes.values()):
        builder.nodes[node.id] = dataclasses.replace(
            node,
            rules=tuple(rules.get(node.id, ())),
            left_out_count=left_out.get(node.id, 0),
            count=max(1, alike.get(node.process, 1)) if node.process else 1,
        )
