"""Alerts, compared with Falco's: the same event, the same rule, the same output fields.

In: a capture, a set of rules and Falco's alerts. Out: how many alerts are the same, which are
missing or extra, and which values differ.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from falcotrace.alerts import Alert
from falcotrace.capture.reader import Capture
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.replay import ReplayEngine
from falcotrace.errors import RulesError
from falcotrace.outputs.falco import json_line
from falcotrace.rules.load import load_rules, parse_formula
from falcotrace.rules.plan import Plan
from oracle.falco_printing import printed
from oracle.oracle_files import OPS, expected_alerts, expected_numbers
from oracle.outcomes import Difference, Kind, Outcome

MATCH_ALL = "_matchall"
_EXAMPLES = 3
_OFFICIAL = {
    "stable": ("falco_rules",),
    "all3": ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules"),
}

Document = Mapping[str, Any]
_Key = tuple[str, int, int]
_Group = tuple[Kind, str, str, str, str]


@cache
def plan_of(oracle: Path, rule_set: str) -> Plan:
    """The rules of a set, as Falco loaded them."""
    if rule_set == OPS:
        paths = [oracle / "rules" / "ops_rules.yaml"]
    else:
        names = _OFFICIAL[rule_set.removesuffix(MATCH_ALL)]
        paths = [oracle.parent / "falco-rules" / f"{name}.yaml" for name in names]
    loaded = load_rules(paths, append_suggested=True)
    loaded.raise_if_invalid()
    return loaded.plan


def compare_alerts(oracle: Path, name: str, capture: Capture, rule_set: str) -> Outcome:
    """Compare what a set of rules says about a capture with what it said in Falco."""
    plan = plan_of(oracle, rule_set)
    expected = expected_alerts(oracle, name, rule_set)
    if expected is None:
        return _compare_numbers(name, capture, plan, expected_numbers(oracle, name))
    options = ScanOptions(first_match=rule_set != OPS and not rule_set.endswith(MATCH_ALL))
    ours = [
        alert_document(alert)
        for batch in ReplayEngine().scan([capture], plan, options)
        for alert in batch.alerts
    ]
    return compare_documents(name, rule_set, expected, ours)


def alert_document(alert: Alert) -> Document:
    """An alert as JSON has it, with texts as Falco 0.44.1 prints them."""
    output = printed(alert.output)
    assert isinstance(output, str)
    fields = {name: printed(value) for name, value in alert.output_fields.items()}
    shown = dataclasses.replace(alert, output=output, output_fields=fields)
    document: Document = json.loads(json_line(shown))
    return document


def compare_documents(
    name: str, rule_set: str, expected: Iterable[Document], ours: Iterable[Document]
) -> Outcome:
    """Compare alerts as JSON has them, paired by rule and event."""
    theirs_by_key, ours_by_key = _by_key(expected), _by_key(ours)
    found: dict[_Group, list[str]] = defaultdict(list)
    same = 0
    for key in sorted(theirs_by_key.keys() | ours_by_key.keys()):
        theirs, our = theirs_by_key.get(key), ours_by_key.get(key)
        event = str(key[1])
        kind = _event_type(theirs or our or {})
        if our is None:
            found[Kind.MISSING, key[0], kind, "alert", ""].append(event)
        elif theirs is None:
            found[Kind.EXTRA, key[0], kind, "", "alert"].append(event)
        else:
            values = _different_values(theirs, our)
            same += not values
            for field, falco, mine in values:
                found[Kind.DIFFERENT, f"{key[0]}/{field}", kind, falco, mine].append(event)
    return Outcome(name, rule_set, same, _differences(found))


def _event_type(alert: Document) -> str:
    """The type of an alert's event, if its rule prints that."""
    return str(alert["output_fields"].get("evt.type", ""))


def _by_key(alerts: Iterable[Document]) -> dict[_Key, Document]:
    """Alerts by rule and event; those that cannot be told apart keep their order."""
    counts: dict[tuple[str, int], int] = defaultdict(int)
    keyed: dict[_Key, Document] = {}
    for alert in alerts:
        fields = alert["output_fields"]
        rule, event = alert["rule"], fields.get("evt.num", fields["evt.time.iso8601"])
        keyed[rule, event, counts[rule, event]] = alert
        counts[rule, event] += 1
    return keyed


def _different_values(theirs: Document, ours: Document) -> list[tuple[str, str, str]]:
    """Values that differ: output fields, else the text and what stands beside it."""
    of_theirs, of_ours = theirs["output_fields"], ours["output_fields"]
    found = _different_entries(of_theirs, of_ours)
    # The text shows the same fields, so it adds nothing where one of them differs.
    beside = theirs.keys() - {"hostname", "output_fields", *(["output"] if found else [])}
    beside |= ours.keys() - theirs.keys()
    return found + _different_entries(
        {key: theirs.get(key) for key in beside}, {key: ours.get(key) for key in beside}
    )


def _different_entries(theirs: Document, ours: Document) -> list[tuple[str, str, str]]:
    return [
        (key, _json(theirs, key), _json(ours, key))
        for key in sorted(theirs.keys() | ours.keys())
        if _json(theirs, key) != _json(ours, key)
    ]


def _json(values: Document, key: str) -> str:
    """A value as JSON, which tells 1 from true; empty where there is no such key."""
    return json.dumps(values[key], ensure_ascii=False) if key in values else ""


def _differences(
    found: Mapping[_Group, Sequence[str]],
) -> tuple[Difference, ...]:
    return tuple(
        Difference(*key, count=len(events), events=tuple(events[:_EXAMPLES]))
        for key, events in sorted(found.items(), key=lambda item: -len(item[1]))
    )


def _compare_numbers(
    name: str, capture: Capture, plan: Plan, expected: Mapping[str, Sequence[int]]
) -> Outcome:
    """Compare rule by rule the events that it fires on."""
    ours: dict[str, set[int]] = defaultdict(set)
    for group in ReplayEngine().match([capture], plan):
        matches = group.matches
        for rule, num in zip(matches.rules.tolist(), matches.nums.tolist(), strict=True):
            ours[plan.rules[rule].name].add(num)
    same = 0
    found: dict[_Group, list[str]] = {}
    for rule in sorted(ours.keys() | expected.keys()):
        theirs = set(expected.get(rule, ()))
        same += len(theirs & ours[rule])
        if missing := sorted(theirs - ours[rule]):
            found[Kind.MISSING, rule, "", "alert", ""] = [str(num) for num in missing]
        if extra := sorted(ours[rule] - theirs):
            found[Kind.EXTRA, rule, "", "", "alert"] = [str(num) for num in extra]
    return Outcome(name, OPS, same, _differences(found))


REJECTED = "ops_rejected"
"""The name under which conditions that Falco refuses are compared."""


def compare_rejections(oracle: Path) -> Outcome:
    """Whether conditions that Falco refuses are refused here too."""
    entries = json.loads((oracle / "rules" / "ops_rejected.json").read_text())
    found = [
        Difference(Kind.EXTRA, entry["rule"], "", entry["error"], entry["condition"], 1, ())
        for entry in entries
        if _is_accepted(entry["condition"])
    ]
    return Outcome("-", REJECTED, len(entries) - len(found), tuple(found))


def _is_accepted(condition: str) -> bool:
    try:
        parse_formula(condition)
    except RulesError:
        return False
    return True
