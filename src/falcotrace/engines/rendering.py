"""Matches become alerts: templates are filled in from the columns of just the matching rows.

In: a row group as a source and some matches in it. Out: alerts. Nothing is evaluated here.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from falcotrace.alerts import Alert, FieldValue
from falcotrace.engines.base import MatchBatch
from falcotrace.engines.printing import json_values, printed_texts
from falcotrace.engines.row_set import RowSet, Source
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
    for index in np.unique(matches.rules).tolist():
        places = np.flatnonzero(matches.rules == index)
        rule = plan.rules[index]
        rows = RowSet(source, matches.rows[places])
        texts = _texts_by_operand(rule, rows)
        values = _values_by_text(rule, rows)
        for number, place in enumerate(places.tolist()):
            alerts[place] = Alert(
                rule=rule,
                num=int(matches.nums[place]),
                time_ns=int(matches.times_ns[place]),
                output=_render(rule, texts, number),
                output_fields={text: column[number] for text, column in values.items()},
                hostname=hostname,
                capture=capture,
                steps=steps.get((index, int(matches.nums[place])), ()),
            )
    return tuple(alert for alert in alerts if alert is not None)


def _render(rule: RulePlan, texts: Mapping[int, Sequence[str | None]], number: int) -> str:
    rendered = render_template(rule.output, lambda operand: texts[id(operand)][number])
    assert rendered is not None, "templates of rules print missing values"
    return rendered


def _texts_by_operand(rule: RulePlan, rows: RowSet) -> dict[int, list[str | None]]:
    """Printed texts by the identity of the operand, for hashing operands is slow."""
    return {
        id(part.operand): printed_texts(part.operand, rows.vector(shown_operand(part.operand)))
        for part in rule.output.parts
        if isinstance(part, TemplateField)
    }


def _values_by_text(rule: RulePlan, rows: RowSet) -> dict[str, Sequence[FieldValue]]:
    """Falco lists the fields inside a function, and the function's result as well."""
    values: dict[str, Sequence[FieldValue]] = {}
    for part in rule.output.parts:
        if not isinstance(part, TemplateField):
            continue
        for operand in (*iter_fields(part.operand), part.operand):
            if operand.text not in values:
                values[operand.text] = json_values(operand, rows.vector(shown_operand(operand)))
    return values


def shown_operand(operand: Operand) -> Operand:
    """What is printed for an operand (libs 48dfd53c, extract_single)."""
    if isinstance(operand, FieldOperand) and operand.argument is None:
        return _OWN.get(operand.field.name, operand)
    return operand
