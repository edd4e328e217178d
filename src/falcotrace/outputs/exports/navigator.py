"""Layers for the ATT&CK Navigator: of what fired, of what the rules look for, of what is proven.

In: alerts, or rules. Out: one layer, format 4.5, with a score for each technique that a tag names.
Source: mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md.

A technique is not tied to a tactic: tags of rules name both, but not which belongs to which, and
the Navigator drops a technique from a tactic that it is not in.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final, TextIO

from falcotrace.outputs.cells import json_text
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Finding, rule_attack

_VERSIONS: Final = {"navigator": "5.0.0", "layer": "4.5"}
_FIRED: Final = ("#fff3c4", "#b42318")
_COVERED: Final = ("#d6e9ff", "#1d4ed8")
_MOST_RULES = 50
"""More rules than these of one technique are only counted in its comment."""


def write_fired(findings: Iterable[Finding], context: ExportContext, stream: TextIO) -> int:
    """Write the layer of what fired: a technique's score is the number of alerts.

    Returns:
        How many alerts there were.
    """
    alerts = Counter(finding.rule.name for finding in findings)
    description = f"Alerts: {alerts.total():,}. Captures: {len(context.captures):,}."
    _write("FalcoTrace: what fired", description, alerts, context, stream, _FIRED)
    return alerts.total()


def write_coverage(context: ExportContext, stream: TextIO) -> None:
    """Write the layer of what rules look for: a technique's score is the number of rules."""
    rules = Counter(rule.name for rule in context.rules)
    description = f"Rules: {len(context.rules):,}."
    _write("FalcoTrace: what the rules cover", description, rules, context, stream, _COVERED)


def write_proven(context: ExportContext, proven: Collection[str], stream: TextIO) -> None:
    """Write the layer of what rules were seen to find: a technique's score is their number.

    A technique that rules only claim by their tags has the score 0, and says so.

    Args:
        context: the rules, proven or not.
        proven: names of those that were seen to fire.
        stream: where to.
    """
    counts = Counter({rule.name: int(rule.name in proven) for rule in context.rules})
    description = f"Rules: {len(context.rules):,}, seen to fire: {counts.total():,}."
    _write(
        "FalcoTrace: what the rules were seen to find",
        description,
        counts,
        context,
        stream,
        _COVERED,
    )


def _write(
    name: str,
    description: str,
    counts: Counter[str],
    context: ExportContext,
    stream: TextIO,
    colours: tuple[str, str],
) -> None:
    scores: dict[str, Counter[str]] = {}
    unplaced: Counter[str] = Counter()
    for rule in context.rules:
        if rule.name not in counts:
            continue
        techniques = rule_attack(rule).techniques
        for technique in techniques:
            scores.setdefault(technique.id, Counter())[rule.name] = counts[rule.name]
        if not techniques:
            unplaced[rule.name] = counts[rule.name]
    notes = [f"Not on the matrix, for want of a technique: {_told(unplaced)}"] if unplaced else []
    layer = {
        "name": name,
        "versions": _VERSIONS,
        "domain": "enterprise-attack",
        "description": "\n".join([description, *notes, *context.notes]),
        "sorting": 3,
        "layout": {
            "layout": "side",
            "showID": True,
            "showName": True,
            "showAggregateScores": True,
            "countUnscored": False,
            "aggregateFunction": "sum",
            "expandedSubtechniques": "annotated",
        },
        "hideDisabled": False,
        "techniques": [
            {"techniqueID": one, "score": found.total(), "comment": _told(found), "enabled": True}
            for one, found in sorted(scores.items())
        ],
        "gradient": {
            "colors": list(colours),
            "minValue": 0,
            "maxValue": max((1, *(found.total() for found in scores.values()))),
        },
        "metadata": [{"name": "FalcoTrace", "value": context.version}],
    }
    stream.write(json_text(layer) + "\n")


def _told(counts: Counter[str]) -> str:
    """Rules with their numbers, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    counted = any(count > 1 for count in counts.values())
    told = [_told_rule(name, count, counted) for name, count in ranked[:_MOST_RULES]]
    more = [f"{len(ranked) - _MOST_RULES:,} more rules"] if len(ranked) > _MOST_RULES else []
    return ", ".join([*told, *more])


def _told_rule(name: str, count: int, is_counted: bool) -> str:  # noqa: FBT001 - a column of a table
    if not count:
        return f"{name} (claimed, never seen to fire)"
    return f"{name} ({count:,})" if is_counted else name
