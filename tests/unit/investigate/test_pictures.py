"""Pictures of graphs and trees: complete, in order, in bounds, and safe whatever was recorded."""

import dataclasses
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import falcotrace as ft
from falcotrace.investigate.activities import Thing
from falcotrace.investigate.graph import Edge, Graph, Node, Side
from falcotrace.investigate.pictures import graph_svg, tree_svg
from falcotrace.investigate.pictures.graph import ROWS_MAX
from falcotrace.investigate.pictures.placement import place
from falcotrace.investigate.process import Process, ProcessKey, Program
from falcotrace.investigate.tree import ProcessTree, TreeLine
from falcotrace.outputs.svg import columns_of
from falcotrace.rules.plan import Priority

EVIL = "sh -c <script>alert(1)</script> ]]> \"'&\x1b[2J\u202e\u200b\U0010feff"
SHOWN = "sh -c <script>alert(1)</script> ]]> \"'&\\x1b[2J\\u202e\\u200b\\xff"
SVG = "{http://www.w3.org/2000/svg}"
CAPTURE = Path(__file__).parents[3] / "captures" / "first_light.parquet"


def texts(svg: str) -> list[str]:
    """The lines of a picture, which must be well-formed XML without scripts."""
    root = ET.fromstring(svg)
    assert not [item for item in root.iter() if item.tag in (f"{SVG}script", f"{SVG}style")]
    return [item.text or "" for item in root.iter(f"{SVG}text")]


def process(pid: int, *commands: str) -> Process:
    """A process that executed some commands."""
    programs = tuple(
        Program(text.split()[0], f"/bin/{text}", text, "/", "root") for text in commands
    )
    key = ProcessKey("web-1", "boot", pid, 1_795_262_400_000_000_000 + pid)
    return Process(key, pid, programs, home=None)  # type: ignore[arg-type]


def node(name: str, side: Side, rules: tuple[str, ...] = ()) -> Node:
    """A node: of a process if its name is a number, of a file otherwise."""
    if name.isdigit():
        owner = process(int(name), f"program {name}")
        return Node(name, "process", owner.cmdline, side, owner, rules=rules)
    return Node(name, "file", name, side, thing=Thing("file", name))


def graph(sides: dict[str, Side], links: Iterable[tuple[str, str, str]], start: str) -> Graph:
    """A graph whose edges are one second apart."""
    edges = tuple(
        Edge(source, target, action, 0, num, num, num * 10**9, num * 10**9, 1)
        for num, (source, action, target) in enumerate(links, 1)
    )
    return Graph({name: node(name, side) for name, side in sides.items()}, edges, start)


def test_causes_stand_above_the_alert_and_impact_below() -> None:
    """A reader goes from top to bottom: who wrote the file, who ran it, what that wrote."""
    links = [
        ("10", "started", "11"),
        ("11", "wrote", "/tmp/x"),
        ("10", "started", "12"),
        ("/tmp/x", "ran", "12"),
        ("10", "started", "13"),
        ("12", "wrote", "/etc/cron.d/x"),
        ("/etc/shadow", "opened", "12"),
    ]
    sides = {
        **dict.fromkeys(("10", "11", "/tmp/x"), Side.CAUSE),
        "12": Side.ALERT,
        **dict.fromkeys(("13", "/etc/cron.d/x", "/etc/shadow"), Side.IMPACT),
    }
    placed = place(graph(sides, links, "12"))
    order = [(row.node.id, row.depth) for row in placed.rows]
    assert order == [
        ("10", 0),
        ("11", 1),
        ("/tmp/x", 2),
        ("12", 1),
        ("/etc/cron.d/x", 2),
        ("/etc/shadow", 2),
        ("13", 1),
    ]
    assert [(link.source, link.target) for link in placed.around] == [("/tmp/x", "12")]


def test_what_came_in_stands_above_who_took_it() -> None:
    """A request that nobody recorded as sent leads down into the server."""
    links = [("10.0.0.1:80", "accepted", "10"), ("10", "started", "11")]
    sides = {"10.0.0.1:80": Side.CAUSE, "10": Side.CAUSE, "11": Side.ALERT}
    rows = place(graph(sides, links, "11")).rows
    assert [(row.node.id, row.is_above) for row in rows] == [
        ("10.0.0.1:80", True),
        ("10", False),
        ("11", False),
    ]


NAMES = ("1", "2", "3", "4", "/a", "/b", "/c")


@given(
    links=st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from(("started", "wrote", "read", "ran")),
            st.sampled_from(NAMES),
        ),
        max_size=30,
        unique=True,
    ),
    sides=st.fixed_dictionaries({name: st.sampled_from(tuple(Side)) for name in NAMES}),
)
def test_every_node_has_one_row_and_every_link_is_drawn_once(
    links: list[tuple[str, str, str]], sides: dict[str, Side]
) -> None:
    """Circles, several writers, nodes without links: nothing is lost and nothing twice."""
    asked = graph(sides, links, "1")
    placed = place(asked)
    assert sorted(row.node.id for row in placed.rows) == sorted(NAMES)
    drawn = [row.link for row in placed.rows if row.link] + list(placed.around)
    pairs = {(source, target) for source, _, target in links if source != target}
    assert sorted((link.source, link.target) for link in drawn) == sorted(pairs)
    assert len(texts(graph_svg(asked))) > len(NAMES)


def test_edges_say_what_was_done_and_cite_events() -> None:
    """The label is the evidence: action, bytes, numbers of events."""
    asked = graph({"1": Side.ALERT, "/a": Side.IMPACT}, [("1", "wrote", "/a")], "1")
    edge = dataclasses.replace(asked.edges[0], first_num=421, last_num=430, moved_bytes=4096)
    svg = graph_svg(dataclasses.replace(asked, edges=(edge,)))
    assert "wrote 4,096 bytes (events 421 .. 430)" in texts(svg)


def test_hostile_texts_stay_texts() -> None:
    """Labels, rules, users and notes with markup and controls are text nodes of the picture."""
    owner = dataclasses.replace(process(7, EVIL), programs=(Program(EVIL, EVIL, EVIL, "", EVIL),))
    nodes = {EVIL: Node(EVIL, "process", EVIL, Side.ALERT, owner, rules=(EVIL,))}
    found = texts(graph_svg(Graph(nodes, (), EVIL, notes=(EVIL,))))
    assert SHOWN in found
    assert f"\u25cf {SHOWN}" in found
    tree = ProcessTree((TreeLine(owner, 0, True, {EVIL: 2}),))
    assert {SHOWN, f"\u25cf {SHOWN} (2 times)"} <= set(texts(tree_svg(tree)))


def test_pictures_stay_in_their_width() -> None:
    """Whatever is long is cut: no text begins or box ends outside the picture."""
    names = [str(pid) for pid in range(1, 60)]
    asked = graph(
        dict.fromkeys(names, Side.CAUSE),
        [(one, "started", two) for one, two in itertools.pairwise(names)],
        "59",
    )
    nodes = {n: dataclasses.replace(one, label="x" * 5000) for n, one in asked.nodes.items()}
    root = ET.fromstring(graph_svg(dataclasses.replace(asked, nodes=nodes)))
    width = float(root.get("width", ""))
    for box in root.iter(f"{SVG}rect"):
        if box.get("x"):
            assert 0 <= float(box.get("x", "")) + float(box.get("width", "")) <= width
    for text in root.iter(f"{SVG}text"):
        end = float(text.get("x", "")) + 5 * columns_of(text.text or "")
        assert text.get("text-anchor") == "end" or end < width


def test_huge_graphs_and_trees_are_counted_not_drawn() -> None:
    """A page has to bear them."""
    names = [str(pid) for pid in range(1, 1000)]
    found = texts(graph_svg(graph(dict.fromkeys(names, Side.IMPACT), [], "1")))
    assert f"{999 - ROWS_MAX} more nodes are not drawn" in found
    lines = tuple(TreeLine(process(pid, "sh", "sh -c x"), pid % 90) for pid in range(1, 5000))
    svg = tree_svg(ProcessTree(lines, 7))
    assert len(svg) < 500_000
    assert any("more processes are not shown" in text for text in texts(svg))


def test_alerts_have_the_colour_of_their_priority() -> None:
    """Red is for what is severe; a rule of which nobody said how severe it is counts as such."""
    asked = graph({"1": Side.ALERT}, [], "1")
    nodes = {"1": dataclasses.replace(asked.nodes["1"], rules=("quiet", "loud"))}
    priorities = {"quiet": Priority.NOTICE, "loud": Priority.CRITICAL}
    root = ET.fromstring(graph_svg(dataclasses.replace(asked, nodes=nodes, priorities=priorities)))
    inks = {text.text: text.get("class") for text in root.iter(f"{SVG}text")}
    assert inks["\u25cf quiet"] == "ft-notice"
    assert inks["\u25cf loud"] == "ft-severe"
    assert [box.get("class") for box in root.iter(f"{SVG}rect")][-1] == "ft-alert ft-s-severe"


def test_the_shipped_capture_draws_itself_in_notebooks() -> None:
    """Graph and tree of a real alert show themselves, with the alert in them."""
    with ft.open(CAPTURE) as capture:
        alert = min(capture.scan(), key=lambda one: one.priority)
        for shown in (alert.graph()._repr_html_(), capture.tree(alert, [alert])._repr_html_()):
            assert f"\u25cf {alert.rule.name}" in texts(shown)
            assert not re.search(r"\b(href|src|style)=|url\(", shown)


@pytest.mark.parametrize("lines", [(), (TreeLine(process(1, "a"), 0),)])
def test_small_trees_are_pictures_too(lines: tuple[TreeLine, ...]) -> None:
    """Without processes the picture says so."""
    assert texts(tree_svg(ProcessTree(lines)))
