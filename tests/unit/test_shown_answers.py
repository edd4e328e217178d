"""Answers of the Python API that show themselves: explanations, activities, hunts, lanes."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow as pa
import pytest

import falcotrace as ft
from falcotrace import notebook
from falcotrace.hunt import hunt_captures
from falcotrace.network.model import Conversation, Endpoint, EventPlace, Socket, SocketProcess
from falcotrace.network.picture import BARS_MAX, LANES_MAX, Lane, lanes_svg
from small_captures import write_capture

CAPTURES = Path(__file__).parents[2] / "captures"
EVIL = "<script>x</script>'\"\x1b[2J=cmd()"
SHOWN = "&lt;script&gt;x&lt;/script&gt;"
CONDITION = "evt.type=execve and proc.cmdline=never"
RULE = f"- {{rule: R, desc: d, condition: {CONDITION}, output: o, priority: INFO}}"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A capture in which a process chose its name and its command line to do harm."""
    row = {"evt.type": "execve", "evt.rawres": 0, "proc.name": EVIL, "proc.cmdline": EVIL}
    write_capture(tmp_path / "c.parquet", [[{"proc.pid": 7, **row}]]).close()
    return tmp_path / "c.parquet"


def is_harmless(page: str) -> bool:
    """Whether nothing in a page runs, is fetched, or reaches a terminal."""
    return not re.search(r"<script|\x1b|(src|href)\s*=\s*[\"']", page)


def test_hostile_text_stays_text_in_explanations_and_misses(hostile: Path) -> None:
    """Values of the event stand beside the checks, and they are the attacker's."""
    rules = ft.rules(ft.RulesText(RULE))
    with ft.open(hostile) as capture:
        for answer in (
            capture.explain("R", 1, rules),
            capture.misses("R", rules),
        ):
            page = answer._repr_html_()
            assert SHOWN in page
            assert is_harmless(page)


def test_explanation_in_a_notebook_says_what_the_terminal_says() -> None:
    """Every check with its truth and its value, in order."""
    with ft.open(CAPTURES / "first_light.parquet") as capture:
        explained = capture.explain("Password hashes read", 264)
        page = explained._repr_html_()
    assert "no match: 1 check stands in the way" in page
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page)
    place = cells.index("evt.type in (open, openat, openat2)")
    assert cells[place - 1 : place + 2] == ["true", cells[place], "openat"]


def test_files_and_connections_of_a_process_are_rows() -> None:
    """They are a table, a data frame, and still a sequence of activities."""
    with ft.open(CAPTURES / "intrusion.parquet") as capture:
        alert = next(one for one in capture.scan() if one.rule.name.startswith("Standard stream"))
        process = alert.process
        files, connections = process.files, process.connections
    frame = files.df()
    assert len(frame) == len(files) > 3
    assert set(frame["kind"]) == {"file"}
    assert [one.first_num for one in files] == frame["event"].tolist()
    assert "/etc/shadow" in files._repr_html_()
    assert {one.remote for one in connections} >= {"203.0.113.126:443"}
    assert f"<td>{alert.num}</td>" in alert._repr_html_()


def test_edges_of_a_graph_are_rows_with_their_events() -> None:
    """Each edge once, in order of time, with the names of its ends and the side where it stands."""
    with ft.open(CAPTURES / "intrusion.parquet") as capture:
        alert = next(one for one in capture.scan() if one.rule.name.startswith("Standard stream"))
        graph = capture.graph(alert)
    rows = graph.arrow().to_pylist()
    assert len(rows) == len(graph.edges)
    assert [row["first_event"] or 0 for row in rows] == [edge.first_num for edge in graph.edges]
    wrote = next(row for row in rows if row["target"] == "/etc/cron.d/logwatch")
    assert (wrote["side"], wrote["action"]) == ("impact", "wrote")


def test_hunt_shows_rules_and_files(hostile: Path) -> None:
    """Also what could not be read: no alert of such a file means nothing."""
    broken = hostile.with_name("<b>.parquet")
    broken.write_bytes(b"PAR1")
    page = hunt_captures([hostile, broken], ft.rules(ft.RulesText(RULE)))._repr_html_()
    assert "hunted" in page
    assert "failed" in page
    assert "&lt;b&gt;.parquet" in page
    assert is_harmless(page)


def test_rules_texts_are_loaded_behind_files(tmp_path: Path) -> None:
    """A cell's rule may use what the files before it define; a bad one says where."""
    (tmp_path / "lists.yaml").write_text("- {list: odd, items: [nc]}")
    text = RULE.replace("proc.cmdline=never", "proc.name in (odd)")
    assert [rule.name for rule in ft.rules(tmp_path / "lists.yaml", ft.RulesText(text)).rules] == [
        "R"
    ]
    with pytest.raises(ft.RulesError, match="cell 3"):
        ft.rules(ft.RulesText(text.replace("odd", "od d"), name="cell 3"))


def test_tables_have_texts_left_numbers_right_and_short_times() -> None:
    """What a reader compares stands below each other, and nobody reads nanoseconds."""
    rows = pa.table(
        {
            "n": [1],
            "who": [EVIL],
            "time": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            "left": ["out"],
        }
    )
    page = notebook.table(rows, "time", "n", "who")._repr_html_()
    assert ">2023-11-14 22:13:20.123</td>" in page
    assert "<td>1</td>" in page
    assert SHOWN in page
    assert "out" not in page
    assert is_harmless(page)
    many = notebook.table(pa.table({"n": range(notebook.ROWS_MAX + 7)}))._repr_html_()
    assert "7 more rows" in many


def conversation(num: int, name: str = "sh") -> Conversation:
    """A conversation of a second that a recorded client began."""
    process = SocketProcess(7, 0, name, f"/bin/{name}", "host", "")
    socket = Socket(
        number=num,
        host="web-1",
        transport="tcp",
        client=Endpoint("192.0.2.1", 40_000 + num),
        server=Endpoint("192.0.2.2", 443),
        is_server=False,
        scope="",
        process=process,
        process_count=1,
        first=EventPlace(0, num, num * 1_000_000_000),
        last=EventPlace(0, num, (num + 1) * 1_000_000_000),
        sent_bytes=5,
        received_bytes=6,
        sent_contents_bytes=0,
        received_contents_bytes=0,
        was_opened=True,
        was_closed=True,
    )
    return Conversation(socket, None)


def lane(program: str, count: int = 1, names: tuple[str, ...] = ()) -> Lane:
    """A lane with so many conversations."""
    talks = tuple(conversation(num, program) for num in range(count))
    return Lane(program, "192.0.2.2:443", names, is_server=False, conversations=talks)


def test_conversations_are_bars_of_their_length() -> None:
    """A bar begins and ends where its conversation does; names in answers are an attacker's."""
    svg = lanes_svg([lane("sh", 2, (EVIL,))])
    bars = [
        (float(bar.get("x", "")), float(bar.get("width", "")))
        for bar in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")
        if bar.get("rx")
    ]
    (x1, width1), (x2, width2) = bars
    assert x2 - x1 == pytest.approx(width1, abs=0.2)
    assert width1 == width2
    assert is_harmless(svg)


def test_many_conversations_are_counted_not_drawn() -> None:
    """A page stays bearable, whoever opens connections."""
    svg = lanes_svg([lane(f"p{num}", 1 if num else BARS_MAX * 2) for num in range(LANES_MAX + 5)])
    assert svg.count("<rect") <= BARS_MAX + LANES_MAX + 1
    assert f"\u00d7{BARS_MAX * 2:,}" in svg
    assert "5 more pairs" in svg
    assert "no conversations" in lanes_svg([])


def test_lanes_have_the_names_that_answers_gave() -> None:
    """By program and other end; a server's visitors are one lane an address."""
    with ft.open(CAPTURES / "intrusion.parquet") as capture:
        lanes = capture.network.lanes
        picture = notebook.conversations(capture.network)
    shell = next(one for one in lanes if one.peer == "203.0.113.126:443")
    assert shell.names == ("static.example.net",)
    visits = next(one for one in lanes if one.is_server and one.peer == "203.0.113.126")
    assert len(visits.conversations) == 6
    assert "static.example.net" in picture.svg


def test_timeline_has_a_lane_for_each_host() -> None:
    """Where many hosts were hunted, who fired is the question."""
    found = hunt_captures(CAPTURES / "*.parquet", ft.rules())
    svg = notebook.timeline(found, by_host=True).svg
    rule = "Standard stream redirected to a connection"
    assert f"web-1: {rule}"[:44] in svg
    assert f"app-1: {rule}"[:44] in svg
