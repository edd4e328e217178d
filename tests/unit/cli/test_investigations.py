"""`tree`, `timeline`, `graph`, `show`, `top`, `diff`: wiring, errors, losses, terminals, JSON."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from falcotrace.capture.footer import Footer, Host, Losses
from falcotrace.events.text import to_text
from small_captures import write_capture
from unit.cli.test_questions import falcotrace, on_terminal
from unit.investigate.lives import event

EVIL = to_text(
    b"<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\r\n=cmd|'/C calc'!A1\"'`\xff\xc2\x9b31m"
    b"\xe2\x80\xae [bold]x[/bold]"
)
"""A command line that would like to be markup, a formula, escape codes, and two lines."""

RULES = """
- rule: Written
  desc: d
  condition: evt.type = write
  output: written %fd.name by %proc.cmdline
  priority: WARNING
"""
LOST = Footer(host=Host(hostname="h"), losses=Losses(is_known=True, made_count=9, lost_count=5))
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("tree", "c.parquet", "--event", "2", "-r", "r.yaml"),
    ("tree", "c.parquet", "-r", "r.yaml"),
    ("tree", "c.parquet", "--event", "2", "--no-rules"),
    ("timeline", "c.parquet", "-r", "r.yaml"),
    ("graph", "c.parquet", "--event", "2", "-r", "r.yaml"),
    ("graph", "c.parquet", "--alert", "1", "-r", "r.yaml"),
    ("show", "c.parquet", "2"),
    ("show", "c.parquet", "2", "--all"),
    ("top", "c.parquet", "--by", "process"),
    ("top", "c.parquet", "--by", "file"),
    ("top", "c.parquet", "--by", "error"),
    ("top", "c.parquet", "--by", "peer"),
    ("diff", "quiet.parquet", "c.parquet"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rules, a hostile capture, a quiet one, and one with losses."""
    path = tmp_path_factory.mktemp("investigations")
    evil = dict.fromkeys(("proc__cmdline", "proc__exepath", "proc__name", "user__name"), EVIL)
    file = {"fd__type": "file", "fd__name": f"/tmp/{EVIL}"}
    net = {"fd__type": "ipv4", "fd__name": EVIL, "fd__rip": EVIL, "fd__rport": 4}
    ancestry = {"proc__apid": [7, 1], "proc__aname": [EVIL, EVIL], "proc__acmdline": [EVIL, EVIL]}
    rows = [
        event(7, 100, 1, 10, **evil, container__id="a", container__name=EVIL),
        event(20, 150, 7, 100, **evil, **file, **ancestry, evt__type="write", evt__rawres=3),
        event(20, 150, 7, 100, **evil, **file, evt__type="openat", evt__rawres=-2, evt__res=EVIL),
        event(20, 150, 7, 100, **evil, **net, evt__type="connect"),
        event(21, 160, 7, 100),
    ]
    complete = Footer(host=Host(hostname="h"), losses=Losses(is_known=True, made_count=5))
    write_capture(path / "c.parquet", [rows], complete).close()
    write_capture(path / "quiet.parquet", [[event(1, 10)]], complete).close()
    write_capture(path / "lost.parquet", [rows], LOST).close()
    (path / "r.yaml").write_text(RULES)
    return path


def is_harmless(text: str, *, is_terminal: bool = False) -> bool:
    """Whether nothing in a text can do anything to a terminal; our own colours may be there."""
    if is_terminal:
        # The line that says what is going on, where that takes more than a second.
        text = re.sub(r"\r\x1b\[K([a-z ]+  \d+ s)?", "", text)
        for code in ("0", "1", "2", "32", "36", "1;31"):
            text = text.replace(f"\x1b[{code}m", "")
    return all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_recorded_reaches_a_pipe_raw(folder: Path, command: tuple[str, ...]) -> None:
    """Control characters, line ends and broken bytes are spelled out; markup stays text."""
    done = falcotrace(*command, cwd=folder)
    assert done.returncode == 0
    assert is_harmless(done.stdout + done.stderr)
    if "peer" not in command:
        assert "<script>alert(1)</script>\\x1b[2J" in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_recorded_reaches_the_terminal_raw(folder: Path, command: tuple[str, ...]) -> None:
    """The same on a terminal, where rich draws: no markup is obeyed, no code gets through."""
    drawn = on_terminal(*command, cwd=folder)
    assert is_harmless(drawn, is_terminal=True)
    assert "Traceback" not in drawn
    if "peer" not in command:
        assert "\\x1b[2J" in "".join(drawn.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_json_is_harmless_and_reads_back(folder: Path, command: tuple[str, ...]) -> None:
    """Every command has `--json`: printable ASCII-safe text that a parser gives back whole."""
    if "--all" in command:
        return
    done = falcotrace(*command, "--json", cwd=folder)
    assert done.returncode == 0
    assert is_harmless(done.stdout)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 1 or command[0] in ("timeline", "top")
    texts = list(texts_of(lines))
    if "peer" not in command:
        assert any("<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\r\n=cmd" in t for t in texts)
        assert any("\\xff" in text for text in texts)


def texts_of(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    "command",
    [
        ("tree", "lost.parquet", "--event", "2", "--no-rules"),
        ("timeline", "lost.parquet", "--no-rules"),
        ("graph", "lost.parquet", "--event", "2", "--no-rules"),
        ("show", "lost.parquet", "2"),
        ("top", "lost.parquet"),
        ("diff", "quiet.parquet", "lost.parquet"),
    ],
    ids=lambda command: command[0],
)
def test_losses_are_said_and_are_an_exit_code(folder: Path, command: tuple[str, ...]) -> None:
    """An answer from an incomplete capture says so on standard error, once."""
    done = falcotrace(*command, cwd=folder)
    assert done.returncode == 3
    assert done.stderr.count("lost.parquet: lost events: 5 of 9") == 1
    assert "lost events" not in done.stdout


def test_losses_of_the_baseline_are_said(folder: Path) -> None:
    """What is new may only have been lost before."""
    done = falcotrace("diff", "lost.parquet", "c.parquet", cwd=folder)
    assert "of the baseline: lost.parquet" in done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("tree", "c.parquet", "--event", "99", "--no-rules"), "has no event 99"),
        (("tree", "c.parquet", "--no-rules"), "--no-rules needs an --event"),
        (("tree", "c.parquet", "--alert", "2", "-r", "r.yaml"), "there is no alert 2"),
        (("tree", "c.parquet", "--event", "2", "--no-rules", "-r", "r.yaml"), "exclude each other"),
        (("tree", "none.parquet", "--event", "2"), "none.parquet"),
        (("graph", "c.parquet"), "expected one of --event and --alert"),
        (("graph", "c.parquet", "--event", "99", "--no-rules"), "has no event 99"),
        (("timeline", "c.parquet", "--pid", "99", "--no-rules"), "no process had the pid 99"),
        (("timeline", "c.parquet", "--pid", "7", "--event", "2"), "exclude each other"),
        (("timeline", "c.parquet", "--since", "soon"), "expected a time"),
        (("show", "c.parquet", "99"), "has no event 99"),
        (("show", "r.yaml", "1"), "not a Parquet file"),
        (("top", "c.parquet", "--by", "mood"), "expected one of process, file, peer, error"),
        (("top", "c.parquet", "--where", "fd.nam=x"), "fd.nam"),
        (("diff", "c.parquet"), "expected a baseline"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_are_for_people(folder: Path, command: tuple[str, ...], message: str) -> None:
    """What was expected and what was found, exit code 2, no traceback, nothing on the output."""
    done = falcotrace(*command, cwd=folder)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_picture_is_written_whole_and_once(folder: Path) -> None:
    """`--svg` writes well-formed XML without markup of others, and replaces nothing unasked."""
    command = ("graph", "c.parquet", "--event", "2", "--no-rules", "--svg", "g.svg")
    done = falcotrace(*command, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    page = (folder / "g.svg").read_text()
    assert ElementTree.fromstring(page).tag.endswith("svg")
    assert "<script" not in page
    again = falcotrace(*command, cwd=folder)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert falcotrace(*command, "--force", cwd=folder).returncode == 0


def test_what_to_ask_next_can_be_pasted(folder: Path) -> None:
    """`show` on a terminal names the next commands, with the file's name quoted for a shell."""
    name = "od d's.parquet"
    (folder / name).write_bytes((folder / "c.parquet").read_bytes())
    drawn = on_terminal("show", name, "2", cwd=folder)
    assert "falcotrace graph 'od d'\"'\"'s.parquet' --event 2" in drawn
    assert "falcotrace" not in falcotrace("show", name, "2", cwd=folder).stdout


def test_limits_say_what_they_leave_out(folder: Path) -> None:
    """A cut answer says that it is one."""
    assert "1 more" in falcotrace("tree", "c.parquet", *FIRST, "--limit", "1", cwd=folder).stdout
    done = falcotrace("timeline", "c.parquet", "--no-rules", "--limit", "1", cwd=folder)
    assert len(done.stdout.splitlines()) == 2
    assert "more lines follow" in done.stderr


FIRST = ("--event", "1", "--no-rules")
