"""What rules about several events say beside their alerts, and where they are not asked."""

from pathlib import Path

import pytest

from falcotrace.alerts import describe_undetermined
from falcotrace.api import open_captures
from falcotrace.capture.footer import Footer, Host, Losses, Recording
from falcotrace.engines import moments
from falcotrace.engines.base import find_gaps
from falcotrace.engines.sql import rule_sql
from falcotrace.errors import UnsupportedError
from falcotrace.outputs.falco import json_fields
from falcotrace.rules.asked import asked_events, asked_fields
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.rules.report import report
from falcotrace.rules.sequences import Count, Sequence, describe_correlation
from small_captures import write_capture

DROPPED = """
- rule: dropped
  desc: d
  condition: evt.type=execve
  output: o
  priority: INFO
  sequence:
    by: {file: proc.exepath}
    within: 1s
    after: [{condition: evt.type=creat, by: {file: fd.name}}]
"""
COUNTED = """
- rule: counted
  desc: d
  condition: evt.type=creat
  output: o
  priority: INFO
  count: {at_least: 2, by: host, within: 1s}
"""


def _plan(text: str) -> Plan:
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    return ruleset.plan


def _capture(folder: Path) -> Path:
    path = folder / "c.parquet"
    rows = [
        {"evt.type": "creat", "fd.name": "/x"},
        {"evt.type": "creat", "fd.name": "/y"},
        {"evt.type": "execve", "proc.exepath": "/x"},
    ]
    footer = Footer(
        host=Host(hostname="web-1"), losses=Losses(is_known=True), recording=Recording(started_ns=1)
    )
    write_capture(path, [rows], footer).close()
    return path


def test_an_alert_tells_what_led_to_it(tmp_path: Path) -> None:
    """In Python, and in JSON, where Falco's alerts of other rules have no such key."""
    with open_captures(_capture(tmp_path)) as opened:
        alerts = list(opened.scan(_plan(DROPPED + COUNTED)))
    assert [(one.rule.name, one.num, one.steps) for one in alerts] == [
        ("counted", 2, (1,)),
        ("dropped", 3, (1,)),
    ]
    assert json_fields(alerts[0])["steps"] == [1]


def test_what_is_undetermined_is_a_sentence(tmp_path: Path) -> None:
    """It names capture, rule, event and reason."""
    with open_captures(_capture(tmp_path)) as opened:
        found = opened.scan(_plan(COUNTED.replace("at_least: 2", "at_least: 3")))
        assert list(found) == []
        (unclear,) = found.undetermined
    assert describe_undetermined(unclear) == (
        "c.parquet: rule `counted` is undetermined for event 1: the span reaches before the "
        "capture's beginning"
    )


def test_more_than_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that asks for too much is not judged, says so, and costs the others nothing."""
    monkeypatch.setattr(moments, "MOST_MOMENTS", 1)
    with open_captures(_capture(tmp_path)) as opened:
        found = opened.scan(
            _plan(COUNTED + COUNTED.replace("counted", "plain").split("  count")[0])
        )
        assert [one.rule.name for one in found] == ["plain", "plain"]
        assert [one.reason.partition(":")[0] for one in found.undetermined] == [
            "its steps hold for more events than can be kept"
        ]


def test_what_is_asked_has_the_steps() -> None:
    """Recordings of what rules ask for, and notes on captures, know of steps and keys."""
    (rule,) = _plan(DROPPED).rules
    assert asked_events(rule) == frozenset({"execve", "creat"})
    assert {field.text for field in asked_fields(rule)} == {"evt.type", "proc.exepath", "fd.name"}


def test_gaps_have_the_steps(tmp_path: Path) -> None:
    """A capture without the events of a step cannot fully answer the rule."""
    path = tmp_path / "c.parquet"
    footer = Footer(recording=Recording(event_names=["execve"]))
    write_capture(path, [[{"evt.type": "execve"}]], footer).close()
    with open_captures(path) as opened:
        (gap,) = find_gaps(_plan(DROPPED), next(iter(opened)))
    assert (gap.missing_events, gap.runs_on_no_event) == (("creat",), False)


def test_an_override_replaces_the_whole(tmp_path: Path) -> None:
    """A count can take the place of a sequence; everything else of the rule stays."""
    switched = """
- rule: dropped
  count: {at_least: 7, distinct: proc.name, by: [user, fd.name], within: 90s}
  override: {count: replace}
"""
    (rule,) = _plan(DROPPED + switched).rules
    assert isinstance(rule.correlation, Count)
    assert describe_correlation(rule.correlation) == [
        ("count", "at least 7 values of proc.name"),
        ("by", "user, fd.name"),
        ("within", "90s"),
    ]
    (before,) = _plan(DROPPED).rules
    assert isinstance(before.correlation, Sequence)
    assert (rule.condition, rule.output) == (before.condition, before.output)


def test_the_report_of_rules_has_it() -> None:
    """`rules check --json` says what is around the event."""
    (told,) = report(load_rules([RulesText(DROPPED)]))["rules"]
    assert told["correlation"] == [
        ("after", "evt.type = creat"),
        ("by", "file (proc.exepath)"),
        ("within", "1s"),
    ]


@pytest.mark.parametrize("dialect", ["spark", "trino", "clickhouse"])
def test_other_dialects_refuse_it_by_name(dialect: str) -> None:
    """What a dialect cannot say is said, and never printed otherwise."""
    (rule,) = _plan(COUNTED).rules
    with pytest.raises(UnsupportedError, match="a rule about several events"):
        rule_sql(rule, dialect=dialect)


def test_one_query_is_about_one_capture() -> None:
    """A pattern of files would make one world of several."""
    (rule,) = _plan(COUNTED).rules
    with pytest.raises(UnsupportedError):
        rule_sql(rule, "captures/*.parquet")
