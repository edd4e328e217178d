"""Replay over small captures: which rules fire on which events, in which order, with what text."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from falcotrace.alerts import Alert
from falcotrace.capture.footer import Footer, Recording
from falcotrace.capture.reader import Capture
from falcotrace.engines.base import ScanOptions, find_gaps
from falcotrace.engines.replay import ReplayEngine
from falcotrace.events.fields import FIELDS, Storage
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from small_captures import Row, write_capture

RULES = """
- rule: Opened below etc
  desc: d
  condition: evt.type in (open, openat) and fd.name startswith /etc and not proc.name = trusted
  output: "%proc.name (parent %proc.pname) opened %fd.name, result %evt.res"
  priority: WARNING
  tags: [b, a]
- rule: Vi at work
  desc: d
  condition: evt.type in (openat, execve) and proc.name = vi
  output: "vi at %evt.num"
  priority: INFO
- rule: Anything by root
  desc: d
  condition: user.uid = 0 and not container.id != host
  output: "root %user.uid"
  priority: DEBUG
"""

VI = {"proc.name": "vi", "proc.pname": "bash", "user.uid": 1000, "container.id": "host"}
TRUSTED = {"proc.name": "trusted", "user.uid": 0, "container.id": "host"}
EVENTS: list[list[Row]] = [
    [
        {"evt.type": "openat", "fd.name": "/etc/passwd", "evt.res": "SUCCESS", **VI},
        {"evt.type": "openat", "fd.name": "/etc/shadow", **TRUSTED},
        {"evt.type": "read", "fd.name": "/etc/passwd", **VI},
        {"evt.type": "openat", "fd.name": "/tmp/x", **VI},
    ],
    [
        {"evt.type": "execve", **VI},
        {"evt.type": "open", "fd.name": "/etc/hosts"},
    ],
]


def plan_of(text: str) -> Plan:
    """The plan of some rules."""
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    return ruleset.plan


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Six events in two row groups; the last has no known process."""
    return write_capture(tmp_path / "c.parquet", EVENTS)


def alerts_of(captures: Sequence[Capture], options: ScanOptions | None = None) -> list[Alert]:
    """All alerts of a scan."""
    batches = ReplayEngine().scan(captures, plan_of(RULES), options)
    return [alert for batch in batches for alert in batch.alerts]


def fired(alerts: Sequence[Alert]) -> list[tuple[int, str]]:
    """Event numbers and rules."""
    return [(alert.num, alert.rule.name) for alert in alerts]


ALL = [
    (1, "Opened below etc"),
    (1, "Vi at work"),
    (2, "Anything by root"),
    (4, "Vi at work"),
    (5, "Vi at work"),
    (6, "Opened below etc"),
]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_all_matches_in_order(capture: Capture, threads: int) -> None:
    """Every rule that holds fires, in order of events and then of rules, however many threads."""
    assert fired(alerts_of([capture], ScanOptions(threads=threads))) == ALL


def test_first_match_wins(capture: Capture) -> None:
    """With first-match the first rule in the order of the plan takes the event."""
    alerts = alerts_of([capture], ScanOptions(first_match=True))
    assert fired(alerts) == [(1, "Opened below etc"), *ALL[2:]]


def test_time_limits(capture: Capture) -> None:
    """Events before `since` and from `until` on are left out, inside a row group too."""
    options = ScanOptions(since_ns=2000, until_ns=5000)
    assert fired(alerts_of([capture], options)) == ALL[2:4]


def test_missing_process(capture: Capture) -> None:
    """Without a process its checks are false, their negations true, and printing says <NA>."""
    last = alerts_of([capture])[-1]
    assert last.output == "<NA> (parent <NA>) opened /etc/hosts, result <NA>"
    assert last.output_fields["proc.name"] is None


def test_alert_carries_its_rule_and_host(capture: Capture) -> None:
    """An alert names rule, priority, sorted tags, source, host and time."""
    alert = alerts_of([capture])[0]
    assert alert.priority.title == "Warning"
    assert alert.tags == ("a", "b")
    assert alert.source == "syscall"
    assert alert.hostname == "web-1"
    assert alert.time_ns == 1000
    assert alert.output == "vi (parent bash) opened /etc/passwd, result SUCCESS"
    assert alert.output_fields == {
        "proc.name": "vi",
        "proc.pname": "bash",
        "fd.name": "/etc/passwd",
        "evt.res": "SUCCESS",
    }


def test_typed_output_fields(capture: Capture) -> None:
    """Numbers stay numbers in output fields."""
    assert alerts_of([capture])[2].output_fields == {"user.uid": 0}


def test_several_captures_are_taken_in_time_order(tmp_path: Path, capture: Capture) -> None:
    """Row groups of several captures follow each other in time."""
    later = write_capture(
        tmp_path / "later.parquet", [[{"evt.type": "execve", "evt.time": 9_000, **VI}]]
    )
    alerts = alerts_of([later, capture])
    assert [alert.capture for alert in alerts][-1] == "later.parquet"
    assert [alert.time_ns for alert in alerts] == sorted(alert.time_ns for alert in alerts)


def test_no_rules_no_work(capture: Capture) -> None:
    """A plan without rules yields nothing."""
    assert list(ReplayEngine().scan([capture], Plan(()))) == []


def test_rule_outside_its_event_set_never_fires(capture: Capture) -> None:
    """A rule without a possible event does not fire, though its negation would hold."""
    text = """
- rule: Never
  desc: d
  condition: evt.type = open and evt.type = close
  output: o
  priority: INFO
"""
    assert list(ReplayEngine().scan([capture], plan_of(text))) == []


def test_deep_conditions_do_not_recurse(capture: Capture) -> None:
    """Nearly a thousand levels neither exhaust the stack nor change the verdict."""
    deep = "proc.name = vi"
    for level in range(190):
        deep = f"not (proc.name = vi and not (fd.num = {level} or {deep}))"
    text = f"- {{rule: Deep, desc: d, condition: '{deep}', output: o, priority: INFO}}"
    batches = list(ReplayEngine().scan([capture], plan_of(text)))
    assert [alert.num for batch in batches for alert in batch.alerts] == [1, 2, 3, 4, 5, 6]


def test_gaps_are_named(tmp_path: Path) -> None:
    """A rule that a capture cannot answer fully is reported with what is missing."""
    footer = Footer(
        recording=Recording(event_names=["openat"]), unrecorded=["fd.name", "proc.vmsize"]
    )
    capture = write_capture(tmp_path / "g.parquet", [[{"evt.type": "openat"}]], footer)
    text = """
- rule: Blind
  desc: d
  condition: evt.type in (open, openat) and fd.directory = /etc and k8smeta.pod.name = web
  output: o
  priority: INFO
- rule: Sees
  desc: d
  condition: evt.type = openat and proc.name = vi
  output: o
  priority: INFO
- rule: Idle
  desc: d
  condition: evt.type = execve
  output: o
  priority: INFO
"""
    blind, idle = find_gaps(plan_of(text), capture)
    assert blind.missing_events == ("open",)
    assert not blind.runs_on_no_event
    assert blind.unrecorded_fields == ("fd.directory",)
    assert blind.unsupported_fields == ("k8smeta.pod.name",)
    assert idle.runs_on_no_event


def test_every_field_can_be_asked(capture: Capture) -> None:
    """No field that rules may use makes the engine stumble, recorded or not."""
    arguments = {"evt.arg": ".flags", "evt.rawarg": ".flags", "evt.type.is": ".open"}
    rules = []
    for field in FIELDS.values():
        if field.storage is Storage.REMOVED or field.name == "static.<name>":
            continue
        argument = arguments.get(field.name, "")
        if not argument and field.argument.startswith("required"):
            argument = "[1]" if "[" in field.argument else ".cpu"
        name = f"{field.name}{argument}"
        printed = "" if field.usable_in == "filter" else f"%{name}"
        condition = "evt.type = openat" if field.usable_in == "output" else f"{name} exists"
        condition = f"{name} = 1" if field.name == "evt.around" else condition
        rules.append(
            f"- {{rule: '{name}', desc: d, condition: '{condition} or evt.type = openat', "
            f"output: 'x {printed}', priority: INFO, warn_evttypes: false}}"
        )
    plan = plan_of("\n".join(rules))
    names = {alert.rule.name for b in ReplayEngine().scan([capture], plan) for alert in b.alerts}
    assert len(names) == len(rules)
