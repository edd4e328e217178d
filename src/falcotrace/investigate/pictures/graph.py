"""The picture of a graph: a row for each node, causes above the alert, what came of it below.

In: a `Graph`. Out: SVG. The colour of a box is its side, that of its frame the worst alert on it;
labels of links are what was done and the numbers of the events that show it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from falcotrace.investigate.graph import Edge, Graph, Node, Side
from falcotrace.investigate.pictures.placement import GraphRow, Link, place
from falcotrace.outputs.svg import (
    ALERT,
    ALERT_EDGE,
    CAUSE,
    CAUSE_EDGE,
    FAINT,
    IMPACT,
    IMPACT_EDGE,
    INK,
    MONO,
    PRIORITIES,
    SEVERE,
    WIDTH,
    Ink,
    arrowhead,
    box_of,
    clock,
    columns_of,
    document,
    line_of,
    path_of,
    text_of,
    titled,
)
from falcotrace.outputs.svg import clipped as clip
from falcotrace.rules.plan import Priority

ROWS_MAX = 200
"""More nodes than these are counted, not drawn."""

_RULES_MAX = 4
_ACTIONS_MAX = 3
_DEPTH_MAX = 14
"""Deeper nodes are not indented further."""

_TOP, _LEFT, _STEP = 44, 112, 24
_BOX_HEIGHT, _LABEL_HEIGHT, _LINE_HEIGHT, _GAP = 24, 16, 16, 8
_TRUNK = 12
_LANE_STEP, _LANES_MAX = 10, 12
_COLUMN = 7.25
"""Width of a sign in the font of labels, in pixels."""

_SIDES: Mapping[Side, tuple[Ink, Ink]] = {
    Side.CAUSE: (CAUSE, CAUSE_EDGE),
    Side.ALERT: (ALERT, ALERT_EDGE),
    Side.IMPACT: (IMPACT, IMPACT_EDGE),
}
_RADIUS = {"process": 5, "file": 0}
_SOCKET_RADIUS = 12


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a row is drawn.

    Attributes:
        row: the row.
        label: what stands in the box, cut.
        x: left end of the box, in pixels.
        y: upper end of the box.
        width: of the box.
        arrivals: links that come from around, each with the height of its line.
        bottom: where the next row may begin.
    """

    row: GraphRow
    label: str
    x: float
    y: float
    width: float
    arrivals: Sequence[tuple[Link, float]]
    bottom: float

    @property
    def middle(self) -> float:
        """Half the height of the box."""
        return self.y + _BOX_HEIGHT / 2

    @property
    def right(self) -> float:
        """Right end of the box."""
        return self.x + self.width


def graph_svg(graph: Graph) -> str:
    """Draw what led to an alert and what came of it.

    Args:
        graph: at most `ROWS_MAX` of its nodes are drawn, the others counted.
    """
    placed = place(graph)
    names = {row.node.id for row in placed.rows[:ROWS_MAX]}
    around = [one for one in placed.around if one.source in names and one.target in names]
    lanes = _lanes(around, placed.rows)
    room = WIDTH - 10 - _LANE_STEP * min(len(set(lanes.values())), _LANES_MAX)
    boxes = _boxes(placed.rows[:ROWS_MAX], around, room)
    parts = [*_legend(), *_trunks(boxes), *_arcs(around, boxes, lanes)]
    for box in boxes.values():
        parts += _draw(box, graph)
    notes = list(_notes(graph, len(placed.rows) - len(names)))
    y = max((box.bottom for box in boxes.values()), default=_TOP) + 10
    parts += [text_of(12, y + 18 * n, note, FAINT, limit=140) for n, note in enumerate(notes)]
    title = f"Causes and impact: {len(boxes)} nodes, {len(graph.edges)} edges"
    return document(WIDTH, y + 18 * len(notes), title, parts)


def link_text(edges: Sequence[Edge]) -> str:
    """What was done, with the events that show it and how much was moved."""
    told = [_edge_text(edge) for edge in edges[:_ACTIONS_MAX]]
    more = len(edges) - _ACTIONS_MAX
    return " \u00b7 ".join([*told, f"{more} more"] if more > 0 else told)


def _edge_text(edge: Edge) -> str:
    noun = "event" if edge.first_num == edge.last_num else "events"
    events = f" ({noun} {edge.events})" if edge.events else ""
    moved = f" {edge.moved_bytes:,} bytes" if edge.moved_bytes > 0 else ""
    return f"{edge.action}{moved}{events}"


def _lanes(around: Iterable[Link], rows: Sequence[GraphRow]) -> dict[str, int]:
    """A lane at the right for each node that links go around from; those that meet differ."""
    place_of = {row.node.id: place for place, row in enumerate(rows)}
    spans: dict[str, tuple[int, int]] = {}
    for link in around:
        ends = (place_of[link.source], place_of[link.target])
        low, high = spans.get(link.source, ends)
        spans[link.source] = (min(low, *ends), max(high, *ends))
    taken: list[int] = []
    lanes: dict[str, int] = {}
    for name, (low, high) in sorted(spans.items(), key=lambda item: item[1]):
        free = next((lane for lane, end in enumerate(taken) if end < low), len(taken))
        if free == len(taken):
            taken.append(high)
        taken[free] = high
        lanes[name] = min(free, _LANES_MAX - 1)
    return lanes


def _boxes(rows: Sequence[GraphRow], around: Iterable[Link], room: float) -> dict[str, _Box]:
    """Rows one below the other."""
    incoming: dict[str, list[Link]] = {}
    for link in around:
        incoming.setdefault(link.target, []).append(link)
    boxes: dict[str, _Box] = {}
    y = float(_TOP)
    for row in rows:
        x = _LEFT + _STEP * min(row.depth, _DEPTH_MAX)
        top = y + (_LABEL_HEIGHT if row.link else 0)
        suffix = _suffix(row.node)
        columns = int((room - x - 40) / _COLUMN) - columns_of(suffix)
        label = clip(row.node.label, max(16, columns))
        under = top + _BOX_HEIGHT + _LINE_HEIGHT * len(_rule_lines(row.node))
        arrivals = [
            (link, under + _LINE_HEIGHT * (place + 0.5))
            for place, link in enumerate(incoming.get(row.node.id, ()))
        ]
        y = under + _LINE_HEIGHT * len(arrivals) + _GAP
        width = 16 + _COLUMN * (columns_of(label + suffix) + 2 * bool(suffix))
        boxes[row.node.id] = _Box(row, label, x, top, width, arrivals, y)
    return boxes


def _suffix(node: Node) -> str:
    """What stands behind a label: the pid, and what is left out."""
    if node.process is None:
        return ""
    more = f" (+{node.left_out_count:,} not drawn)" if node.left_out_count else ""
    user = f" {clip(node.process.user, 16)}" if node.process.user else ""
    return f"{node.process.pid}{user}{more}"


def _rule_lines(node: Node) -> list[str]:
    more = len(node.rules) - _RULES_MAX
    lines = list(node.rules[:_RULES_MAX])
    return [*lines, f"and {more} more rules"] if more > 0 else lines


def _draw(box: _Box, graph: Graph) -> Iterator[str]:
    node = box.row.node
    side, frame = _SIDES[node.side]
    worst = min((graph.priorities[r] for r in node.rules if r in graph.priorities), default=None)
    if node.id == graph.start:
        side, frame = _SIDES[Side.ALERT]
    if node.rules:
        frame = SEVERE if worst is None else PRIORITIES[worst]
    radius = _RADIUS.get(node.kind, _SOCKET_RADIUS)
    thickness = 2 if node.rules or node.id == graph.start else 1
    shape = box_of(
        box.x, box.y, box.width, _BOX_HEIGHT, side, frame, radius=radius, thickness=thickness
    )
    suffix = _suffix(node)
    suffix_x = box.x + 8 + _COLUMN * (columns_of(box.label) + 2)
    base = box.middle + 4
    is_known = node.process is None or node.process.is_recorded
    parts = [
        shape,
        text_of(box.x + 8, base, box.label, INK if is_known else FAINT, font=MONO, size=12),
        text_of(suffix_x, base, suffix, FAINT, font=MONO, size=12) if suffix else "",
    ]
    yield titled(_about(node), parts)
    if node.id == graph.start:
        yield arrowhead(box.x - 3, box.middle, "right", SEVERE)
    yield from _draw_texts(box, graph)


def _draw_texts(box: _Box, graph: Graph) -> Iterator[str]:
    """The time, what joins the row to another, and the rules that alerted."""
    row = box.row
    time_ns = _time_of(row, graph)
    if time_ns:
        yield text_of(12, box.middle + 4, clock(time_ns), FAINT, font=MONO, size=12)
    if row.link:
        indent = _TRUNK + 8 if _has_inputs(row, graph) else 0
        yield text_of(box.x + indent, box.y - 4, link_text(row.link.edges), FAINT, size=11.5)
    y = box.y + _BOX_HEIGHT + 12
    for name in _rule_lines(row.node):
        ink = PRIORITIES[graph.priorities.get(name, Priority.CRITICAL)]
        yield text_of(box.x + _STEP, y, f"\u25cf {name}", ink, size=12)
        y += _LINE_HEIGHT


def _has_inputs(row: GraphRow, graph: Graph) -> bool:
    return any(graph.nodes[edge.source].process is None for edge in graph.edges_to(row.node.id))


def _time_of(row: GraphRow, graph: Graph) -> int:
    if row.node.process is not None and row.node.process.start_ns:
        return row.node.process.start_ns
    if row.link:
        return row.link.first_ns
    return next((edge.first_ns for edge in graph.edges_from(row.node.id)), 0)


def _about(node: Node) -> str:
    """What the mouse shows."""
    if node.process is None:
        return f"{node.kind}: {node.label}"
    process = node.process
    where = process.container_name or process.container_id
    facts = {"user": process.user, "file": process.exepath, "container": where}
    told = "; ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"process {process.pid}: {node.label}\n{told}"


def _trunks(boxes: Mapping[str, _Box]) -> Iterator[str]:
    """Lines from each node to those that hang on it."""
    for box in boxes.values():
        row = box.row
        home = boxes.get(row.anchor)
        if home is None or row.link is None:
            continue
        trunk = home.x + _TRUNK
        begin = home.y if row.is_above else home.y + _BOX_HEIGHT
        _, ink = _SIDES[row.node.side]
        # Deep nodes stand below each other: the line then comes from the left.
        way = f"M{trunk:.1f} {begin:.1f}V{box.middle:.1f}H{box.x:.1f}"
        if box.x <= trunk:
            way = f"M{home.x:.1f} {home.middle:.1f}h-10V{box.middle:.1f}H{box.x:.1f}"
        yield path_of(way, ink, width=1.5)
        if row.link.target == row.node.id:
            yield arrowhead(box.x - 1, box.middle, "right", ink)
        elif row.is_above:
            yield arrowhead(trunk, begin, "down", ink)
        else:
            yield arrowhead(min(trunk, box.x - 10) + 1, box.middle, "left", ink)


def _arcs(
    around: Iterable[Link], boxes: Mapping[str, _Box], lanes: Mapping[str, int]
) -> Iterator[str]:
    """Links that go around, on the lane of the node that they come from."""
    arrivals = {(link.source, link.target): y for box in boxes.values() for link, y in box.arrivals}
    for link in around:
        source, target = boxes[link.source], boxes[link.target]
        y = arrivals[(link.source, link.target)]
        lane = WIDTH - 8 - _LANE_STEP * lanes[link.source]
        _, ink = _SIDES[target.row.node.side]
        text = f"\u2190 {link_text(link.edges)}: {source.row.node.label}"
        columns = int((lane - target.x - _STEP - 24) / 6.2)
        shown = clip(text, max(10, columns))
        end = target.x + _STEP + 6.2 * columns_of(shown) + 8
        way = f"M{source.right:.1f} {source.middle:.1f}H{lane:.1f}V{y:.1f}H{end:.1f}"
        yield path_of(way, ink, width=1.2, dash="4 3")
        yield text_of(target.x + _STEP, y + 4, shown, FAINT, size=11.5)


def _legend() -> Iterator[str]:
    """What colours and shapes mean."""
    x = 12.0
    sides = (
        ("what led to it", Side.CAUSE),
        ("the alert", Side.ALERT),
        ("what came of it", Side.IMPACT),
    )
    for name, side in sides:
        yield box_of(x, 10, 22, 14, *_SIDES[side])
        yield text_of(x + 28, 21, name, FAINT, size=11.5)
        x += 44 + 6 * len(name)
    for name, radius in (("process", 5), ("file", 0), ("connection, pipe", 7)):
        yield box_of(x, 10, 22, 14, *_SIDES[Side.CAUSE], radius=radius)
        yield text_of(x + 28, 21, name, FAINT, size=11.5)
        x += 44 + 6 * len(name)
    yield text_of(x, 21, "\u25cf a rule that alerted", SEVERE, size=11.5)
    yield line_of(12, 32, WIDTH - 12, 32)


def _notes(graph: Graph, undrawn: int) -> Iterator[str]:
    if undrawn > 0:
        yield f"{undrawn:,} more nodes are not drawn"
    if graph.left_out_count:
        yield f"{graph.left_out_count:,} more things were found and are left out for want of room"
    yield from graph.notes
