"""The command line's `explain`: texts, JSON, errors for people, and a terminal that stays whole."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from falcotrace.capture.footer import Footer, Losses
from small_captures import write_capture
from unit.cli.test_commands import falcotrace
from unit.scap.scenarios import capture_bytes, looks, opens, reads

RULES = """
- macro: opened
  condition: evt.type in (open, openat) and fd.num >= 0
- rule: Secrets read
  desc: d
  condition: opened and fd.name = /etc/shadow and not proc.name in (login, sshd)
  output: o
  priority: WARNING
- rule: Off
  desc: d
  condition: evt.type = close
  enabled: false
  output: o
  priority: WARNING
- rule: Odd events
  desc: d
  condition: evt.type = signaldeliver and proc.name = a
  output: o
  priority: WARNING
"""
EVIL = "/tmp/\x1b]0;owned\x07\x1b[2J\r\nfalse    [bold]x[/bold]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rules and a capture of four events."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "r.yaml").write_text(RULES)
    common = {"evt.type": "openat", "fd.num": 3, "fd.type": "file", "proc.pid": 7}
    events = [
        {**common, "fd.name": "/etc/shadow", "proc.name": "cat"},
        {**common, "fd.name": EVIL, "proc.name": "ca\x1b[2Jt"},
        {**common, "fd.name": "/etc/shadow", "proc.name": "sshd", "evt.num": 9},
        {**common, "evt.type": "close", "fd.name": "/etc/shadow", "proc.name": "cat"},
    ]
    footer = Footer(losses=Losses(is_known=True, made_count=5, lost_count=1))
    write_capture(folder / "c.parquet", [events], footer).close()
    return folder


def explain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `falcotrace explain` on the capture with its rules."""
    return falcotrace("explain", "-r", "r.yaml", *arguments, "c.parquet", cwd=folder)


def test_an_event_is_explained(folder: Path) -> None:
    """Event, verdict, tree; losses on standard error; exit code 0 whatever the verdict."""
    done = explain(folder, "--rule", "secrets READ", "--event", "9")
    assert done.returncode == 0
    first, verdict, *tree = done.stdout.splitlines()
    assert first.startswith(
        "event 9: openat by sshd at 1970-01-01T00:00:00.000003000Z in c.parquet"
    )
    assert verdict == "Secrets read: no match: 1 check stands in the way"
    assert "! false      not proc.name in (login, sshd) -> sshd" in tree
    assert "note: c.parquet: lost events: 1 of 5 events (20.00 %)" in done.stderr


def test_nothing_recorded_reaches_the_reader_raw(folder: Path) -> None:
    """What an attacker wrote can neither steer a terminal nor look like a line of the answer."""
    for arguments in (("--event", "2"), (), ("--event", "2", "--json"), ("--json",)):
        done = explain(folder, "--rule", "Secrets read", *arguments)
        assert done.returncode == 0
        assert not {"\x1b", "\x07", "\r"} & {*done.stdout}
        assert not any(line.startswith("false") for line in done.stdout.splitlines())
        assert "owned" in done.stdout


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What is shown on a terminal of 100 columns."""
    leader, follower = pty.openpty()
    command = [str(Path(sys.executable).parent / "falcotrace"), "explain", "-r", "r.yaml"]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [*command, *arguments, "c.parquet"],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            read = os.read(leader, 65536)
        except OSError:
            break
        if not read:
            break
        shown += read
    os.close(leader)
    assert process.wait(60) == 0
    return shown.decode()


def test_a_terminal_gets_a_tree(folder: Path) -> None:
    """Guides and colours on a terminal, and nothing of what was recorded as control characters."""
    shown = on_a_terminal(folder, "--rule", "Secrets read", "--event", "2")
    assert "├── " in shown
    assert "✗" in shown
    assert "\x1b]0" not in shown
    assert "\x1b[2J" not in shown
    assert "[bold]x[/bold]" in shown.replace("\r\n", "")
    misses = on_a_terminal(folder, "--rule", "Secrets read")
    assert "1 event misses by 1 check" in misses
    assert "\x1b[2J" not in misses


def test_misses_are_counted(folder: Path) -> None:
    """Matches, distances, groups."""
    done = explain(folder, "--rule", "Secrets read")
    assert "3 events looked at in c.parquet: open, openat\n1 match: event 1\n" in done.stdout
    assert "missed: 2 by 1 check" in done.stdout
    assert "1 event misses by 1 check: not proc.name in (login, sshd)" in done.stdout


def test_json_is_whole(folder: Path) -> None:
    """Programs get the tree with names, truths and values, and the misses with their groups."""
    event = json.loads(explain(folder, "--rule", "Secrets read", "--event", "9", "--json").stdout)
    assert (event["verdict"], event["matches"], event["event"]) == ("false", False, 9)
    assert event["in_the_way"] == [{"check": "proc.name in (login, sshd)", "must_be": False}]
    opened, name, negation = event["condition"]["children"]
    assert opened["names"] == [{"name": "opened", "kind": "macro"}]
    assert name["values"] == [{"field": "fd.name", "value": "/etc/shadow"}]
    assert (negation["kind"], negation["truth"]) == ("not", "false")
    misses = json.loads(explain(folder, "--rule", "Secrets read", "--json").stdout)
    assert (misses["matches"], misses["misses_by_distance"]) == (1, {"1": 2})
    assert misses["nearest"][1]["groups"][0]["values"] == {"proc.name": "sshd"}
    assert any("lost events" in note for note in misses["notes"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rule", "Secret red"), "no rule is called `Secret red`; did you mean `Secrets read`?"),
        (("--rule", "Secrets read", "--event", "5"), "c.parquet: has no event 5: the nearest are"),
        (("--rule", "Secrets read", "--event", "99"), "has no event 99: its events are 1 to 9"),
        (("--rule", "Secrets read", "--event", "-1"), "has no event -1: its events are 1 to 9"),
    ],
)
def test_errors_say_what_to_do(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    """One line, exit code 2, no traceback: unknown rules and events."""
    done = explain(folder, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_several_captures_are_refused(folder: Path, tmp_path: Path) -> None:
    """An event's number means something in one capture only."""
    for name in ("a.parquet", "b.parquet"):
        (tmp_path / name).write_bytes((folder / "c.parquet").read_bytes())
    done = falcotrace("explain", "--rule", "Shell in a container", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "2 captures are open, and explaining takes one at a time" in done.stderr


def test_rules_that_scan_does_not_run_are_explained(folder: Path) -> None:
    """A disabled rule is explained, and the difference to `scan` is said."""
    for arguments, answer in (("--event", "4"), "Off: match"), ((), "1 match: event 4"):
        done = explain(folder, "--rule", "Off", *arguments)
        assert answer in done.stdout
        assert "note: the rule is disabled: `scan` does not run it" in done.stderr


def test_scap_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """Events and misses of a `.scap` file, without an import."""
    (tmp_path / "r.yaml").write_text(RULES)
    happened = (looks(10), opens(10, 3, "/etc/shadow"), reads(10, 3), opens(10, 4, "/etc/hosts"))
    (tmp_path / "c.scap").write_bytes(capture_bytes(happened))
    misses = falcotrace(
        "explain", "-r", "r.yaml", "--rule", "Secrets read", "--json", "c.scap", cwd=tmp_path
    )
    found = json.loads(misses.stdout)
    assert found["matches"] == 1
    (num,) = found["first_matches"]
    done = falcotrace(
        *("explain", "-r", "r.yaml", "--rule", "Secrets read", "--event", str(num), "c.scap"),
        cwd=tmp_path,
    )
    assert "Secrets read: match" in done.stdout
    gone = falcotrace(
        *("explain", "-r", "r.yaml", "--rule", "Secrets read", "--event", "99999", "c.scap"),
        cwd=tmp_path,
    )
    assert gone.returncode == 2
    assert "has no event 99,999" in gone.stderr
