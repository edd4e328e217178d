"""Runs one case of the reference cases against the rules front end, and says what differs."""

from collections.abc import Mapping, Sequence
from typing import Any

from falcotrace.errors import RulesError, Severity
from falcotrace.events.text import to_text
from falcotrace.rules.ast import Transform
from falcotrace.rules.check import Checker
from falcotrace.rules.event_set import find_events
from falcotrace.rules.faults import Fault
from falcotrace.rules.load import Ruleset, RulesText, load_rules, parse_formula
from falcotrace.rules.output import parse_template, render_template
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.plan import Constant, FieldOperand, ListOperand, Operand, TransformOperand
from falcotrace.rules.read_rule import parse_priority
from falcotrace.rules.resolve import NO_MACROS, MacroResolver
from falcotrace.rules.source import TextSource
from falcotrace.rules.transforms import apply_transform

Case = Mapping[str, Any]


def load_case(case: Case) -> Ruleset:
    """Load the files of a loader case with the engine settings that it names."""
    texts = [RulesText(text, f"file{index}") for index, text in enumerate(case["files"], 1)]
    priority = parse_priority(case.get("min_priority", "debug"))
    assert priority is not None
    return load_rules(
        texts,
        min_priority=priority,
        extra_sources=case.get("extra_sources", ()),
        verify_plugins=False,
    )


def differences(case: Case) -> list[str]:
    """Compare a loader case with its expectation; empty if all is as expected."""
    expect = case["expect"]
    ruleset = load_case(case)
    found: list[str] = []
    verdict = "valid" if ruleset.ok else "invalid"
    if verdict != expect["verdict"]:
        found.append(f"verdict {verdict}: {[str(e) for e in ruleset.errors]}")
    if "failing_file" in expect and not ruleset.ok and len(ruleset.files) != expect["failing_file"]:
        found.append(f"failed in file {len(ruleset.files)}")
    for key, severity in (("errors", Severity.ERROR), ("warnings", Severity.WARNING)):
        want = _ordered([(m["file"], m["code"], tuple(m["at"])) for m in expect.get(key, ())])
        have = _ordered(_messages(ruleset, severity))
        if want != have:
            found.append(f"{key}: want {want}, have {have}")
    if ruleset.ok:
        enabled = len(ruleset.plan.enabled)
        if enabled != int(expect["enabled_rules"]):
            found.append(f"{enabled} rules enabled, not {expect['enabled_rules']}")
        found += _rule_differences(ruleset, expect.get("rules", ()))
    return found


def _ordered(messages: Sequence[tuple[int, str, tuple[str, ...]]]) -> list[Any]:
    return sorted((int(file), str(code), at) for file, code, at in messages)


def _messages(ruleset: Ruleset, severity: Severity) -> list[tuple[int, str, tuple[str, ...]]]:
    return [
        (number, str(item.code), tuple(str(link) for link in item.chain))
        for number, file in enumerate(ruleset.files, 1)
        for item in file.diagnostics
        if item.severity is severity
    ]


def _rule_differences(ruleset: Ruleset, expected: Sequence[Case]) -> list[str]:
    rules = {rule.name: rule for rule in ruleset.plan.rules}
    found = []
    for want in expected:
        rule = rules.get(want["name"])
        if rule is None:
            found.append(f"no rule {want['name']}")
            continue
        have = {
            "name": rule.name,
            "condition": rule.condition_text,
            "output": rule.output.text,
            "priority": rule.priority.title,
            "enabled": rule.enabled,
            "tags": list(rule.tags),
            "desc": rule.description,
            "capture": rule.capture,
            "capture_duration": rule.capture_duration_ms,
        }
        found += [
            f"{rule.name}: {key} is {have[key]!r}, not {value!r}"
            for key, value in want.items()
            if have[key] != value
        ]
    order = [rule["name"] for rule in expected]
    if order != [name for name in rules if name in order]:
        found.append(f"order {list(rules)}")
    return found


def failing_stage(condition: str) -> str | None:
    """Return `parse` or `compile`, the stage in which a condition fails; None if it is fine."""
    try:
        tree = MacroResolver().resolve(
            parse_condition(TextSource("case", condition)), NO_MACROS, set()
        )
    except Fault:
        return "parse"
    try:
        Checker().check(tree)
    except Fault:
        return "compile"
    return None


def rendered(case: Case) -> str:
    """Return what an output case prints, or `suppressed`, or `error`."""
    try:
        template = parse_template(TextSource("case", case["output"]), prints_missing=False)
    except Fault:
        return "error"
    line = render_template(template, lambda operand: _print(_evaluate(operand, case["event"])))
    return "suppressed" if line is None else line


def _evaluate(operand: Operand | Constant | ListOperand, event: Case) -> Any:
    match operand:
        case FieldOperand(text=text):
            value = event.get(text)
            return to_text(value.encode()) if isinstance(value, str) else value
        case Constant(value=value):
            return value
        case ListOperand(items=items):
            return [_evaluate(item, event) for item in items]
        case TransformOperand(function=function, arguments=arguments, argument=argument):
            assert function is not Transform.VAL
            values = [_evaluate(item, event) for item in arguments]
            return apply_transform(function, values, argument)


def _print(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"({','.join(value)})"
    return None if value is None else str(value)


def event_codes(condition: str) -> tuple[int, frozenset[str] | None] | None:
    """Return how many event codes a condition allows, and their names; None if it is refused."""
    try:
        events = find_events(parse_formula(condition))
    except RulesError:
        return None
    return events.code_count, events.names
