"""Rules over several events in hunts: both engines, what led to alerts, what nobody can say."""

from pathlib import Path

import pytest

from falcotrace.hunt import HuntOptions, hunt_captures
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Plan
from shipped_captures import CAPTURES


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The rules that ship and are about several events."""
    rules = load_rules([CAPTURES.parent / "rules"]).plan.rules
    return Plan(tuple(rule for rule in rules if rule.correlation is not None))


def test_a_hunt_says_what_a_scan_says(plan: Plan, tmp_path: Path) -> None:
    """Each capture stands for itself, and the ledger keeps what is undetermined."""
    sources = [CAPTURES / f"{name}.parquet" for name in ("sequences", "first_light", "ordinary")]
    told = []
    for engine in ("replay", "duckdb"):
        state = tmp_path / engine
        options = HuntOptions(engine=engine)
        found = hunt_captures(sources, plan, options, state=state)
        again = hunt_captures(sources, plan, options, state=state)
        alerts = [(Path(one.capture).name, one.rule.name, one.num, one.steps) for one in found]
        assert alerts == [
            (Path(one.capture).name, one.rule.name, one.num, one.steps) for one in again
        ]
        unclear = {one.rule: one.undetermined for one in found.report.rules}
        notes = {one.rule: sorted(one.notes) for one in found.report.rules}
        told.append((sorted(alerts), unclear, notes))
    assert told[0] == told[1]
    alerts, unclear, notes = told[0]
    assert {capture for capture, *_ in alerts} == {"sequences.parquet", "first_light.parquet"}
    assert all(steps and num not in steps for *_, num, steps in alerts)
    name = "File from outside executed"
    assert unclear[name] > 0
    reason = "the span reaches before the capture's beginning"
    assert notes[name] == [f"rule `{name}` is undetermined: {reason} (3 captures)"]
