"""What loading rules had to say, as plain data for `falcotrace rules check --json`.

The shape is part of the command's interface; nothing is printed here.
"""

from typing import TypedDict

from falcotrace.errors import Diagnostic
from falcotrace.rules.asked import asked_fields
from falcotrace.rules.load import Ruleset
from falcotrace.rules.plan import RulePlan
from falcotrace.rules.sequences import describe_correlation


class DiagnosticReport(TypedDict):
    """One error or warning; file, line and column are null where there is no place."""

    code: str
    message: str
    file: str | None
    line: int | None
    column: int | None
    at: list[str]
    help: str | None


class RuleReport(TypedDict):
    """One rule as it stands after all files."""

    name: str
    enabled: bool
    source: str
    priority: str
    condition: str
    output: str
    desc: str
    tags: list[str]
    capture: bool
    capture_duration: int
    event_types: list[str] | None
    fields: list[str]
    correlation: list[tuple[str, str]] | None


class Report(TypedDict):
    """The whole answer."""

    ok: bool
    errors: list[DiagnosticReport]
    warnings: list[DiagnosticReport]
    rules: list[RuleReport]


def report(ruleset: Ruleset) -> Report:
    """Describe a rule set."""
    return Report(
        ok=ruleset.ok,
        errors=[_describe(item) for item in ruleset.errors],
        warnings=[_describe(item) for item in ruleset.warnings],
        rules=[_describe_rule(rule) for rule in ruleset.plan.rules],
    )


def _describe(diagnostic: Diagnostic) -> DiagnosticReport:
    location = diagnostic.span.locate() if diagnostic.span is not None else None
    return DiagnosticReport(
        code=str(diagnostic.code),
        message=diagnostic.message,
        file=location.file if location else None,
        line=location.line if location else None,
        column=location.column if location else None,
        at=[str(link) for link in diagnostic.chain],
        help=diagnostic.help,
    )


def _describe_rule(rule: RulePlan) -> RuleReport:
    fields = (*asked_fields(rule), *rule.output_fields)
    correlation = None if rule.correlation is None else describe_correlation(rule.correlation)
    return RuleReport(
        name=rule.name,
        enabled=rule.enabled,
        source=rule.source,
        priority=rule.priority.title,
        condition=rule.condition_text,
        output=rule.output.text,
        desc=rule.description,
        tags=list(rule.tags),
        capture=rule.capture,
        capture_duration=rule.capture_duration_ms,
        event_types=None if rule.event_names is None else sorted(rule.event_names),
        fields=list(dict.fromkeys(field.text for field in fields)),
        correlation=correlation,
    )
