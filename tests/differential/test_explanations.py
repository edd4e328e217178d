"""Explanations against replay: the same verdicts, event by event, and the same counts."""

import dataclasses
import json
import random
from pathlib import Path

import pytest

from differential.both_engines import replay_matches
from differential.random_conditions import Conditions, random_events
from differential.test_rules_on_captures import OFFICIAL, REPOSITORY, captures, load
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.explain.event import EventExplanation, Truth, explain_event
from falcotrace.explain.misses import find_misses
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan, RulePlan
from falcotrace.scap.importer import import_scap
from small_captures import write_capture

EVENTS_PER_RULE = 4


@pytest.fixture(scope="session")
def all_rules(shared: Path) -> Plan:
    """Falco's official rules and those that ship, by their conditions: those are explained."""
    official = load([shared / "falco-rules" / name for name in OFFICIAL])
    shipped = load(sorted((REPOSITORY / "rules").glob("*.yaml")))
    rules = (*official.rules, *shipped.rules)
    return Plan(tuple(dataclasses.replace(rule, correlation=None) for rule in rules))


def check_agreement(plan: Plan, path: Path, rng: random.Random) -> int:
    """Hold explanations to replay: counts of all events, verdicts of some; returns how many."""
    explained = 0
    matches = replay_matches(plan, path)
    with open_capture(path) as capture:
        numbers_of_all = [
            num
            for group in capture.row_groups
            for num in capture.read(group.index, ["evt.num"])["evt.num"].to_pylist()
        ]
        for rule in plan.rules:
            matching = matches[rule.name]
            misses = find_misses(capture, rule, limit=3)
            assert misses.match_count == len(matching), rule.name
            assert list(misses.first_matches) == matching[:5], rule.name
            some = rng.sample(matching, min(2, len(matching)))
            for num in (*some, *rng.sample(numbers_of_all, EVENTS_PER_RULE)):
                check_event(capture, rule, num, is_match=num in matching)
                explained += 1
            for found in misses.nearest[:2]:
                near = check_event(capture, rule, found.nearest[0].first_num, is_match=False)
                is_certain = all(part.truth is not Truth.UNKNOWN for part in near.results)
                assert near.flips == found.leaves or not is_certain
                explained += 1
    return explained


def check_event(capture: Capture, rule: RulePlan, num: int, *, is_match: bool) -> EventExplanation:
    """One event: two truths are replay's, three truths never contradict them."""
    explained = explain_event(capture, rule, num)
    assert explained.matches is is_match, f"{rule.name}, event {num}"
    assert explained.truth in {Truth.UNKNOWN, Truth.of(is_match)}, f"{rule.name}, event {num}"
    assert (explained.results[0].truth is Truth.FALSE) is bool(explained.flips)
    for part in explained.results:
        assert part.truth in {Truth.UNKNOWN, Truth.of(part.holds)}
    return explained


@pytest.mark.parametrize("path", captures(), ids=lambda path: path.stem)
def test_explanations_agree_on_captures(all_rules: Plan, path: Path) -> None:
    """Every rule on a recording: counts as by replay, and verdicts of matches and others."""
    assert check_agreement(all_rules, path, random.Random(1)) > 400


def test_explanations_agree_on_imports(all_rules: Plan, shared: Path, tmp_path: Path) -> None:
    """The same on imported captures, also for rules that each test one operator or field."""
    ops = load([shared / "oracle" / "rules" / "ops_rules.yaml"])
    for name, plan in (("container", all_rules), ("sd_io", ops)):
        (source,) = (shared / "oracle" / "captures").glob(f"{name}.scap*")
        path = tmp_path / f"{name}.parquet"
        import_scap(source, path)
        assert check_agreement(plan, path, random.Random(2)) > 400


def test_explanations_agree_on_random_conditions(tmp_path: Path) -> None:
    """Random conditions over every field, on events that no kernel would send."""
    rng = random.Random(4)
    path = tmp_path / "random.parquet"
    write_capture(path, [random_events(rng, 150), random_events(rng, 150)])
    conditions = Conditions(rng)
    rules = [
        {"rule": f"r{at}", "desc": "d", "output": "o", "priority": "INFO", "condition": condition}
        for at, condition in enumerate(conditions.condition(depth=3) for _ in range(120))
    ]
    ruleset = load_rules([RulesText(json.dumps(rules))])
    ruleset.raise_if_invalid()
    assert check_agreement(ruleset.plan, path, rng) > 400
