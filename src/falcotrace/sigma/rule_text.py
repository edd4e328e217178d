"""A converted rule as an item of Falco's rules files.

In: a rule of Sigma and its condition in Falco's language. Out: YAML. Falco's rules have no keys for
an id, a status, authors and references: they end the description.
"""

import re
import textwrap
from collections.abc import Iterator

import yaml
from sigma.rule import SigmaLevel, SigmaRule, SigmaRuleTag

from falcotrace.errors import escape_controls
from falcotrace.rules.ast import And, Condition, Or
from falcotrace.rules.plan import Priority
from falcotrace.rules.printer import print_parseable
from falcotrace.sigma.convert import Conversion
from falcotrace.sigma.forms import CommandLine, Form, LogSource, Number, Text

_PRIORITIES = {
    SigmaLevel.INFORMATIONAL: Priority.INFORMATIONAL,
    SigmaLevel.LOW: Priority.NOTICE,
    SigmaLevel.MEDIUM: Priority.WARNING,
    SigmaLevel.HIGH: Priority.ERROR,
    SigmaLevel.CRITICAL: Priority.CRITICAL,
}
_UNLEVELLED = Priority.WARNING
"""Sigma's tools take a rule without a level for one of medium level."""

_PLACES = ("host", "container")
_ORIGIN = "sigma"
_WIDTH = 110


def print_rule(conversion: Conversion) -> str:
    """A rule that runs as an item of YAML.

    Raises:
        ValueError: the rule does not run.
    """
    rule, converted = conversion.rule, conversion.converted
    if rule is None or converted.condition is None or converted.source is None:
        raise ValueError(f"rule `{conversion.name}` does not run")
    tags = sorted({_ORIGIN, *_PLACES, *converted.source.tags, *map(_tag, rule.tags)})
    return "\n".join(
        (
            f"- rule: {_yaml(conversion.name)}",
            "  desc: >",
            *_wrapped(_description(rule, conversion)),
            "  condition: >",
            *(f"    {line}" for line in _condition_lines(converted.condition)),
            "  output: >",
            *_wrapped(_output(rule, conversion.name, converted.source)),
            f"  priority: {_priority(rule).name}",
            f"  tags: {_yaml(tags)}",
            "",
        )
    )


def _priority(rule: SigmaRule) -> Priority:
    return _UNLEVELLED if rule.level is None else _PRIORITIES[rule.level]


def _condition_lines(condition: Condition) -> Iterator[str]:
    """The parts of a condition, one to a line."""
    if not isinstance(condition, And | Or):
        yield print_parseable(condition)
        return
    word = "and" if isinstance(condition, And) else "or"
    for place, child in enumerate(condition.children):
        yield f"{word} {print_parseable(child)}" if place else print_parseable(child)


def _description(rule: SigmaRule, conversion: Conversion) -> str:
    facts = {
        "": f"Sigma rule {rule.id}" if rule.id else "Sigma rule",
        "status": str(rule.status or "").lower(),
        "author": rule.author or "",
        "references": " ".join(map(str, rule.references)),
        "false positives": "; ".join(map(str, rule.falsepositives)),
        "left out": "; ".join(conversion.converted.reasons),
        "note": "; ".join(conversion.converted.notes),
    }
    said = (f"{name}: {fact}" if name else fact for name, fact in facts.items() if fact)
    return f"{rule.description or rule.title}\n({', '.join(said)})"


def _output(rule: SigmaRule, name: str, source: LogSource) -> str:
    # Nothing stands for a percent sign in outputs.
    title = name.replace("%", "percent")
    shown_already = {"", *re.findall(r"%([a-z.]+)", source.output)}
    wanted = (_printed(source.views[0].fields.get(str(field))) for field in rule.fields)
    extra = dict.fromkeys(field for field in wanted if field not in shown_already)
    shown = " ".join(f"{field}=%{field}" for field in extra)
    return f"{title} | {source.output} {shown}".rstrip()


def _printed(form: Form | None) -> str:
    """What a field that the rule's author wants to see is printed as."""
    match form:
        case Text(field=field) | Number(field=field):
            return field
        case CommandLine():
            return "proc.exeline"
        case _:
            return ""


def _tag(tag: SigmaRuleTag) -> str:
    """A tag as the official rules of Falco write it: techniques by number, tactics by name."""
    if tag.namespace != "attack":
        return f"{tag.namespace}.{tag.name}"
    if tag.name[:1] in "tsgmc" and tag.name[1:2].isdigit():
        return tag.name.upper()
    if tag.name.startswith("ta") and tag.name[2:].isdigit():
        return tag.name.upper()
    return f"mitre_{tag.name.replace('-', '_')}"


def _yaml(value: str | list[str]) -> str:
    dumped = yaml.safe_dump(value, width=10**9, allow_unicode=True, default_flow_style=True)
    return dumped.removesuffix("\n").removesuffix("\n...")


def _wrapped(text: str) -> list[str]:
    words = " ".join(escape_controls(" ".join(text.split())).split())
    lines = textwrap.wrap(words, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"    {line}" for line in lines]
