"""Alerts as a bundle of STIX 2.1: what was observed, and which indicator was sighted.

A rule is an indicator, its condition the pattern; an event is observed data with its observables;
an alert is a sighting of the indicator, in that data, on the host. Everything has an id that
follows from what it stands for: a bundle that is imported twice adds nothing.

Source: OASIS, STIX 2.1 (os), parts 4.7, 4.14, 5.2. `falco` is none of the pattern types that the
open vocabulary suggests (9.28), which is open for that.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from falcotrace.outputs.cells import json_text
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Finding, present, rule_attack, shown_path, stable_id
from falcotrace.outputs.exports.stix_objects import SPEC_VERSION, Object, Observables, stix_time
from falcotrace.rules.attack import Attack
from falcotrace.rules.plan import RulePlan

_ALWAYS: Final = "1970-01-01T00:00:00.000Z"
"""When a rule and a host came to be: files of rules have no dates, and a rule is as valid for what
was recorded before it was written."""

_CREATOR: Final[Object] = {
    "type": "identity",
    "spec_version": SPEC_VERSION,
    "id": f"identity--{stable_id('tool', 'FalcoTrace')}",
    "created": _ALWAYS,
    "modified": _ALWAYS,
    "name": "FalcoTrace",
    "identity_class": "system",
}
"""Who says all this: also what is in a bundle without alerts, for lists of STIX are never empty."""

_DIGITS_OF_MS = 4


def write_stix(findings: Iterable[Finding], context: ExportContext, stream: TextIO) -> int:
    """Write a bundle.

    Returns:
        How many alerts there were.
    """
    # STIX is no format of lines: that nothing stands twice takes the ids, 100 bytes each.
    written: set[str] = set()
    captures = map(shown_path, context.captures)
    name = stable_id("bundle", *captures, *(rule.name for rule in context.rules))
    stream.write(f'{{"type":"bundle","id":"bundle--{name}","objects":[\n{json_text(_CREATOR)}')
    count = 0
    for finding in findings:
        count += 1
        for found in _objects(finding):
            object_id = str(found["id"])
            if object_id in written:
                continue
            stream.write(f",\n{json_text(found)}")
            written.add(object_id)
    stream.write("\n]}\n")
    return count


def _objects(finding: Finding) -> Iterator[Object]:
    """Everything about one alert, what is referred to first."""
    host, indicator = _host(finding), _indicator(finding.rule)
    observables = Observables(finding).objects
    yield host
    yield indicator
    yield from observables.values()
    observed = _observed(finding, list(observables)) if observables else None
    if observed:
        yield observed
    yield _sighting(finding, host, indicator, observed)


def _identified(kind: str, unique: object, time: str, /, **fields: object) -> Object:
    return {
        "type": kind,
        "spec_version": SPEC_VERSION,
        "id": f"{kind}--{unique}",
        "created_by_ref": _CREATOR["id"],
        "created": time,
        "modified": time,
        **present(**fields),
    }


def _host(finding: Finding) -> Object:
    name = finding.hostname or "unknown host"
    return _identified(
        "identity", stable_id("host", name), _ALWAYS, name=name, identity_class="system"
    )


def _indicator(rule: RulePlan) -> Object:
    attack = rule_attack(rule)
    return _identified(
        "indicator",
        stable_id("rule", rule.name, rule.condition_text),
        _ALWAYS,
        name=rule.name,
        description=rule.description.strip(),
        indicator_types=["malicious-activity"],
        pattern=rule.condition_text,
        pattern_type="falco",
        valid_from=_ALWAYS,
        labels=list(rule.tags),
        kill_chain_phases=[
            {"kill_chain_name": "mitre-attack", "phase_name": tactic.phase}
            for tactic in attack.tactics
        ],
        external_references=_references(attack),
    )


def _references(attack: Attack) -> list[Object]:
    return [
        {"source_name": "mitre-attack", "external_id": technique.id, "url": technique.url}
        for technique in attack.techniques
    ]


def _observed(finding: Finding, refs: list[str]) -> Object:
    time = stix_time(finding.alert.time_ns)
    return _identified(
        "observed-data",
        finding.event_uid,
        _milliseconds(time),
        first_observed=time,
        last_observed=time,
        number_observed=1,
        object_refs=refs,
    )


def _sighting(finding: Finding, host: Object, indicator: Object, observed: Object | None) -> Object:
    time = stix_time(finding.alert.time_ns)
    return _identified(
        "sighting",
        finding.uid,
        _milliseconds(time),
        description=finding.message,
        first_seen=time,
        last_seen=time,
        count=1,
        sighting_of_ref=indicator["id"],
        observed_data_refs=[observed["id"]] if observed else [],
        where_sighted_refs=[host["id"]],
    )


def _milliseconds(time: str) -> str:
    """When an object came to be is told no finer (3.2)."""
    return f"{time[:-_DIGITS_OF_MS]}Z"
