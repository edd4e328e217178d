"""Alerts as a log of SARIF 2.1.0: rules with their descriptions, and a result for each alert.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0 (errata 01). An event has no line:
its capture is the artifact, its number a logical location of the kind `event`.

Written as it comes: rules, captures and what is missing first, then result by result.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import quote

from falcotrace.capture.sources import CAPTURE_SUFFIX
from falcotrace.outputs.cells import json_text
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Finding, present, shown_path
from falcotrace.outputs.exports.flat import flat_row
from falcotrace.outputs.exports.severity import SEVERITIES
from falcotrace.rules.plan import RulePlan

SCHEMA_URI: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_MEDIA_TYPE: Final = "application/vnd.apache.parquet"
_SAID_ELSEWHERE: Final = frozenset({"rule", "description", "tags", "capture", "event_number"})

_Object = dict[str, object]


def write_sarif(findings: Iterable[Finding], context: ExportContext, stream: TextIO) -> int:
    """Write a log with one run.

    Returns:
        How many alerts there were.
    """
    places = {rule.name: place for place, rule in enumerate(context.rules)}
    artifacts = {
        shown_path(path): {"uri": _uri(path), "index": place}
        for place, path in enumerate(context.captures)
    }
    stream.write(
        f'{{"$schema":{json_text(SCHEMA_URI)},"version":"2.1.0","runs":[{{'
        f'"tool":{json_text(_tool(context))},'
        f'"invocations":{json_text([_invocation(context)])},'
        f'"artifacts":{json_text([_artifact(path) for path in context.captures])},'
        '"columnKind":"unicodeCodePoints","results":['
    )
    count = 0
    for finding in findings:
        stream.write("\n" if not count else ",\n")
        stream.write(json_text(_result(finding, places, artifacts)))
        count += 1
    stream.write("\n]}]}\n")
    return count


def _tool(context: ExportContext) -> _Object:
    return {
        "driver": {
            "name": "FalcoTrace",
            "version": context.version,
            "rules": [_rule(rule) for rule in context.rules],
        }
    }


def _rule(rule: RulePlan) -> _Object:
    severity = SEVERITIES[rule.priority]
    return {
        "id": rule.name,
        "shortDescription": {"text": plain_text(rule.name)},
        **present(fullDescription=present(text=plain_text(rule.description.strip()))),
        "defaultConfiguration": {"level": severity.sarif_level},
        "properties": {
            "tags": list(rule.tags),
            "priority": rule.priority.title,
            "condition": rule.condition_text,
            "security-severity": severity.score,
        },
    }


def _invocation(context: ExportContext) -> _Object:
    """What was lost and what could not be asked stands beside the results."""
    notes = [{"level": "warning", "message": {"text": plain_text(note)}} for note in context.notes]
    return {"executionSuccessful": True, **present(toolExecutionNotifications=notes)}


def _artifact(path: Path) -> _Object:
    kind = _MEDIA_TYPE if path.suffix == CAPTURE_SUFFIX else None
    return {
        "location": {"uri": _uri(path)},
        "roles": ["analysisTarget"],
        **present(mimeType=kind),
    }


def _uri(path: Path) -> str:
    """The path as a reference: relative as it was given, or of this host."""
    return f"{'file://' if path.is_absolute() else ''}{quote(os.fsencode(path))}"


def _result(finding: Finding, places: dict[str, int], artifacts: dict[str, _Object]) -> _Object:
    alert = finding.alert
    event = f"event {alert.num}"
    return {
        "ruleId": finding.rule.name,
        "ruleIndex": places[finding.rule.name],
        "level": SEVERITIES[alert.priority].sarif_level,
        "message": {"text": plain_text(finding.message)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": artifacts[finding.capture]},
                "logicalLocations": [
                    {
                        "name": event,
                        "fullyQualifiedName": f"{finding.capture}: {event}",
                        "kind": "event",
                    }
                ],
            }
        ],
        "partialFingerprints": {"falcotraceAlert/v1": finding.uid},
        "properties": {"tags": list(alert.tags), "evt.num": alert.num, **_properties(finding)},
    }


def _properties(finding: Finding) -> _Object:
    row = flat_row(finding)
    return present(**{name: row[name] for name in row if name not in _SAID_ELSEWHERE})


def plain_text(text: str) -> str:
    r"""A text as a message: no placeholder (3.11.5) and no link (3.11.6) is made of what it says.

    Example:
        >>> print(plain_text("awk {print} [a](http://x)"))
        awk {{print}} [a]\(http://x)
    """
    doubled = for_terminal(text).replace("{", "{{").replace("}", "}}")
    return doubled.replace("](", "]\\(")
