"""All rules of a plan as one query of Spark: which rules match an event, as bits of numbers.

In: rules of a plan. Out: the columns to read, the types of events to look at, and an expression for
each number of bits. Rules that look at the same types of events are asked together, behind one look
at the type: most events are none of most rules' types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from falcotrace.engines.base import SYSCALL_SOURCE
from falcotrace.engines.sql.condition import where_sql
from falcotrace.engines.sql.context import ENGINE, Context
from falcotrace.engines.sql.printer import print_sql
from falcotrace.errors import UnsupportedError
from falcotrace.rules.plan import RulePlan

DIALECT = "spark"
BITS = 32
"""Rules in one number."""

_ALWAYS = ("evt.num", "evt.time", "evt.type")


@dataclass(frozen=True, slots=True)
class SparkQuery:
    """What Spark is asked.

    Attributes:
        columns: paths of the columns that are read, sorted.
        event_names: types of events that some rule looks at; None: any.
        words: an expression of Spark for each `BITS` rules, a bit for each that matches.
        places: the place in the plan of the rule behind each bit.
        refused: why a rule cannot be asked, by its place in the plan.
    """

    columns: tuple[str, ...]
    event_names: frozenset[str] | None
    words: tuple[str, ...]
    places: tuple[int, ...]
    refused: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Asked:
    place: int
    event_names: frozenset[str] | None
    tree: exp.Expr
    sql: str


def spark_query(rules: Sequence[RulePlan]) -> SparkQuery:
    """Ask for all matches of the enabled ones among the rules of a plan."""
    refused: dict[int, str] = {}
    asked: list[_Asked] = []
    for place, rule in enumerate(rules):
        if not rule.enabled or rule.event_names == frozenset():
            continue
        try:
            asked.append(_ask(place, rule))
        except UnsupportedError as error:
            refused[place] = str(error)
    asked.sort(key=lambda rule: (sorted(rule.event_names or ()), rule.place))
    names = [rule.event_names for rule in asked]
    known = [some for some in names if some is not None]
    return SparkQuery(
        columns=tuple(sorted({*_ALWAYS, *(path for rule in asked for path in _paths(rule.tree))})),
        event_names=frozenset().union(*known) if len(known) == len(names) else None,
        words=tuple(_word(asked[start : start + BITS]) for start in range(0, len(asked), BITS)),
        places=tuple(rule.place for rule in asked),
        refused=refused,
    )


def _ask(place: int, rule: RulePlan) -> _Asked:
    if rule.correlation is not None:
        raise UnsupportedError("a rule about several events", f"{ENGINE} ({DIALECT})")
    if rule.source != SYSCALL_SOURCE:
        raise UnsupportedError(f"rules about the event source {rule.source!r}", ENGINE)
    tree = where_sql(rule.condition, Context((), rule.event_names))
    return _Asked(place, rule.event_names, tree, print_sql(tree, DIALECT))


def _paths(tree: exp.Expr) -> set[str]:
    """Columns that an expression reads, variables of its functions left out."""
    found = {".".join(part.name for part in node.parts) for node in tree.find_all(exp.Column)}
    return {path for path in found if "." in path}


def _word(rules: Sequence[_Asked]) -> str:
    """The bits of some rules, those with the same types of events behind one look at the type."""
    groups: dict[frozenset[str] | None, list[str]] = {}
    for bit, rule in enumerate(rules):
        shown = f"CASE WHEN {rule.sql} THEN {1 << bit}L ELSE 0L END"
        groups.setdefault(rule.event_names, []).append(shown)
    return " | ".join(f"({_group(names, bits)})" for names, bits in groups.items())


def _group(names: frozenset[str] | None, bits: Sequence[str]) -> str:
    matched = " | ".join(bits)
    if names is None:
        return matched
    is_meant = print_sql(Context().is_event(names), DIALECT)
    return f"CASE WHEN {is_meant} THEN {matched} ELSE 0L END"


def event_filter(query: SparkQuery) -> str | None:
    """The condition that leaves the events that some rule looks at; None: all are."""
    if query.event_names is None:
        return None
    return print_sql(Context().is_event(query.event_names), DIALECT)
