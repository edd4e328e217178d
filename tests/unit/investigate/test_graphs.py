"""Graphs of cause and impact: in order of time, bounded, and every edge with its evidence."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import falcotrace as ft
from falcotrace.capture.footer import Footer, Host
from falcotrace.cli.branches import Branch
from falcotrace.cli.graph_text import GraphText
from falcotrace.investigate.graph import STARTED, Graph, Side
from small_captures import write_capture
from unit.investigate.lives import HOST, SECOND, captured, event

SHIPPED = Path(__file__).parents[3] / "captures" / "first_light.parquet"
BREAK_IN, SHADOW, IMPLANT = 1924, 2463, 3704


def check(capture: ft.Captures, graph: Graph) -> None:
    """What holds for every graph: ends exist, events exist and are about these ends."""
    rows = capture.sql(
        "SELECT evt.num, proc.key, coalesce(fd.name, ''), coalesce(fd.type, ''), evt.time, "
        "concat_ws(' ', fs.path.name, fs.path.source, evt.arg.newpath, proc.exepath, "
        "evt.rawarg.pid, '[' || fd.ino || ']', fd.rip || ':' || fd.rport, fd.rip) FROM events"
    ).fetchall()
    events = {row[0]: row[1:] for row in rows}
    assert graph.start in graph.nodes
    for edge in graph.edges:
        source, target = graph.nodes[edge.source], graph.nodes[edge.target]
        assert source.process or target.process
        for num in {edge.first_num, edge.last_num} - {0}:
            key, name, kind, time_ns, paths = events[num]
            owner = capture.processes.of_key(0, key)
            assert owner in (source.process, target.process)
            if edge.action == STARTED:
                # The child's side or the parent's: either shows it.
                continue
            thing = source.thing or target.thing
            assert thing is not None
            is_named = name == thing.name and kind == thing.kind
            assert is_named or thing.name.removeprefix(thing.kind + ":") in paths.split(" ")
            assert edge.first_ns <= time_ns <= edge.last_ns
        assert edge.first_num or edge.action == STARTED


@pytest.mark.parametrize("num", [BREAK_IN, SHADOW, IMPLANT, 1, 5342])
@pytest.mark.parametrize("limit", [2, 10, 50])
def test_every_edge_has_its_evidence(num: int, limit: int) -> None:
    """The events that an edge cites exist and are about its process and its thing."""
    with ft.open(SHIPPED) as capture:
        graph = capture.graph(num, node_limit=limit)
        check(capture, graph)
        assert len(graph.nodes) <= limit


@pytest.mark.parametrize("num", [BREAK_IN, SHADOW, IMPLANT])
def test_causes_are_no_later_than_what_they_led_to(num: int) -> None:
    """From every cause a way leads to the alert on which time never goes back."""
    with ft.open(SHIPPED) as capture:
        graph = capture.graph(num)
        causes = {node.id for node in graph.nodes.values() if node.side is Side.CAUSE}
        led = reaching(graph, graph.start, graph.start_ns)
        assert causes <= led
        assert any(graph.nodes[node].thing for node in causes)


def reaching(graph: Graph, target: str, by_ns: int) -> set[str]:
    """Nodes from which a way of edges, each begun no later than the next, leads to a node."""
    latest = {target: by_ns}
    waiting = [target]
    while waiting:
        node = waiting.pop()
        for edge in graph.edges_to(node):
            if edge.first_ns <= latest[node] and latest.get(edge.source, -1) < (
                bound := min(latest[node], edge.last_ns)
            ):
                latest[edge.source] = bound
                waiting.append(edge.source)
    return set(latest)


def test_the_break_in_is_told() -> None:
    """From the reverse shell the request is the cause; the implant and the table are impacts."""
    with ft.open(SHIPPED) as capture:
        graph = capture.graph(BREAK_IN, list(capture.scan()))
        labels = {node.label: node for node in graph.nodes.values()}
        assert labels["203.0.113.66:50687->172.17.0.2:8080"].side is Side.CAUSE
        assert labels["lighttpd -D -f /etc/lighttpd/lighttpd.conf"].side is Side.CAUSE
        for impact in ("/tmp/.x/kworker", "/etc/crontabs/root", "cat /etc/shadow", "/etc/shadow"):
            assert labels[impact].side is Side.IMPACT
        assert "Standard stream redirected to a connection" in graph.nodes[graph.start].rules
        assert all("" not in node.rules for node in graph.nodes.values())


def test_who_wrote_the_program_is_a_cause(tmp_path: Path) -> None:
    """A program's writer and his order are followed, although he is no ancestor."""
    path = "/tmp/x"
    written = {"fd__type": "file", "fd__name": path}
    rows = [
        event(1, 1),
        event(7, 100, 1, 1, evt__type="write", evt__rawres=9, **written),
        event(8, 200, 1, 1, evt__type="execve", proc__exepath=path, proc__cmdline="x"),
        event(
            *(8, 200, 1, 1),
            evt__type="connect",
            fd__type="ipv4",
            fd__name="1.2.3.4:5->6.7.8.9:1",
            proc__exepath=path,
            proc__cmdline="x",
            fd__rip="6.7.8.9",
            fd__rport=1,
        ),
        event(9, 300, 1, 1, evt__type="write", evt__rawres=9, **written),
    ]
    with captured(tmp_path / "c.parquet", rows) as opened:
        graph = opened.graph(4)
        check(opened, graph)
        sides = {node.label: node.side for node in graph.nodes.values()}
        assert sides["p7 --run"] is Side.CAUSE
        assert sides[path] is Side.CAUSE
        assert "p9 --run" not in sides


@pytest.mark.parametrize(
    ("hostname", "container", "is_cause"),
    [("web-1", "host", True), ("web-2", "host", False), ("web-1", "c2", False)],
)
def test_a_path_is_another_one_elsewhere(
    tmp_path: Path, hostname: str, container: str, *, is_cause: bool
) -> None:
    """Whoever wrote a file of that name on another host or in another container wrote another."""
    file = {"fd__type": "file", "fd__name": "/tmp/x", "container__id": container}
    wrote = event(7, 100, 1, 1, evt__type="write", evt__rawres=9, **file)
    ran = {"proc__exepath": "/tmp/x", "proc__cmdline": "x", "container__id": "host"}
    host = Host(hostname=hostname, boot_id=HOST.boot_id)
    write_capture(tmp_path / "a.parquet", [[wrote]], Footer(host=host)).close()
    rows = [event(8, 200, 1, 1, evt__type="execve", evt__num=9, evt__time=9000, **ran)]
    write_capture(tmp_path / "b.parquet", [rows], Footer(host=HOST)).close()
    with ft.open(tmp_path) as opened:
        labels = {node.label for node in opened.graph(9).nodes.values()}
        assert ("p7 --run" in labels) is is_cause


def test_text_draws_every_edge_once_and_every_node() -> None:
    """A graph is no tree: nothing is drawn twice and nothing is forgotten."""
    with ft.open(SHIPPED) as capture:
        graph = capture.graph(BREAK_IN)
    text = GraphText(graph)
    lines = [*lines_of(text.causes()), *lines_of(text.impacts())]
    cited = [line for line in lines if line.endswith("]") and "  [" in line]
    assert len(cited) == len(graph.edges)
    for edge in graph.edges:
        assert any(f"[event {edge.events}" in line for line in cited)
    numbers = {word for line in lines for word in line.split() if word.startswith("#")}
    assert len(numbers & {f"#{n + 1}" for n in range(len(graph.nodes))}) == len(graph.nodes)


def test_text_has_the_cause_above_and_nothing_later_in_it() -> None:
    """The upper tree ends before the alert; what servers did afterwards stands below."""
    with ft.open(SHIPPED) as capture:
        graph = capture.graph(BREAK_IN)
    causes = lines_of(GraphText(graph).causes())
    later = [edge for edge in graph.edges if edge.first_ns > graph.start_ns]
    assert later
    assert not [e for e in later if any(f"[event {e.events}]" in line for line in causes)]
    assert any("◀" in line for line in causes)


def lines_of(branches: list[Branch]) -> list[str]:
    """The texts of branches and of those below."""
    found: list[str] = []
    waiting = list(branches)
    while waiting:
        branch = waiting.pop()
        found.append(branch.text)
        waiting += branch.children
    return found


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_capture_gives_a_bounded_graph(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever processes do to a few files and sockets, a graph is bounded, cited and drawn."""
    pids = st.integers(1, 5)
    types = st.sampled_from(["read", "write", "execve", "openat", "connect", "accept", "unlink"])
    deeds = data.draw(
        st.lists(st.tuples(pids, pids, types, st.integers(1, 3)), min_size=1, max_size=25)
    )
    rows = [
        event(
            *(pid, pid, parent, parent),
            evt__type=name,
            evt__rawres=thing,
            evt__time=(place + 1) * SECOND,
            fd__type="ipv4" if name in ("connect", "accept") else "file",
            fd__name=f"/t/{thing}",
            fs__path__name=f"/t/{thing}",
            proc__exepath=f"/t/{thing}" if name == "execve" else f"/bin/p{pid}",
        )
        for place, (pid, parent, name, thing) in enumerate(deeds)
    ]
    path = tmp_path / "c.parquet"
    path.unlink(missing_ok=True)
    with captured(path, rows) as opened:
        graph = opened.graph(data.draw(st.integers(1, len(rows))), node_limit=8)
        check(opened, graph)
        assert len(graph.nodes) <= 8
        text = GraphText(graph)
        cited = [
            line for line in (*lines_of(text.causes()), *lines_of(text.impacts())) if "  [" in line
        ]
        assert len(cited) == len(graph.edges)
