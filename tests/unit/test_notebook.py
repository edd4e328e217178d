"""What Jupyter shows: complete, drawn in bounds, and safe whatever was recorded."""

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace import notebook
from falcotrace.alerts import Alert
from falcotrace.api import Captures
from falcotrace.investigate.pictures.timeline import LANES_MAX
from falcotrace.outputs.svg import WIDTH
from falcotrace.rules.plan import Priority, RulePlan
from small_captures import Row, write_capture

EVIL = "sh -c <script>alert(1)</script> \"'&\x1b[2J\u202e\U0010feff"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def rule() -> RulePlan:
    """Any rule."""
    return ft.rules().rules[0]


def make_alert(rule: RulePlan, num: int, text: str = "something", second: float = 0) -> Alert:
    """An alert of a rule about an event, `second` seconds after noon of some day."""
    time_ns = 1_795_262_400_000_000_000 + int(second * 1e9)
    return Alert(rule, num, time_ns, f"It | command={text} container=<NA>", {}, "web-1")


def executed(num: int, pid: int, ancestors: list[int], command: str) -> Row:
    """An event: a process executed a program."""
    return {
        "evt.num": num,
        "evt.type": "execve",
        "evt.rawres": 0,
        "proc.pid": pid,
        "proc.ppid": ancestors[0] if ancestors else None,
        "proc.apid": ancestors,
        "proc.cmdline": command,
    }


def texts(picture: notebook.Picture) -> list[str]:
    """The lines of a picture, which must be well-formed XML."""
    root = ET.fromstring(picture.svg)
    return [item.text or "" for item in root.iter(f"{SVG}text")]


def test_hostile_text_stays_text_in_tables(rule: RulePlan) -> None:
    """A command line with markup, quotes and controls cannot leave its cell."""
    named = dataclasses.replace(rule, name=EVIL)
    html = notebook.alerts_html([make_alert(named, 1, EVIL)], notes=[EVIL])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3
    assert not set(html) & {"\x1b", "\u202e", "\U0010feff"}


def test_hostile_text_stays_text_in_pictures(rule: RulePlan, tmp_path: Path) -> None:
    """Pictures with such texts are well-formed XML, and the text is one text node."""
    named = dataclasses.replace(rule, name=EVIL)
    alert = make_alert(named, 1, EVIL)
    shown = "sh -c <script>alert(1)</script> \"'&\\x1b[2J\\u202e\\xff"
    lane = texts(notebook.timeline([alert]))[1]
    assert lane.endswith("\u2026")
    assert shown.startswith(lane[:-1])
    with Captures([write_capture(tmp_path / "c.parquet", [[executed(1, 7, [], EVIL)]])]) as opened:
        picture = notebook.process_tree(opened, [alert])
    assert texts(picture) == ["7", shown, f"\u25cf {shown}"]
    assert "<script" not in picture.svg


def test_hostile_host_stays_text_in_summary(tmp_path: Path) -> None:
    """The name of a file is chosen by whoever sends it."""
    path = tmp_path / "<img src=x onerror=alert(1)>.parquet"
    with Captures([write_capture(path, [[executed(1, 7, [], "sh")]])]) as opened:
        html = notebook.summary_html(opened.info)
    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_table_has_an_alert_a_row_and_leaves_out_what_has_no_value(rule: RulePlan) -> None:
    """Rows in the given order; items of the output without a value would only be noise."""
    html = notebook.alerts_html([make_alert(rule, 4), make_alert(rule, 9)])
    assert html.index("<td>4</td>") < html.index("<td>9</td>")
    assert "2 alerts" in html
    assert "command=something" in html
    assert "container=" not in html


def test_many_alerts_are_counted_not_drawn(rule: RulePlan) -> None:
    """A page stays bearable, and says how much is missing."""
    html = notebook.alerts_html(make_alert(rule, num) for num in range(1, 1234))
    assert html.count("<tr>") == notebook.ROWS_MAX + 1
    assert "1,033 more alerts" in html


def test_jupyter_finds_the_tables() -> None:
    """A report and captures show themselves as the last line of a cell."""
    capture = Path(__file__).parents[2] / "captures" / "first_light.parquet"
    with ft.open(capture) as opened:
        assert "none of" in opened._repr_html_()
        assert "Password hashes read" in opened.scan(ft.rules())._repr_html_()


def test_timeline_has_a_lane_a_rule_in_order_of_time(rule: RulePlan) -> None:
    """Lanes follow the first alert of each rule; dots stand where their time is."""
    late = dataclasses.replace(rule, name="late", priority=Priority.CRITICAL)
    alerts = [make_alert(late, 2, second=10), make_alert(rule, 1), make_alert(rule, 3, second=5)]
    picture = notebook.timeline(alerts)
    root = ET.fromstring(picture.svg)
    dots = [
        (float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.iter(f"{SVG}circle")
    ]
    (x1, y1), (x2, y2), (x3, y3) = dots
    assert x2 - x1 == pytest.approx(x3 - x2)
    assert y1 == y2 < y3
    lanes = [text for text in texts(picture) if not text[0].isdigit()]
    assert lanes == [rule.name, "\u00d72", "late"]


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.004, 59, 86_400 * 400])
def test_timeline_axis_is_bounded(rule: RulePlan, seconds: float) -> None:
    """Whatever the span, there are few lines: no span makes the page huge."""
    alerts = [make_alert(rule, 1), make_alert(rule, 2, second=seconds)]
    assert len(texts(notebook.timeline(alerts))) < 12


def test_timeline_bears_many_alerts_and_rules(rule: RulePlan) -> None:
    """Dots that would lie upon each other become one; rules beyond the limit are counted."""
    alerts = [make_alert(rule, num, second=num / 1000) for num in range(1, 20_000)]
    rules = [dataclasses.replace(rule, name=f"rule {num}") for num in range(300)]
    alerts += [make_alert(other, num, second=9) for num, other in enumerate(rules)]
    svg = notebook.timeline(alerts).svg
    assert svg.count("<circle") < WIDTH + LANES_MAX
    assert "more here" in svg
    assert "101 more rules" in svg


def test_timeline_without_alerts_says_so() -> None:
    """An empty picture would look like a defect."""
    assert texts(notebook.timeline([])) == ["no alerts"]


def test_tree_shows_what_leads_to_alerts(rule: RulePlan, tmp_path: Path) -> None:
    """Only paths to alerts are drawn, or all around an event's process."""
    rows = [
        executed(1, 10, [1], "server"),
        executed(2, 11, [10, 1], "quiet"),
        executed(3, 12, [10, 1], "loud"),
        executed(4, 12, [10, 1], "louder"),
    ]
    with Captures([write_capture(tmp_path / "c.parquet", [rows])]) as opened:
        lines = texts(notebook.process_tree(opened, [make_alert(rule, 4)]))
        below = texts(notebook.process_tree(opened, [], below=3))
        with pytest.raises(ValueError, match="event 99"):
            notebook.process_tree(opened, [], below=99)
    commands = ["1", "?", "10", "server", "12", "loud", "\u2192 louder"]
    assert lines == [*commands, f"\u25cf {rule.name}"]
    assert below == commands


def test_tree_bears_a_chain_without_end(rule: RulePlan, tmp_path: Path) -> None:
    """Thousands of generations and programs neither exhaust the stack nor the page."""
    rows = [executed(num, num, [num - 1], f"generation {num}") for num in range(1, 3000)]
    rows += [executed(num, 2999, [2998], f"again {num}") for num in range(3000, 6000)]
    with Captures([write_capture(tmp_path / "c.parquet", [rows])]) as opened:
        picture = notebook.process_tree(opened, [make_alert(rule, 5999)])
    assert len(texts(picture)) < 2 * notebook.ROWS_MAX + 5
    assert any("more programs" in line for line in texts(picture))


def test_tree_needs_one_capture(tmp_path: Path) -> None:
    """Numbers of events mean nothing across captures, so two are refused."""
    opened = [write_capture(tmp_path / f"{n}.parquet", [[executed(1, 7, [], "a")]]) for n in "ab"]
    with Captures(opened) as both, pytest.raises(ValueError, match="one capture"):
        notebook.process_tree(both, [], below=1)
