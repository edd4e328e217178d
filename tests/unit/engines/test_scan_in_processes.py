"""A large capture is scanned in processes of its own: the same alerts, whoever finds them."""

import os

import pytest

from falcotrace.alerts import Alert, Undetermined
from falcotrace.capture.reader import open_capture
from falcotrace.engines import group_worker, replay
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.replay import ReplayEngine
from falcotrace.errors import EndedError
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from shipped_captures import CAPTURES

NAMES = ("intrusion", "sequences", "benign", "discovery")


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The rules that ship."""
    return load_plan()


def scanned(plan: Plan, threads: int) -> tuple[list[Alert], list[Undetermined], list[str]]:
    """Alerts, what stayed undetermined, and the captures in the order of their batches."""
    captures = [open_capture(CAPTURES / f"{name}.parquet") for name in NAMES]
    alerts: list[Alert] = []
    undetermined: list[Undetermined] = []
    order = []
    for batch in ReplayEngine().scan(captures, plan, ScanOptions(threads=threads)):
        alerts += batch.alerts
        undetermined += batch.undetermined
        order += [batch.capture.path.stem] * bool(batch.alerts)
    for capture in captures:
        capture.close()
    return alerts, undetermined, order


@pytest.mark.parametrize("most_events", [1, 10_000, 10**9])
@pytest.mark.parametrize("most_alerts", [0, 5, 10**6])
def test_the_same_alerts_as_in_threads(
    plan: Plan, most_events: int, most_alerts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many portions there are, and whether they tell alerts or which events match."""
    expected = scanned(plan, 2)
    monkeypatch.setattr(replay, "MANY_EVENTS", 1)
    monkeypatch.setattr(replay, "MOST_EVENTS", most_events)
    monkeypatch.setattr(group_worker, "MOST_ALERTS", most_alerts)
    found = scanned(plan, 2)
    assert found == expected
    assert len(found[0]) > 50
    assert all(alert.rule is plan.rules[alert.rule.index] for alert in found[0])


def test_a_process_that_is_ended_ends_the_scan(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that found less than there is does not look like one that found all."""
    monkeypatch.setattr(replay, "MANY_EVENTS", 1)
    own = os.getpid()

    def killed(*_: object) -> None:
        assert os.getpid() != own
        os.kill(os.getpid(), 9)

    monkeypatch.setattr(group_worker.Worker, "find_all", killed)
    with pytest.raises(EndedError):
        scanned(plan, 2)
