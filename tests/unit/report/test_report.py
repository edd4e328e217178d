"""The report: complete, honest about what is missing, bounded, and safe whatever was recorded."""

import base64
import hashlib
import html
import html.parser
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import falcotrace as ft
from falcotrace.api import Captures
from falcotrace.errors import FalcoTraceError
from falcotrace.outputs.svg import WIDTH, document, text_of
from falcotrace.report import Report
from falcotrace.report.findings import ALERTS_KEPT
from falcotrace.report.markup import Room, element, safe, table
from falcotrace.report.page import SECTIONS
from falcotrace.report.paper import _WINDOW_HEIGHT, _windows
from falcotrace.report.serious import GRAPHS_MAX, stories_of
from hostile_capture import EVILS, RULES, write_hostile

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "captures" / "first_light.parquet"
MOST_BYTES = 5_000_000


class Elements(html.parser.HTMLParser):
    """What a page consists of: tags, attributes, texts; every element must be closed in order."""

    EMPTY = ("meta", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element down."""
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element without content down."""
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Elements end in order."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take a text down."""
        self.texts.append(data)


@pytest.fixture(scope="module")
def shipped() -> Iterator[Report]:
    """The report of the capture that ships."""
    with ft.open(SHIPPED) as capture:
        yield capture.report()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The report of a hostile capture, asked with hostile rules."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "rules.yaml").write_text(RULES)
    name = "<img src=x onerror=alert(1)> '$(id)'.parquet"
    with Captures([write_hostile(folder / name)]) as capture:
        yield capture.report(ft.rules(folder / "rules.yaml"), title=EVILS[0])


def test_every_section_is_there(shipped: Report) -> None:
    """A reader finds each part where the links above lead."""
    found = Elements(shipped.html)
    assert [one for one in found.ids if one in SECTIONS] == list(SECTIONS)
    links = [value for name, value in found.attributes if name == "href"]
    pictures = [link for link in links if link.startswith("#picture-")]
    assert [link for link in links if link not in pictures] == [f"#{key}" for key in SECTIONS]
    assert {link[1:] for link in pictures} <= set(found.ids)


def test_figures_are_those_of_the_capture(shipped: Report) -> None:
    """Hash, counts and every alert stand in the page."""
    texts = Elements(shipped.html).texts
    assert hashlib.sha256(SHIPPED.read_bytes()).hexdigest() in texts
    assert "5,347" in texts
    with ft.open(SHIPPED) as capture:
        alerts = list(capture.scan())
    assert len(alerts) == shipped.findings.alert_count
    assert all(str(alert.num) in texts for alert in alerts)
    assert all(alert.rule.name in texts for alert in alerts)
    assert "No event was lost: all 5,347 that the kernel made are in the capture." in texts


def test_page_allows_nothing(shipped: Report) -> None:
    """No scripts, styles, forms, network: the policy says so, and nothing in the page needs it."""
    found = Elements(shipped.html)
    policy = next(value for name, value in found.attributes if value.startswith("default-src"))
    style = re.search(r"<style>(.*?)</style>", shipped.html, re.DOTALL)
    assert style is not None
    digest = hashlib.sha256(style.group(1).encode()).digest()
    assert re.search(r"default-src 'none'", policy)
    assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert not found.tags.keys() & {"script", "link", "img", "iframe", "form", "object", "base"}
    assert not [name for name, _ in found.attributes if name in ("src", "style", "action")]
    assert not [name for name, _ in found.attributes if name.startswith("on")]


def test_hostile_texts_stay_texts(hostile: Report) -> None:
    """Markup, controls and direction marks of capture, rules and the file's name are text."""
    found = Elements(hostile.html)
    assert not found.tags.keys() & {"script", "img", "textarea"}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert all(link.startswith("#") for name, link in found.attributes if name == "href")
    marks = {chr(code) for code in (*range(9), 11, *range(14, 32), 0x202E, 0x2066, 0x200F)}
    assert not marks & set(hostile.html)
    assert not [sign for sign in hostile.html if ord(sign) >= 0x10FE00]
    whole = "".join(found.texts)
    assert "<script>document.title='pwned'</script>" in whole
    assert "\\x1b[2J" in whole
    assert "\\u202e" in whole


def test_what_is_missing_is_said(hostile: Report) -> None:
    """Losses, blindness, rules that are off and rules that matched nothing."""
    whole = "\n".join(Elements(hostile.html).texts)
    assert "Lost events, " in whole
    assert "3 of 9 events (33.33 %)" in whole
    assert "Partly blind" in whole
    assert "Rules that ran and matched nothing (1)\nNothing" in whole
    assert "Rules that are switched off (1)\nOff" in whole


def test_commands_run(shipped: Report, tmp_path: Path) -> None:
    """What the page says beside the capture's hash can be pasted, and works."""
    block = re.search(r"<pre><code>(.*?)</code></pre>", shipped.html, re.DOTALL)
    assert block is not None
    commands = html.unescape(block.group(1)).splitlines()
    assert len(commands) == 7
    (tmp_path / SHIPPED.name).symlink_to(SHIPPED)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, 1), f"{command}\n{done.stderr}"
    assert (tmp_path / "report.html").exists()


def test_commands_are_quoted(hostile: Report) -> None:
    """Whoever pastes a command runs that command and no other."""
    assert "falcotrace info '<img src=x onerror=alert(1)> '\"'\"'$(id)'\"'\"'.parquet'" in "".join(
        Elements(hostile.html).texts
    )


@pytest.mark.parametrize("texts", [EVILS, ("\u202e'" * 3000,), ("\U0010ff00&" * 3000,)])
def test_size_is_bounded(tmp_path: Path, texts: tuple[str, ...]) -> None:
    """Thousands of alerts with the longest texts: the rest is counted, and the page opens."""
    (tmp_path / "rules.yaml").write_text(RULES)
    copies = 900 // len(texts)
    with Captures([write_hostile(tmp_path / "c.parquet", copies, texts=texts)]) as capture:
        report = capture.report(ft.rules(tmp_path / "rules.yaml"))
    assert len(report.html.encode()) < MOST_BYTES
    count = 2 * copies * len(texts)
    assert report.findings.alert_count == count
    listed = Elements(report.html)
    left_out = re.search(r"([\d,]+) more alerts are not shown", "\n".join(listed.texts))
    assert left_out is not None
    assert count - 2 * ALERTS_KEPT <= int(left_out.group(1).replace(",", "")) < count


def test_graphs_are_few_and_none_twice(shipped: Report, hostile: Report) -> None:
    """One graph for each story: alerts that a graph shows already get none of their own."""
    stories, undrawn = stories_of(shipped.findings)
    starts = {story.graph.start for story in stories}
    assert len(starts) == len(stories) == 1
    assert undrawn == 0
    names = {alert.rule.name for alert in stories[0].alerts}
    assert "Program executed from memory" in names
    stories, undrawn = stories_of(hostile.findings)
    assert len(stories) == GRAPHS_MAX
    assert undrawn == len(EVILS) - GRAPHS_MAX


def test_a_quiet_capture_says_so(tmp_path: Path) -> None:
    """Without alerts the page still says what was asked and what is known."""
    rules = RULES.split("- rule: Nothing")[1]
    (tmp_path / "rules.yaml").write_text(f"- rule: Nothing{rules}")
    with ft.open(SHIPPED) as capture:
        report = capture.report(ft.rules(tmp_path / "rules.yaml"))
    texts = Elements(report.html).texts
    assert "1 rule was asked of 5,347 events of one host. None of them alerted." in texts
    assert texts.count("No rule alerted.") >= 3


def test_file_is_private_and_replaced_whole(shipped: Report, tmp_path: Path) -> None:
    """A page quotes command lines; a link that lies in its place is not followed."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    target = tmp_path / "report.html"
    target.symlink_to(victim)
    with pytest.raises(FalcoTraceError, match="no regular file"):
        shipped.write(target, force=True)
    assert victim.read_text() == "mine"
    target.unlink()
    shipped.write(target)
    with pytest.raises(FalcoTraceError, match="exists already"):
        shipped.write(target)
    shipped.write(target, force=True)
    assert target.read_text() == shipped.html
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html", "victim"]
    with pytest.raises(FalcoTraceError, match="cannot be written"):
        shipped.write(tmp_path / "none" / "report.html")


@given(st.lists(st.integers(1, 300).map(lambda line: 20 * line), max_size=60))
def test_paper_cuts_no_line(heights: list[int]) -> None:
    """Windows follow each other without a gap, and none ends within a line of text."""
    lines = [text_of(0, y, "x") for y in heights]
    svg = document(WIDTH, 6020, "", lines)
    windows = list(_windows(svg))
    assert [one.top for one in windows[1:]] == [one.top + one.height for one in windows[:-1]]
    assert windows[0].top == 0
    assert windows[-1].top + windows[-1].height == 6020
    assert max(one.height for one in windows) <= _WINDOW_HEIGHT
    for one in windows[1:]:
        assert not [y for y in heights if y - 10 < one.top < y + 3]


def test_table_leaves_out_what_has_no_room() -> None:
    """Rows end where the room ends; none is cut in half."""
    row = [safe("x" * 100)]
    drawn, left_out = table(["name"], [row] * 50, room=Room(1000))
    assert left_out == 50 - drawn.count("<tr><td")
    assert 0 < drawn.count("<tr><td") < 10


def test_elements_escape_attributes() -> None:
    """A quote in an attribute ends nothing."""
    assert element("p", safe("'<"), title="\"'<>") == (
        '<p title="&quot;&#x27;&lt;&gt;">&#x27;&lt;</p>'
    )
