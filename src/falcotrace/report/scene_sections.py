"""What can be looked at: the timeline, graphs, the tree of processes, and who was talked to."""

from collections.abc import Sequence

from falcotrace.investigate.pictures import graph_svg, timeline_svg, tree_svg
from falcotrace.outputs.svg import clock
from falcotrace.report.alert_sections import moment
from falcotrace.report.cover import badge
from falcotrace.report.findings import ALERTS_KEPT, Findings
from falcotrace.report.markup import Markup, Room, element, joined, more, safe, table
from falcotrace.report.paper import on_paper
from falcotrace.report.peers import Peer, names_of, peers_of
from falcotrace.report.serious import Story, stories_of

_TREE_PROCESSES_MAX = 150
_PEERS_MAX = 300
_NAMES_MAX = 3
_PEERS_BYTES, _GRAPHS_BYTES, _TREE_BYTES = 300_000, 1_500_000, 600_000


def _picture(svg: str, room: Room, name: str) -> Markup:
    drawn = on_paper(svg, f"picture-{name}")
    if room.take(drawn):
        return drawn
    return element("p", safe("This picture is left out: it would be too large."), class_="note")


def timeline(findings: Findings) -> Markup:
    """When each rule fired."""
    cut = any(one.count > len(one.kept) for one in findings.by_rule.values())
    note = safe(f"Of each rule the first {ALERTS_KEPT} alerts are drawn.") if cut else safe("")
    drawn = _picture(timeline_svg(findings.alerts), Room(_TREE_BYTES), "timeline")
    return joined((drawn, element("p", note, class_="note") if cut else note))


def graphs(findings: Findings) -> Markup:
    """A graph for each story that serious alerts tell."""
    stories, undrawn = stories_of(findings)
    if not stories:
        return element("p", safe("No alert is serious enough for a graph."))
    room = Room(_GRAPHS_BYTES)
    intro = safe(
        "From each serious alert backward to what led to it, and forward to what came of it. "
        "Numbers of events are evidence, and can be given to "
    )
    drawn = joined(_story(number, story, room) for number, story in enumerate(stories, 1))
    return joined(
        (
            element("p", intro, element("code", safe("falcotrace show"))),
            drawn,
            more(undrawn, "serious alerts"),
        )
    )


def _story(number: int, story: Story, room: Room) -> Markup:
    first = story.alerts[0]
    heading = element(
        "h3",
        safe(f"{number}. "),
        safe(f"{first.rule.name}, {clock(first.time_ns)}, event {first.num}"),
    )
    others = dict.fromkeys(one.rule.name for one in story.alerts[1:])
    also = [name for name in others if name != first.rule.name]
    text = safe(f"Also shows: {', '.join(also)}", 400)
    note = element("p", text, class_="note") if also else Markup("")
    drawn = _picture(graph_svg(story.graph), room, f"graph-{number}")
    return joined((heading, badge(first.priority), note, drawn))


def tree(findings: Findings) -> Markup:
    """The processes that rules alerted on, below what they came from."""
    if not findings.alerts:
        return element("p", safe("No rule alerted."))
    found = findings.investigation.tree_of_alerts(findings.alerts, limit=_TREE_PROCESSES_MAX)
    return _picture(tree_svg(found), Room(_TREE_BYTES), "tree")


def network(findings: Findings) -> Markup:
    """Who talked to whom; ends outside the host first."""
    asked = findings.investigation
    peers = peers_of(asked.activities.of_kinds("ipv4", "ipv6"), asked.processes)
    if not peers:
        return element("p", safe("No process talked over the network."))
    names = names_of(findings.captures)
    header = ("program", "", "other end", "first", "event", "sent", "received")
    drawn, cut = table(
        header,
        (_peer(peer, names.get(peer.address, ())) for peer in peers[:_PEERS_MAX]),
        room=Room(_PEERS_BYTES),
        right=("event", "sent", "received"),
        wide="program",
        firm=("", "other end"),
    )
    return joined((drawn, more(cut + max(0, len(peers) - _PEERS_MAX), "peers")))


def _names(names: Sequence[str]) -> Markup:
    known = safe(", ".join(names[:_NAMES_MAX]), 120)
    return element("span", known, class_="small") if names else known


def _peer(peer: Peer, names: Sequence[str]) -> tuple[Markup, ...]:
    count = len(peer.processes)
    times = element("span", safe(f"{count:,} processes"), class_="small") if count > 1 else safe("")
    return (
        joined((element("code", safe(peer.program, 200)), times)),
        safe("from" if peer.is_client else "to"),
        joined((element("code", safe(peer.remote, 64)), _names(names))),
        moment(peer.first_ns),
        safe(str(peer.first_num)),
        safe(f"{peer.sent_bytes:,} B"),
        safe(f"{peer.received_bytes:,} B"),
    )
