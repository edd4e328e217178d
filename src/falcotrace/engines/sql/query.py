"""A rule as one readable query over captures, and its condition alone.

In: rules of a plan, and the path of a capture. Out: SQL text, or the expression behind it. Queries
are run elsewhere.
"""

import textwrap
from collections.abc import Sequence
from typing import assert_never

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.condition import truth_sql, where_sql
from falcotrace.engines.sql.context import ENGINE, Context
from falcotrace.engines.sql.derived_arguments import all_arguments
from falcotrace.engines.sql.operands import operand_sql
from falcotrace.engines.sql.printer import LINE_WIDTH, dialect_of, print_sql
from falcotrace.engines.sql.sequence_query import REMARK, with_verdicts
from falcotrace.engines.sql.values import (
    Ends,
    Items,
    Missing,
    PrintedNumber,
    Scalar,
    SqlOperand,
    StandIn,
)
from falcotrace.errors import UnsupportedError, escape_controls
from falcotrace.events.fields import Storage
from falcotrace.rules.collect import SYSCALL_SOURCE
from falcotrace.rules.plan import (
    FieldOperand,
    Formula,
    Operand,
    RulePlan,
    TemplateField,
    iter_atoms,
    iter_fields,
)

_SHOWN_ANYWAY = frozenset({"evt.num", "evt.time", "evt.datetime", "evt.rawtime", "evt.outputtime"})
"""Fields of outputs that say what the first two columns say."""


def rule_sql(rule: RulePlan, capture: str = "capture.parquet", dialect: str = "duckdb") -> str:
    """Print a rule as a query that a person can read and paste into a notebook.

    Args:
        rule: a rule of a plan.
        capture: the capture's path, as the query names it; a pattern reads several.
        dialect: of the SQL; one of `dialects.DIALECTS`.

    Raises:
        UnsupportedError: the dialect cannot express the rule; says what.
    """
    context = Context((capture,), rule.event_names)
    columns: list[exp.Expr] = [
        build.column("evt.num"),
        exp.alias_(build.call("make_timestamp_ns", build.column("evt.time")), "time"),
    ]
    hidden: list[str] = []
    for text, operand in _shown_operands(rule).items():
        try:
            value = operand_sql(operand, context)
            if isinstance(value, Missing):
                hidden.append(f"Not shown: {value.reason}.")
                continue
            shown = _shown(operand, value, rule)
            print_sql(shown, dialect)
        except UnsupportedError as error:
            hidden.append(f"Not shown: {error.what}.")
        else:
            columns.append(exp.alias_(shown, build.quoted(text)))
    query = print_sql(_query(rule, context, columns, dialect), dialect)
    around = [REMARK] if rule.correlation is not None else []
    remarks = [*_description(rule), *_never(rule), *hidden, *around, *_not_run(dialect)]
    return "\n".join([*(f"-- {line}" for line in _wrapped(remarks)), query]) + "\n"


def _shown(operand: Operand, value: SqlOperand, rule: RulePlan) -> exp.Expr:
    """What a column of the result shows: natural values, where Falco would print them."""
    if isinstance(operand, FieldOperand) and operand.field.source == "args":
        return all_arguments(rule.event_names)
    match value:
        case Scalar(stand_in=StandIn(stored=stored)):
            return (stored.printed or stored).expression.copy()
        case Scalar(printed=PrintedNumber(expression=number)):
            return number.copy()
        case Scalar() | Items():
            return value.expression.copy()
        case Ends() | Missing():
            return exp.null()
        case _:
            assert_never(value)


def condition_sql(formula: Formula, dialect: str = "duckdb") -> str:
    """Print a condition as an expression that is true or false and never NULL.

    Raises:
        UnsupportedError: the dialect cannot express the condition; says what.
    """
    return print_sql(truth_sql(formula, Context()), dialect)


def matches_sql(rule: RulePlan, captures: Sequence[str], dialect: str = "duckdb") -> str:
    """Print the query for nothing but `evt.num` of a rule's matches, in order.

    Raises:
        UnsupportedError: the dialect cannot express the rule; says what.
    """
    context = Context(tuple(captures), rule.event_names)
    if rule.correlation is not None:
        moments = template("SELECT DISTINCT moment FROM verdicts ORDER BY moment")
        return print_sql(with_verdicts(rule, captures, moments, dialect), dialect)
    return print_sql(_select(rule, context, [build.column("evt.num")]), dialect)


def _query(rule: RulePlan, context: Context, columns: Sequence[exp.Expr], dialect: str) -> exp.Expr:
    """The events that a rule fires on, with some columns."""
    if rule.correlation is None:
        return _select(rule, context, columns)
    query = template("SELECT verdicts.steps ORDER BY evt.num")
    assert isinstance(query, exp.Select)
    query.set("expressions", [*columns, *query.expressions])
    query.set("from_", exp.From(this=context.table()))
    verdicts = template("verdicts.moment = evt.num")
    query.join(exp.to_table("verdicts"), on=verdicts, copy=False)
    return with_verdicts(rule, context.paths, query, dialect)


def _select(rule: RulePlan, context: Context, columns: Sequence[exp.Expr]) -> exp.Expr:
    if rule.source != SYSCALL_SOURCE:
        raise UnsupportedError(f"rules about the event source {rule.source!r}", ENGINE)
    conditions = [where_sql(rule.condition, context)]
    if rule.event_names is not None:
        conditions.insert(0, Context().is_event(rule.event_names))
    where = build.all_of(conditions)
    query = exp.Select(
        expressions=list(columns),
        from_=exp.From(this=context.table()),
        order=exp.Order(expressions=[exp.Ordered(this=build.column("evt.num"))]),
    )
    if not (isinstance(where, exp.Boolean) and where.this):
        query.set("where", exp.Where(this=where))
    return query


def _shown_operands(rule: RulePlan) -> dict[str, Operand]:
    """What the output prints, by its name there."""
    return {
        part.text: part.operand
        for part in rule.output.parts
        if isinstance(part, TemplateField) and part.text not in _SHOWN_ANYWAY
    }


def _description(rule: RulePlan) -> list[str]:
    return [f"{rule.name} ({rule.priority.title})", " ".join(rule.description.split())]


def _not_run(dialect: str) -> list[str]:
    """What people must know of a query that no test of ours has run."""
    if dialect_of(dialect).is_run:
        return []
    return [f"Printed for {dialect} from its documentation and not run by FalcoTrace: check it."]


def _never(rule: RulePlan) -> list[str]:
    """Fields of the condition that never have a value: their checks are left out as false."""
    fields: dict[FieldOperand, None] = {}
    for atom in iter_atoms(rule.condition):
        for operand in (atom.left, atom.right):
            if operand is not None:
                fields.update(dict.fromkeys(iter_fields(operand)))
    names = sorted({field.text for field in fields if field.field.storage is Storage.NEVER})
    return [f"Checks of {name} are false: it never has a value in a capture." for name in names]


def _wrapped(paragraphs: Sequence[str]) -> list[str]:
    return [
        line
        for paragraph in paragraphs
        for line in textwrap.wrap(escape_controls(paragraph), LINE_WIDTH - 3)
    ]
