"""A rule about several events as one query over a capture, for people and for tests.

In: a rule, and the conditions of its steps as SQL. Out: a query of which `moments` are the matches
of the steps, and the last step the verdicts. The capture is taken for all that happened: what its
ends and losses leave undetermined is said by a scan.
"""

from collections.abc import Sequence

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.condition import where_sql
from falcotrace.engines.sql.context import ENGINE, Context
from falcotrace.engines.sql.operands import operand_sql
from falcotrace.engines.sql.sequences import verdict_parts
from falcotrace.engines.sql.values import Scalar
from falcotrace.errors import UnsupportedError
from falcotrace.events.operators import ValueKind
from falcotrace.rules.plan import Formula, Operand, RulePlan
from falcotrace.rules.sequences import Count, Key

DIALECT = "duckdb"
"""The only one: others have no joins with the latest row before."""

REMARK = (
    "Takes the capture for all that happened: `falcotrace scan` says what its ends and lost events "
    "leave undetermined."
)


def with_verdicts(
    rule: RulePlan, captures: Sequence[str], query: exp.Expr, dialect: str
) -> exp.Expr:
    """Put the steps of a rule in front of a query that reads `verdicts`.

    Raises:
        UnsupportedError: the dialect cannot express it, or there are several captures.
    """
    correlation = rule.correlation
    assert correlation is not None
    if dialect != DIALECT:
        raise UnsupportedError("a rule about several events", f"{ENGINE} ({dialect})")
    Context(tuple(captures)).only_capture("a rule about several events")
    parts = [
        exp.CTE(this=template(text.strip()), alias=_alias(name))
        for name, text in verdict_parts(correlation, with_blanks=False)
    ]
    moments = exp.CTE(this=_moments(rule, captures), alias=_alias("moments"))
    query.set("with_", exp.With(expressions=[moments, *parts]))
    return query


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))


def _moments(rule: RulePlan, captures: Sequence[str]) -> exp.Expr:
    """The matches of all steps, one below the other."""
    correlation = rule.correlation
    assert correlation is not None
    distinct = correlation.distinct if isinstance(correlation, Count) else None
    found = [
        _step(rule.condition, rule.event_names, correlation.key, 0, captures, distinct),
        *(
            _step(step.condition, step.event_names, step.key, number, captures, None)
            for number, step in enumerate(correlation.steps, 1)
        ),
    ]
    query: exp.Expr = found[0]
    for other in found[1:]:
        query = exp.Union(this=query, expression=other, distinct=False)
    return query


def _step(
    condition: Formula,
    event_names: frozenset[str] | None,
    key: Key,
    number: int,
    captures: Sequence[str],
    distinct: Operand | None,
) -> exp.Select:
    context = Context(tuple(captures), event_names)
    values = [(_text(value.operand, context), value.is_optional) for value in key]
    required = [value for value, is_optional in values if not is_optional]
    parts = [
        build.call("coalesce", value, build.text("")) if is_optional else value
        for value, is_optional in values
    ]
    columns = [
        exp.alias_(build.column("evt.num"), "moment"),
        exp.alias_(build.number(number), "step"),
        build.column("evt.num"),
        build.column("evt.time"),
        exp.alias_(_joined(parts), "key"),
    ]
    if distinct is not None:
        counted = _text(distinct, context)
        columns.append(exp.alias_(counted, "value"))
        required.append(counted)
    conditions = [where_sql(condition, context), *map(build.is_present, required)]
    if event_names is not None:
        conditions.insert(0, Context().is_event(event_names))
    query = exp.Select(expressions=columns, from_=exp.From(this=context.table()))
    query.set("where", exp.Where(this=build.all_of(conditions)))
    return query


def _joined(parts: Sequence[exp.Expr]) -> exp.Expr:
    """One value that is equal where all parts are."""
    if not parts:
        return build.text("host")
    return parts[0].copy() if len(parts) == 1 else build.array([part.copy() for part in parts])


def _text(operand: Operand, context: Context) -> exp.Expr:
    """The value of an operand as a text, NULL where there is none."""
    value = operand_sql(operand, context)
    if not isinstance(value, Scalar):
        return exp.Cast(this=exp.null(), to=exp.DataType.build("text"))
    found = value.expression.copy()
    if value.null_is_false:
        found = build.or_false(found)
    if value.kind is ValueKind.TEXT:
        return found
    return exp.Cast(this=found, to=exp.DataType.build("text"))
