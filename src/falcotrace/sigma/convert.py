"""One Sigma rule as a rule of Falco, or the reason why it is none.

A log source may have several kinds of records (auditd's EXECVE, SYSCALL, PATH); a Sigma rule is
asked of one record. So its condition is made for each kind, with what that kind says filled in, and
the kinds that are left stand side by side under `or`.
"""

import dataclasses
import enum
from collections.abc import Iterator, Sequence

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.types import SigmaString, SigmaType

from falcotrace.errors import RulesError, Span
from falcotrace.rules.ast import Condition
from falcotrace.rules.event_set import MANY_CODES, find_events
from falcotrace.rules.load import parse_formula
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.printer import print_parseable
from falcotrace.rules.source import TextSource
from falcotrace.sigma.documents import SigmaDocument
from falcotrace.sigma.fields import ask
from falcotrace.sigma.forms import Choice, EitherText, Form, LogSource, Unanswerable, View
from falcotrace.sigma.logic import (
    Missing,
    Tree,
    all_of,
    any_of,
    finish,
    missing_reasons,
    not_of,
    settle,
)
from falcotrace.sigma.taxonomy import (
    LOG_SOURCES,
    PRODUCT,
    UNBOUND_EVENTS,
    UNBOUND_NOTE,
)
from falcotrace.sigma.values import Pattern, Wildcard, read_value


class Ending(enum.StrEnum):
    """What becomes of a rule."""

    RUN = "run"
    IN_PART = "run in part"
    NOT_RUN = "not run"


@dataclasses.dataclass(frozen=True, slots=True)
class ConvertedCondition:
    """What became of a rule's condition.

    Args:
        ending: whether it runs.
        condition: in Falco's language, if it runs.
        reasons: what is left out, or why it does not run.
        notes: what is read otherwise than Sigma means.
        source: the log source, if it runs.
    """

    ending: Ending
    condition: Condition | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: LogSource | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Conversion:
    """A rule and what became of it.

    Args:
        name: its name among Falco's rules.
        span: where its title stands.
        converted: its condition.
        rule: as pySigma read it, if it runs.
    """

    name: str
    span: Span
    converted: ConvertedCondition
    rule: SigmaRule | None = None


def convert_document(document: SigmaDocument, name: str) -> Conversion:
    """Convert one rule.

    Args:
        document: the rule.
        name: what it is called among Falco's rules.
    """
    if document.problem or not isinstance(document.rule, SigmaRule):
        return Conversion(name, document.span, _not_run(document.problem))
    try:
        converted = convert_rule(document.rule)
    except RecursionError:
        converted = _not_run("it is nested too deeply")
    return Conversion(name, document.span, converted, document.rule)


def convert_rule(rule: SigmaRule) -> ConvertedCondition:
    """Convert the condition of a rule."""
    source = _log_source(rule)
    if isinstance(source, str):
        return _not_run(source)
    try:
        conditions = [condition.parsed for condition in rule.detection.parsed_condition]
    except SigmaError as error:
        return _not_run(str(error))
    if not conditions or any(condition is None for condition in conditions):
        return _not_run("it has no condition")
    parts = [_convert_view(conditions, view) for view in source.views]
    lost = list(_foreign_records(conditions, source))
    return _checked(_put_together(parts, lost, source))


def _log_source(rule: SigmaRule) -> LogSource | str:
    """The rule's log source, or why captures do not stand for it."""
    given = rule.logsource
    if rule.taxonomy != "sigma":
        return f"its fields are those of the taxonomy `{rule.taxonomy}`"
    if given.product not in {None, PRODUCT}:
        return f"it is about {given.product}"
    found = LOG_SOURCES.get((given.category or "", given.service or ""))
    if found is not None:
        return found
    named = given.service or given.category
    if named:
        return f"its log source is `{named}`, which a capture of system calls does not hold"
    return "it searches the messages of any log, which a capture of system calls does not hold"


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """What one kind of record makes of a rule."""

    tree: Tree
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_unbound: bool = False


def _convert_view(conditions: Sequence[object], view: View) -> _Part:
    notes: dict[str, None] = {}
    whole = any_of(_tree(condition, view, notes) for condition in conditions)
    settled = settle(whole)
    if settled is False:
        return _Part(False, missing_reasons(whole))
    events: Tree = parse_condition(_text(view.events)) if view.events else True
    asked = all_of((events, settled))
    is_unbound = False
    if not view.events and (asked is True or _looks_everywhere(asked)):
        is_unbound = True
        asked = all_of((parse_condition(_text(UNBOUND_EVENTS)), settled))
    return _Part(asked, missing_reasons(whole), tuple(notes), is_unbound)


def _looks_everywhere(tree: Tree) -> bool:
    events = find_events(parse_formula(print_parseable(finish(tree))))
    return events.names is None or events.code_count > MANY_CODES


def _put_together(
    parts: Sequence[_Part], lost: Sequence[str], source: LogSource
) -> ConvertedCondition:
    kept = [part for part in parts if part.tree is not False]
    reasons = tuple(dict.fromkeys((*(r for part in parts for r in part.reasons), *lost)))
    if not kept:
        return _not_run(*(reasons or ("no event has all that it asks for",)))
    if any(part.is_unbound for part in kept):
        reasons = (*reasons, UNBOUND_NOTE)
    return ConvertedCondition(
        Ending.IN_PART if reasons else Ending.RUN,
        finish(any_of(part.tree for part in kept)),
        reasons,
        tuple(dict.fromkeys(note for part in kept for note in part.notes)),
        source,
    )


def _checked(converted: ConvertedCondition) -> ConvertedCondition:
    """Let the checker of Falco's rules look at a condition, so that one rule spoils no others."""
    if converted.condition is None:
        return converted
    try:
        parse_formula(print_parseable(converted.condition))
    except RulesError as error:
        return _not_run(f"Falco's language does not take it: {error.diagnostics[0].message}")
    return converted


def _not_run(*reasons: str) -> ConvertedCondition:
    return ConvertedCondition(Ending.NOT_RUN, reasons=reasons or ("it cannot be read",))


def _tree(condition: object, view: View, notes: dict[str, None]) -> Tree:
    """A condition of pySigma's for one kind of record."""
    match condition:
        case ConditionAND(args=children):
            return all_of(_tree(child, view, notes) for child in children)
        case ConditionOR(args=children):
            return any_of(_tree(child, view, notes) for child in children)
        case ConditionNOT(args=children):
            return not_of(_tree(children[0], view, notes))
        case ConditionFieldEqualsValueExpression(field=field, value=value):
            return _ask(field, _form(field, view, notes), value, view)
        case ConditionValueExpression(value=value):
            return _ask_keyword(value, view)
        case _:
            return Missing("a part of the condition is of an unknown kind")


def _form(field: str, view: View, notes: dict[str, None]) -> Form:
    form = view.fields.get(field)
    if form is None:
        return Unanswerable("is a field that captures do not have")
    if isinstance(form, EitherText):
        notes[f"`{field}` {form.note}"] = None
    return form


def _ask(field: str, form: Form, value: SigmaType, view: View) -> Tree:
    return any_of(ask(field, form, test, view.fields) for test in read_value(value))


def _ask_keyword(value: SigmaType, view: View) -> Tree:
    if view.keywords is None:
        return Missing("words without a field are searched in messages, which captures do not hold")
    around = (Wildcard.ANY,)
    found: list[Tree] = []
    for test in read_value(value):
        asked = test
        if isinstance(test, Pattern):
            start = () if test.parts[:1] == around else around
            end = () if test.parts[-1:] == around else around
            asked = dataclasses.replace(test, parts=(*start, *test.parts, *end))
        found.append(ask("keywords", view.keywords, asked, view.fields))
    return any_of(found)


def _foreign_records(conditions: Sequence[object], source: LogSource) -> Iterator[str]:
    """Kinds of records that a rule also asks for and that no system call stands for."""
    known = {
        name
        for view in source.views
        for form in (view.fields.get(source.record_field),)
        for name in getattr(form, "conditions", ())
    }
    tests = list(_field_tests(conditions))
    for name in dict.fromkeys(_plain_texts(tests, source.record_field)):
        if name.upper() in known:
            continue
        reason = f"{source.record_field} {name} is written by programs, not by a system call"
        forms: dict[str, Form] = dict.fromkeys((each.field for each in tests), Unanswerable(reason))
        view = View("", forms | {source.record_field: Choice({name: ""})})
        if any_of(_tree(each, view, {}) for each in conditions) is not False:
            yield reason


def _field_tests(conditions: Sequence[object]) -> Iterator[ConditionFieldEqualsValueExpression]:
    pending = list(reversed(conditions))
    while pending:
        node = pending.pop()
        if isinstance(node, ConditionFieldEqualsValueExpression):
            yield node
        elif isinstance(node, ConditionItem):
            pending += reversed(node.args)


def _plain_texts(tests: Sequence[ConditionFieldEqualsValueExpression], field: str) -> Iterator[str]:
    for each in tests:
        value = each.value
        if each.field == field and isinstance(value, SigmaString) and not value.contains_special():
            yield str(value)


def _text(condition: str) -> TextSource:
    return TextSource("<sigma>", condition)
