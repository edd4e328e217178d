"""Matches become alerts: templates are filled in from the columns of just the matching rows.

In: a row group as a source and some matches in it. Out: alerts. Nothing is evaluated here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from falcotrace.alerts import Alert, FieldValue
from falcotrace.engines.base import MatchBatch
from falcotrace.engines.printing import json_values, printed_texts
from falcotrace.engines.row_set import RowSet, Source
from falcotrace.engines.vectors import Rows
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.output import render_template
from falcotrace.rules.plan import FieldOperand, Operand, Plan, RulePlan, TemplateField, iter_fields

_OWN = {
    "proc.apid": find_field("proc.pid", None),
    "proc.aenv": find_field("proc.env", None),
}
"""Fields of ancestors that print the process's own value without an index."""


def render_alerts(
    matches: MatchBatch,
    plan: Plan,
    source: Source,
    hostname: str,
    capture: str,
    steps: Mapping[tuple[int, int], tuple[int, ...]],
) -> tuple[Alert, ...]:
    """Make the alerts of some matches, in their order."""
    alerts: list[Alert | None] = [None] * len(matches)
    places_of = {
        index: np.flatnonzero(matches.rules == index) for index in np.unique(matches.rules).tolist()
    }
    printed = _print_operands(plan, places_of, RowSet(source, matches.rows))
    for index, places in places_of.items():
        rule = plan.rules[index]
        columns = {
            operand.text: printed[operand].values
            for part in _fields_of(rule)
            for operand in _listed(part)
        }
        # By identity, for hashing operands is slow.
        texts = {id(operand): printed[operand].texts for operand in _fields_of(rule)}
        for place in places.tolist():
            num = int(matches.nums[place])
            alerts[place] = Alert(
                rule=rule,
                num=num,
                time_ns=int(matches.times_ns[place]),
                output=_render(rule, texts, place),
                output_fields={text: column[place] for text, column in columns.items()},
                hostname=hostname,
                capture=capture,
                steps=steps.get((index, num), ()),
            )
    return tuple(alert for alert in alerts if alert is not None)


def _render(rule: RulePlan, texts: Mapping[int, Sequence[str | None]], place: int) -> str:
    rendered = render_template(rule.output, lambda operand: texts[id(operand)][place])
    assert rendered is not None, "templates of rules print missing values"
    return rendered


@dataclass(frozen=True, slots=True, eq=False)
class _Printed:
    """What an operand says of each match whose rule shows it; None of the others.

    Attributes:
        texts: as outputs print it.
        values: as JSON has it.
    """

    texts: list[str | None]
    values: list[FieldValue]


def _print_operands(
    plan: Plan, places_of: Mapping[int, Rows], rows: RowSet
) -> dict[Operand, _Printed]:
    """Rules show much the same fields, so each is asked once, for all rules that show it."""
    showing: dict[Operand, dict[int, Rows]] = {}
    for index, places in places_of.items():
        for part in _fields_of(plan.rules[index]):
            for operand in _listed(part):
                showing.setdefault(operand, {})[index] = places
    found = {}
    for operand, parts in showing.items():
        places = np.sort(np.concatenate([*parts.values()]))
        vector = rows.vector(shown_operand(operand), places)
        texts = printed_texts(operand, vector)
        values = json_values(operand, vector, texts)
        found[operand] = _Printed(*(_by_place(one, places, len(rows)) for one in (texts, values)))
    return found


def _by_place(values: Sequence[FieldValue], places: Rows, count: int) -> list[Any]:
    if len(values) == count:
        return list(values)
    found: list[FieldValue] = [None] * count
    for place, value in zip(places.tolist(), values, strict=True):
        found[place] = value
    return found


def _fields_of(rule: RulePlan) -> Iterator[Operand]:
    return (part.operand for part in rule.output.parts if isinstance(part, TemplateField))


def _listed(operand: Operand) -> Iterator[Operand]:
    """Falco lists the fields inside a function, and the function's result as well."""
    yield from iter_fields(operand)
    yield operand


def shown_operand(operand: Operand) -> Operand:
    """What is printed for an operand (libs 48dfd53c, extract_single)."""
    if isinstance(operand, FieldOperand) and operand.argument is None:
        return _OWN.get(operand.field.name, operand)
    return operand
