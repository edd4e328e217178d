"""Alerts make captures, and never more than one for each window."""

from pathlib import Path

import pytest

from falcotrace.alerts import Alert
from falcotrace.record import alert_seals as module
from falcotrace.record.alert_seals import AlertSeals
from falcotrace.record.options import RecordOptions
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Priority

RULES = """
- rule: {name}
  desc: any
  condition: evt.type = open
  output: any
  priority: {name}
"""


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands for the machine's."""
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


def alert(tmp_path: Path, priority: str) -> Alert:
    """An alert of a rule that is called as its priority."""
    path = tmp_path / f"{priority}.yaml"
    path.write_text(RULES.format(name=priority))
    [rule] = load_rules([path]).plan.rules
    return Alert(rule=rule, num=1, time_ns=1, output="", output_fields={}, hostname="")


def test_one_capture_for_each_window(tmp_path: Path, clock: Clock) -> None:
    """After the delay, and when alerts go on a window later; milder ones make none."""
    seals = AlertSeals(
        RecordOptions(tmp_path / "c", window_s=60, seal_priority=Priority.CRITICAL, seal_delay_s=10)
    )
    seals.note(alert(tmp_path, "WARNING"))
    clock.now += 100
    assert seals.take() == ""
    times = []
    began = clock.now
    for second in range(200):
        clock.now = began + second
        if second < 100:
            seals.note(alert(tmp_path, "EMERGENCY"))
        if seals.take():
            times.append(second)
    assert times == [10, 70, 130]


def test_nobody_wants_captures(tmp_path: Path, clock: Clock) -> None:
    """Without a priority no alert makes one."""
    seals = AlertSeals(RecordOptions(tmp_path / "c"))
    seals.note(alert(tmp_path, "EMERGENCY"))
    clock.now += 1000
    assert seals.take() == ""
