"""From one alert of an intrusion that nobody knew beforehand to its cause and its impact."""

from collections.abc import Iterator

import pytest

from falcotrace.api import Captures, open_captures
from falcotrace.api.alerts import CapturedAlert
from falcotrace.investigate.graph import Graph, Side
from falcotrace.rules.shipped import load_plan
from live.behaviours.intrusions import Intrusion

pytestmark = pytest.mark.live

NODES_MAX = 60


@pytest.fixture(scope="module")
def opened(intrusion_capture: Intrusion) -> Iterator[Captures]:
    """The capture of the intrusion."""
    with open_captures(intrusion_capture.path) as captures:
        yield captures


@pytest.fixture(scope="module")
def alerts(opened: Captures) -> list[CapturedAlert]:
    """What our rules say of it."""
    return list(opened.scan(load_plan()))


@pytest.fixture(scope="module")
def graph(opened: Captures, alerts: list[CapturedAlert], intrusion_capture: Intrusion) -> Graph:
    """The graph of the alert on the reverse connection."""
    connected = set(intrusion_capture.steps["streams redirected"])
    (alert, *_) = [one for one in alerts if one.num in connected]
    return opened.graph(alert, alerts)


def test_the_request_is_a_root(graph: Graph, intrusion_capture: Intrusion) -> None:
    """Nothing leads to the request that ran the program, and from it a way leads to the alert."""
    received = intrusion_capture.steps["requests received"][-1]
    (edge,) = [
        edge
        for edge in graph.edges
        if edge.first_num <= received <= edge.last_num and edge.action == "received from"
    ]
    assert graph.nodes[edge.source] in graph.roots
    assert edge.source.endswith("->172.18.0.2:8080")
    assert graph.start in _reached_from(graph, edge.source)


def test_the_impact_is_there(graph: Graph, intrusion_capture: Intrusion) -> None:
    """The job for cron, what cron ran, the key, the history and the secrets are in the graph."""
    names = {node.thing.name: node for node in graph.nodes.values() if node.thing}
    for path in (
        intrusion_capture.job,
        intrusion_capture.tool,
        "/root/.ssh/authorized_keys",
        "/root/.bash_history",
        "/etc/shadow",
        "/root/.aws/credentials",
    ):
        assert names[path].side is Side.IMPACT
        assert graph.start in {edge.source for edge in graph.edges_to(names[path].id)} | {
            edge.target for edge in graph.edges_from(names[path].id)
        } or names[path].id in _reached_from(graph, graph.start)
    assert names[intrusion_capture.program].side is Side.CAUSE
    shell = f"{intrusion_capture.address}:{intrusion_capture.shell_port}"
    assert names[shell].id in _reached_from(graph, graph.start)


def test_it_can_be_read(graph: Graph) -> None:
    """There are fewer than 60 nodes, whatever else the host did, and each edge cites events."""
    assert len(graph.nodes) < NODES_MAX
    assert all(edge.first_num for edge in graph.edges)


def _reached_from(graph: Graph, start: str) -> set[str]:
    """Nodes to which a way of edges leads."""
    found = {start}
    waiting = [start]
    while waiting:
        for edge in graph.edges_from(waiting.pop()):
            if edge.target not in found:
                found.add(edge.target)
                waiting.append(edge.target)
    return found
