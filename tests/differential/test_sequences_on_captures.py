"""Rules about several events asked of captures: every way to ask says the same."""

import functools
import random
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from differential.both_engines import sql_matches
from falcotrace.alerts import Alert, Undetermined
from falcotrace.api import open_captures
from falcotrace.capture.footer import Footer, Host, Losses, LossInterval, Recording
from falcotrace.capture.reader import open_capture
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.batch import DuckdbEngine
from falcotrace.engines.replay import ReplayEngine
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from shipped_captures import CAPTURES
from small_captures import Row, write_capture

RULES = """
- macro: opened
  condition: (evt.type=openat)
- list: hostile
  items: ['"a''b"', "'c\\"d'"]
- {rule: plain, desc: d, condition: evt.type=connect, output: o %evt.num, priority: INFO}
- {rule: many, desc: d, condition: opened, output: o %fd.name, priority: INFO,
   count: {at_least: 3, by: [process], within: 20us}}
- {rule: many names, desc: d, condition: opened and not fd.name=x, output: o, priority: INFO,
   count: {at_least: 3, distinct: fd.name, by: [user, container], within: 40us}}
- {rule: many numbers, desc: d, condition: opened, output: o, priority: INFO,
   count: {at_least: 2, distinct: fd.num, by: host, within: 9us}}
- rule: written and run
  desc: d
  condition: evt.type=execve
  output: o %proc.exepath
  priority: INFO
  exceptions: [{name: e, fields: proc.exepath, comps: in, values: [y]}]
  sequence:
    by: {file: proc.exepath}
    within: 30us
    after: [{condition: opened, by: {file: fd.name}}]
- rule: run without a file of the list
  desc: d
  condition: evt.type=execve
  output: o
  priority: INFO
  sequence:
    by: process
    within: 25us
    without: [{condition: opened and fd.name in (hostile)}]
- rule: two steps, no third
  desc: d
  condition: evt.type=connect
  output: o
  priority: INFO
  sequence:
    by: [process, user]
    within: 50us
    after: [{condition: opened}, {condition: evt.type=execve}]
    without: [{condition: opened and fd.num=3}]
    unless_followed_by: [{condition: evt.type=close}]
- rule: not followed
  desc: d
  condition: opened
  output: o
  priority: INFO
  sequence:
    by: tolower(fd.name)
    within: 15us
    unless_followed_by: [{condition: evt.type=close}]
"""
NAMES = ("x", "y", "X", "a'b", 'c"d', "\u2028;--", "", None)


@functools.cache
def _plan() -> Plan:
    ruleset = load_rules([RulesText(RULES)])
    ruleset.raise_if_invalid()
    return ruleset.plan


def _events(chance: random.Random, count: int) -> list[Row]:
    rows: list[Row] = []
    for number in range(1, count + 1):
        pid = chance.choice([1, 2, None])
        row: Row = {
            "evt.num": number,
            # Neighbours stand the other way round now and then, as on several CPUs.
            "evt.time": number * 3000 + chance.choice([0, 0, 1000, -5000, 4000]),
            "evt.type": chance.choice(["openat", "openat", "execve", "connect", "close"]),
            "fd.name": chance.choice(NAMES),
            "fd.num": chance.choice([3, 4, -1, None]),
            "proc.pid": pid,
            "proc.pid_ts": None if pid is None else chance.choice([None, pid * 20_000]),
            "proc.exepath": chance.choice(NAMES),
            "user.uid": chance.choice([0, 1000, None]),
            "container.id": chance.choice(["host", "5d4c", None]),
        }
        rows.append({path: value for path, value in row.items() if value is not None})
    return rows


def _footer(chance: random.Random, count: int) -> Footer:
    """A recording that began and ended a while before and after, and lost events."""
    span = (count + 1) * 3000
    intervals = []
    for _ in range(chance.choice([0, 0, 1, 2])):
        begin = chance.randrange(0, span)
        lost = {chance.choice(["files", "network", "a class of tomorrow"]): chance.choice([1, 50])}
        intervals.append(LossInterval(from_ns=begin, to_ns=begin + 4000, by_class=lost))
    lost_count = sum(sum(one.by_class.values()) for one in intervals)
    return Footer(
        host=Host(hostname="web-1"),
        recording=Recording(
            started_ns=chance.choice([0, 1]),
            ended_ns=chance.choice([0, span, span + 100_000]),
            event_names=chance.choice([None, None, ["openat", "execve", "connect"]]),
        ),
        losses=Losses(
            is_known=chance.random() < 0.9, made_count=count, lost_count=lost_count,
            intervals=intervals,
        ),
        unrecorded=chance.choice([[], ["proc.start"]]),
    )  # fmt: skip


_Told = tuple[int, str, str, tuple[int, ...]]
_Unclear = tuple[str, str, int, tuple[int, ...], int, int]
_Found = tuple[list[_Told], list[_Unclear]]


def _told(alert: Alert) -> _Told:
    return (alert.num, alert.rule.name, alert.output, alert.steps)


def _unclear(found: Undetermined) -> _Unclear:
    return (found.rule.name, found.reason, found.count, found.nums, found.first_ns, found.last_ns)


def _scanned(
    engine: ReplayEngine | DuckdbEngine, path: Path, plan: Plan, options: ScanOptions
) -> _Found:
    with open_capture(path) as capture:
        batches = list(engine.scan([capture], plan, options))
    # Row groups whose times stand the other way round come in another order from each engine.
    alerts = sorted(_told(alert) for batch in batches for alert in batch.alerts)
    unclear = sorted(_unclear(one) for batch in batches for one in batch.undetermined)
    return alerts, unclear


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), first_match=st.booleans(), since=st.booleans())
def test_engines_agree(tmp_path: Path, seed: int, *, first_match: bool, since: bool) -> None:
    """Alerts, the events that led to them, and what nobody can say."""
    chance = random.Random(seed)
    count = chance.choice([1, 12, 60])
    rows = _events(chance, count)
    cuts = sorted(chance.sample(range(1, count), min(count - 1, chance.choice([0, 1, 3]))))
    groups = [rows[a:b] for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    path = tmp_path / f"{seed}.parquet"
    path.unlink(missing_ok=True)
    write_capture(path, groups, _footer(chance, count)).close()
    plan = _plan()
    options = ScanOptions(
        first_match=first_match, since_ns=count * 1000 if since else None,
        until_ns=count * 2500 if since else None, threads=2,
    )  # fmt: skip
    by_replay = _scanned(ReplayEngine(), path, plan, options)
    assert _scanned(DuckdbEngine(), path, plan, options) == by_replay
    if not first_match and not since:
        _compare_single_queries(plan, path, by_replay)


def _compare_single_queries(
    plan: Plan,
    path: Path,
    found: _Found,
) -> None:
    """A single query takes the capture for all that happened: what is certain is among that."""
    alerts, unclear = found
    for name, nums in sql_matches(plan, path).items():
        certain = {num for num, rule, *_ in alerts if rule == name}
        possible = {num for rule, _, _, nums, *_ in unclear if rule == name for num in nums}
        if name.startswith(("many", "plain", "written")):
            assert set(nums) == certain
        assert certain <= set(nums) <= certain | possible


def test_limits_of_time_change_no_verdict(tmp_path: Path) -> None:
    """What is left out by `since` and `until` still counts for the events that are shown."""
    rows = _events(random.Random(7), 60)
    path = tmp_path / "c.parquet"
    write_capture(path, [rows[:20], rows[20:40], rows[40:]]).close()
    every, unclear = _scanned(ReplayEngine(), path, _plan(), ScanOptions())
    times = {num: int(str(row["evt.time"])) for num, row in enumerate(rows, 1)}
    since, until = 60_000, 150_000
    options = ScanOptions(since_ns=since, until_ns=until)
    some, _ = _scanned(ReplayEngine(), path, _plan(), options)
    assert some == [one for one in every if since <= times[one[0]] < until]
    assert 0 < len(some) < len(every)
    assert unclear


def test_shipped_captures(tmp_path: Path) -> None:
    """On what really happened both engines say the same, and the intrusion is found."""
    plan = load_rules([CAPTURES.parent / "rules"]).plan
    about_several = Plan(tuple(rule for rule in plan.rules if rule.correlation is not None))
    found: set[object] = set()
    for name in ("first_light", "intrusion", "ordinary", "sequences"):
        path = CAPTURES / f"{name}.parquet"
        by_replay = _scanned(ReplayEngine(), path, about_several, ScanOptions())
        assert _scanned(DuckdbEngine(), path, about_several, ScanOptions()) == by_replay
        assert name != "ordinary" or by_replay[0] == []
        found |= {rule for _, rule, *_ in by_replay[0]}
    assert found == {rule.name for rule in about_several.rules}


def test_reports_carry_what_is_undetermined(tmp_path: Path) -> None:
    """A scan's report has it after the alerts were taken, and its alerts name their steps."""
    path = tmp_path / "c.parquet"
    write_capture(path, [_events(random.Random(7), 60)]).close()
    with open_captures(path) as opened:
        report = opened.scan(_plan())
        alerts = list(report)
        assert {one.rule.name for one in report.undetermined} > {"not followed"}
        led = [alert for alert in alerts if alert.rule.name == "written and run"]
        assert led
        assert all(len(alert.steps) == 1 and alert.steps[0] != alert.num for alert in led)


def test_times_of_any_size(tmp_path: Path) -> None:
    """What is recorded may be any number: a span less than the first time or more than the last."""
    ends = [-(1 << 63), -(1 << 63) + 5, 0, (1 << 63) - 9, (1 << 63) - 1]
    rows: list[Row] = [
        {"evt.type": kind, "evt.time": time, "fd.name": "x", "proc.exepath": "x", "proc.pid": 1}
        for time in ends
        for kind in ("openat", "execve", "connect", "openat", "openat")
    ]
    path = tmp_path / "c.parquet"
    write_capture(path, [rows]).close()
    by_replay = _scanned(ReplayEngine(), path, _plan(), ScanOptions())
    assert _scanned(DuckdbEngine(), path, _plan(), ScanOptions()) == by_replay
    assert by_replay[0]
