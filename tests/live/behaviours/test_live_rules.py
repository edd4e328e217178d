"""`record --rules`: what it says while recording is what a scan says afterwards."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.alerts import Alert
from falcotrace.api import open_captures
from falcotrace.record.options import Observer, Outcome, Progress, RecordOptions
from falcotrace.record.parts import WrittenCapture
from falcotrace.record.recorder import record_host
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Plan, Priority
from live.behaviours.test_interruptions import FALCOTRACE, NOISE, running

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

RULES = """
- rule: Mark read
  desc: somebody reads a mark
  condition: evt.type in (open, openat) and fd.name startswith /tmp/ft-live-mark and proc.name = cat
  output: read %fd.name by %proc.cmdline of %proc.pname (%evt.num %thread.tid %user.name)
  priority: CRITICAL
- rule: Program started
  desc: any
  condition: evt.type = execve and evt.dir = < and proc.name in (cat, true) and proc.pname exists
  output: "%evt.args|%proc.exepath|%proc.aname[2]|%proc.env"
  priority: NOTICE
- rule: End of a process
  desc: any
  condition: evt.type = procexit and proc.name = cat
  output: ended %proc.pid after %proc.duration
  priority: DEBUG
"""


class Listener(Observer):
    """Keeps everything that it is told."""

    def __init__(self) -> None:
        self.alerts: list[tuple[Alert, int]] = []
        self.captures: list[WrittenCapture] = []
        self.notes: list[str] = []
        self.has_begun = threading.Event()

    def progressed(self, progress: Progress) -> None:
        """Recording has begun."""
        del progress
        self.has_begun.set()

    def alerted(self, alert: Alert) -> None:
        """Keep it, and when it came."""
        self.alerts.append((alert, time.time_ns()))

    def wrote(self, capture: WrittenCapture) -> None:
        """Keep it."""
        self.captures.append(capture)

    def noted(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Rules about opens, programs and ends of processes."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    ruleset = load_rules([path])
    ruleset.raise_if_invalid()
    return ruleset.plan


def record(options: RecordOptions, listener: Listener, act: Callable[[], None]) -> Outcome:
    """Record while something is done."""

    def act_then() -> None:
        if listener.has_begun.wait(60):
            act()

    actor = threading.Thread(target=act_then)
    actor.start()
    outcome = record_host(options, listener)
    actor.join()
    return outcome


def read_marks(count: int, pause_s: float = 0.05) -> None:
    """Read files that rules look for."""
    for number in range(count):
        command = ["cat", f"/tmp/ft-live-mark-{number}"]
        subprocess.run(command, check=False, capture_output=True)
        subprocess.run(["true"], check=True)
        time.sleep(pause_s)


@pytest.mark.parametrize("noise", [[], [NOISE]], ids=["quiet", "busy"])
def test_live_alerts_are_those_of_a_scan(
    tmp_path: Path, plan: Plan, noise: list[list[str]]
) -> None:
    """Each once, with the same event and the same texts, whatever else happens on the host."""
    listener = Listener()
    options = RecordOptions(tmp_path / "c.parquet", duration_s=5, plan=plan)
    with running(*noise):
        record(options, listener, lambda: read_marks(20))
    live = [(alert.num, alert.rule.name, alert.output) for alert, _ in listener.alerts]
    with open_captures(tmp_path / "c.parquet") as captures:
        report = captures.scan(plan)
        scanned = [(alert.num, alert.rule.name, alert.output) for alert in report]
    assert sorted(live) == sorted(scanned)
    assert {name for _, name, _ in live} == {"Mark read", "Program started", "End of a process"}
    marks = sum(name == "Mark read" for _, name, _ in live)
    # A busy host does not come to all of them in time.
    assert marks > 2
    if not noise:
        assert marks == 20
        waited_ns = [came_ns - alert.time_ns for alert, came_ns in listener.alerts]
        assert max(waited_ns) < 3 * 10**9


def test_an_alert_seals(tmp_path: Path, plan: Plan) -> None:
    """What led to it and what followed is in the capture; more alerts make no heap of captures."""
    listener = Listener()
    options = RecordOptions(
        tmp_path / "c.parquet",
        duration_s=12,
        window_s=6,
        plan=plan,
        seal_priority=Priority.CRITICAL,
        seal_delay_s=1,
    )
    record(options, listener, lambda: read_marks(100, 0.1))
    assert listener.notes == []
    assert len(listener.captures) in {1, 2}, [one.path for one in listener.captures]
    first = listener.captures[0].path
    with open_captures(first) as captures:
        assert [one.footer.recording.ended_by for one in captures] == ["alert: Mark read"]
        marks = [alert for alert in captures.scan(plan) if alert.rule.name == "Mark read"]
    first_mark = next(one for one, _ in listener.alerts if one.rule.name == "Mark read")
    assert marks[0].num == first_mark.num
    assert len(marks) > 1


def test_rules_that_cannot_run_are_named(tmp_path: Path, plan: Plan) -> None:
    """A rule that asks for events that are not recorded is not silently quiet."""
    listener = Listener()
    names = frozenset({"openat"})
    record_host(RecordOptions(tmp_path / "c.parquet", False, 0.5, plan=plan, event_names=names),
                listener)  # fmt: skip
    assert any(note.startswith("rule `Program started` did not run") for note in listener.notes)


def test_whoever_listens_may_fail(tmp_path: Path, plan: Plan) -> None:
    """A pipe that was closed ends the alerts and not the recording."""

    class Broken(Listener):
        def alerted(self, alert: Alert) -> None:
            del alert
            raise BrokenPipeError

    broken = Broken()
    outcome = record(
        RecordOptions(tmp_path / "c.parquet", duration_s=6, plan=plan),
        broken,
        lambda: read_marks(5),
    )
    assert outcome.ended_by == "duration"
    assert [note.partition(":")[0] for note in broken.notes] == ["rules are asked no more"]
    with open_captures(tmp_path / "c.parquet") as captures:
        assert sum(alert.rule.name == "Mark read" for alert in captures.scan(plan)) == 5


def test_the_command_prints_alerts(tmp_path: Path) -> None:
    """On standard output, line by line, and nothing else there."""
    (tmp_path / "rules.yaml").write_text(RULES)
    capture = tmp_path / "c.parquet"
    command: list[str | Path]
    command = [*FALCOTRACE, "record", "-o", capture, "-r", tmp_path / "rules.yaml", "--priority",
               "critical", "--", "cat", "/tmp/ft-live-mark-none"]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    [line] = done.stdout.splitlines()
    assert ": Critical read /tmp/ft-live-mark-none by cat /tmp/ft-live-mark-none of " in line
    done = subprocess.run([*FALCOTRACE, "record", "-o", tmp_path / "d.parquet", "--seal-on",
                           "critical"], check=False, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2
    assert "Name them with --rules" in done.stderr
