"""Proposals: few values, none that silences a fixture, verified by loading and asking."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from falcotrace.capture.footer import Footer, Host, Recording
from falcotrace.errors import render_diagnostic
from falcotrace.fixtures import answers
from falcotrace.fixtures.load import load_fixtures
from falcotrace.rules.load import RulesText, load_definitions, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.tuning.model import RuleTuning, Tuning
from falcotrace.tuning.noise import Baseline
from falcotrace.tuning.propose import Names, propose
from falcotrace.tuning.text import tuned_rules
from falcotrace.tuning.verify import Sources, verify
from hostile_capture import EVILS
from small_captures import Row, write_capture
from unit.fixtures.made_fixtures import RULES, made, opened

NOTHING = "fixtures: []\n"
KNOWN = RULES.replace(
    "  tags: [mitre_credential_access, T1003.008]",
    """  exceptions:
    - {name: by_user, fields: [user.name]}
    - {name: programs, fields: proc.exepath}""",
)
HOUR_NS = 3_600_000_000_000


def tuned(
    folder: Path,
    *captures: Sequence[Row],
    rules: str = RULES,
    fixtures: str = NOTHING,
    most_per_hour: float = 0.0,
    **more: Sequence[Row],
) -> Tuning:
    """The verified proposal for a baseline of captures of an hour each, of hosts of their own."""
    made(folder, fixtures, rules, **more)
    sources = Sources((folder / "rules.yaml",), (folder / "fixtures",))
    opened_captures = []
    for number, rows in enumerate(captures):
        footer = Footer(
            host=Host(hostname=f"h{number}"),
            recording=Recording(started_ns=1, ended_ns=HOUR_NS + 1),
        )
        path = folder / f"good{number}.parquet"
        path.unlink(missing_ok=True)
        opened_captures.append(write_capture(path, [rows], footer))
    baseline = Baseline(tuple(opened_captures))
    names = Names(*load_definitions(sources.rules))
    loaded = load_fixtures(sources.rules, sources.fixtures)
    found = verify(propose(loaded, names, baseline, most_per_hour), sources, baseline)
    for capture in opened_captures:
        capture.close()
    return found


def only(tuning: Tuning) -> RuleTuning:
    """The one noisy rule."""
    (one,) = tuning.rules
    return one


def told(tuning: Tuning) -> list[tuple[str, tuple[str, ...], int]]:
    """Exception, values and silenced alerts of each value proposed."""
    return [
        (value.candidate.shape.name, value.candidate.values, value.alerts)
        for value in only(tuning).values
    ]


def test_own_exceptions_are_filled(tmp_path: Path) -> None:
    """A rule that has a fitting exception gets values for it, and not one that is too broad."""
    rows = [opened("backup"), opened("backup"), opened("sync")]
    rows = [{**row, "user.name": "root"} for row in rows]
    found = tuned(tmp_path, rows, rows[:1], rules=KNOWN)
    assert told(found) == [
        ("programs", ("/usr/bin/backup",), 3),
        ("programs", ("/usr/bin/sync",), 1),
    ]
    first = only(found).values[0]
    assert (first.captures, first.hosts, first.share) == (2, 2, 0.75)
    assert found.is_complete
    assert found.verified_by == ("replay", "duckdb")


def test_few_values_cover_many_alerts(tmp_path: Path) -> None:
    """One parent and program stand for many files, and no value is there for nothing."""
    rules = RULES.replace("fd.name = /etc/shadow", "fd.name startswith /etc/")
    rows = [opened("dpkg", f"/etc/{name}", parent="apt") for name in "abcdefgh"]
    found = tuned(tmp_path, [*rows, opened("agent", "/etc/a", parent="init")], rules=rules)
    assert told(found) == [
        ("tuned_program_and_file", ("/usr/bin/agent", "/etc/a"), 1),
        ("tuned_program_and_parent", ("/usr/bin/dpkg", "apt"), 8),
    ]


def test_what_else_it_would_cover_is_told(tmp_path: Path) -> None:
    """Events of the rule's types that the exception covers and the rule does not mean."""
    rows = [opened("sync", "/etc/shadow"), opened("sync", "/etc/shadow")]
    others = [{**opened("su"), "proc.exepath": "/usr/bin/sync"}]
    (value,) = only(tuned(tmp_path, [*rows, *others])).values
    assert value.candidate.shape.name == "tuned_program_and_file"
    assert value.also == 1


def test_a_fixture_is_never_silenced(tmp_path: Path) -> None:
    """The attack looks like ordinary work: the value is refused, with the fixture's place."""
    fixtures = "fixtures:\n- {rule: Hashes read, capture: ../a.parquet, fires: [proc.name=agent]}\n"
    attack = [{**opened("agent"), "proc.cmdline": "agent -x"}]
    found = tuned(tmp_path, [opened("agent", parent="init")], fixtures=fixtures, a=attack)
    assert told(found) == [
        ("tuned_command_and_file", ("/usr/bin/agent", "agent /etc/shadow", "/etc/shadow"), 1)
    ]
    (refused,) = only(found).refused
    assert refused.candidate.values == ("/usr/bin/agent", "/etc/shadow")
    assert "fixtures/one.yaml:2 on a.parquet" in refused.reason


def test_noise_that_only_a_broad_exception_covers_stays(tmp_path: Path) -> None:
    """A shell without arguments: nothing is proposed, and it is told why."""
    rows = [{**opened("bash"), "proc.cmdline": "bash"}]
    found = tuned(tmp_path, rows)
    assert told(found) == []
    assert only(found).left == 1
    assert not found.is_complete
    assert {refused.reason.partition(":")[0] for refused in only(found).refused} == {"too broad"}
    assert tuned_rules(found) == ""


def test_so_many_alerts_an_hour_are_no_noise(tmp_path: Path) -> None:
    """With a limit, only what is above it has to go, the most frequent values first."""
    rows = [opened("sync")] * 5 + [opened("once")]
    assert tuned(tmp_path, rows, most_per_hour=6).rules == ()
    found = tuned(tmp_path, rows, most_per_hour=1)
    assert told(found) == [("tuned_program_and_file", ("/usr/bin/sync", "/etc/shadow"), 5)]
    assert only(found).left == 1
    assert found.is_complete


def test_the_same_baseline_gives_the_same_file(tmp_path: Path) -> None:
    """The order of events does not matter."""
    rows = [opened(name, parent=parent) for name in "zxyw" for parent in "qp"]
    texts = {tuned_rules(tuned(tmp_path, order)) for order in (rows, rows[::-1])}
    assert len(texts) == 1


@pytest.mark.parametrize("field", ["proc.exepath", "proc.cmdline", "proc.pname"])
def test_hostile_values_stay_values(tmp_path: Path, field: str) -> None:
    """The file loads, has the rules that it is about and no others, and says nothing more."""
    rows = [{**opened("agent"), "proc.exepath": "/usr/bin/agent", field: evil} for evil in EVILS]
    rows += [
        {**opened("agent"), field: evil}
        for evil in ("x) or (evt.num > 0", "a\n- rule: b", '"', "' or '", "a, told b", "told", "%x")
    ]
    found = tuned(tmp_path, rows)
    text = tuned_rules(found)
    ruleset = load_rules([RulesText(RULES), RulesText(text)])
    assert ruleset.ok, [render_diagnostic(each) for each in ruleset.errors]
    assert [rule.name for rule in ruleset.plan.rules] == ["Hashes read", "Told list"]
    assert sum(value.alerts for value in only(found).values) == len(rows) - only(found).left


def test_a_proposal_that_an_engine_does_not_confirm_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was worked out from values is believed only when both engines say the same."""

    def sees_more(path: Path, plan: Plan) -> answers.Answers:
        return answers.Answers(tuple(np.arange(1, 4) for _ in plan.rules))

    monkeypatch.setitem(answers.ENGINES, "duckdb", sees_more)
    found = tuned(tmp_path, [opened("sync")])
    assert told(found) == []
    (refused,) = only(found).refused
    assert "duckdb finds 3 alerts with it in good0.parquet, not 0" in refused.reason
    assert not found.is_complete
