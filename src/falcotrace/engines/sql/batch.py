"""Many rules as few queries: some over the states of processes, one over the events.

In: rules of a plan. Out: SQL over the relations `states`, `kinds`, `gates`, `types` and `events`.
Asked one after the other, rules would read the captures again and again, and each would compare the
same names for every event. Here the states of processes are asked first, each once; an event is
looked at further only if its type and its state leave a rule that could match it.

    states   place, and columns of the process, nested as in a capture
    kinds    states that say the same are one; kind, places
    gates    what the queries make of them: for spans of rows of a file (file, first_row, last_row),
             by state (key) the rules that are possible (g0, g1 ..) and the truths that events ask
             for (b0, b1 ..), and what is known of the file (host_name, first_event_ns)
    list_0   texts of a long list (value)
    types    the rules that look at a type of event (t0, t1 ..)
    events   the rows of the captures
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.condition import truth_sql
from falcotrace.engines.sql.context import Context
from falcotrace.engines.sql.long_lists import LongLists, with_relations
from falcotrace.engines.sql.printer import print_sql
from falcotrace.engines.sql.split import (
    WORD_BITS,
    ProcessBits,
    bit_sql,
    event_sql,
    gate_of,
    word_sql,
)
from falcotrace.errors import UnsupportedError
from falcotrace.events.columns import COLUMNS
from falcotrace.rules.plan import RulePlan


@dataclass(frozen=True, slots=True)
class Batch:
    """Rules as queries.

    Attributes:
        rules: the rules in the order of their bits in `m0`, `m1` .., 62 a word.
        left_out: rules that SQL cannot express, and why.
        gate_queries: give kind and truths from `kinds`, first those of `rules`, then those that
            events ask for, which are numbered from 0 again.
        events_query: gives file, row, num, time, m0, m1 .. of events that some rule matches.
        state_columns: paths of the columns that `states` must have.
        lists: long lists of texts, by the names of their relations.
        types: for each type of event the words t0, t1 .. .
        event_names: types of events that some rule looks at; None for every type.
        words: how many numbers `m0`, `m1` .. there are.
    """

    rules: tuple[RulePlan, ...]
    left_out: tuple[tuple[RulePlan, str], ...]
    gate_queries: tuple[str, ...]
    events_query: str
    state_columns: tuple[str, ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    types: tuple[tuple[str, tuple[int, ...]], ...]
    event_names: frozenset[str] | None
    words: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A rule, what it asks of a state, and what it asks of an event that passed."""

    rule: RulePlan
    gate: exp.Expr
    condition: exp.Expr


def batch_of(rules: Iterable[RulePlan]) -> Batch:
    """Translate rules; those that can match no event are left out."""
    bits = ProcessBits()
    asked: list[_Asked] = []
    left_out: list[tuple[RulePlan, str]] = []
    for rule in rules:
        if rule.event_names == frozenset():
            continue
        try:
            asked.append(_asked(rule, bits))
        except UnsupportedError as error:
            left_out.append((rule, error.what))
    lists = LongLists()
    asked = [
        replace(item, condition=with_relations(item.condition, lists, "events")) for item in asked
    ]
    gates = [with_relations(item.gate, lists, "kinds") for item in asked]
    truths = [
        with_relations(truth_sql(formula, Context()), lists, "kinds") for formula in bits.places
    ]
    rules_asked = tuple(item.rule for item in asked)
    return Batch(
        rules=rules_asked,
        left_out=tuple(left_out),
        gate_queries=tuple(map(print_sql, _gate_queries([*gates, *truths]))),
        events_query=print_sql(_events_query(asked)),
        state_columns=_columns([*gates, *truths]),
        lists=tuple((name, texts) for texts, name in lists.names.items()),
        types=_types(rules_asked),
        event_names=_event_names(rules_asked),
        words=_word_count(len(asked)),
    )


def _asked(rule: RulePlan, bits: ProcessBits) -> _Asked:
    gate = gate_of(rule.condition)
    # First: a rule that cannot be expressed must leave no bits behind.
    gate_sql = build.truth(gate) if isinstance(gate, bool) else truth_sql(gate, Context())
    own = ProcessBits(dict(bits.places))
    condition = event_sql(rule.condition, Context((), rule.event_names, joins_gates=True), own)
    for formula in own.places:
        truth_sql(formula, Context())
    bits.places.update(own.places)
    return _Asked(rule, gate_sql, condition)


def _event_names(rules: Sequence[RulePlan]) -> frozenset[str] | None:
    names: set[str] = set()
    for rule in rules:
        if rule.event_names is None:
            return None
        names |= rule.event_names
    return frozenset(names)


def _types(rules: Sequence[RulePlan]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Which rules look at an event, by its type; the name NULL stands for any other type."""
    words: dict[str, list[int]] = {}
    named = sorted(set().union(*(rule.event_names or () for rule in rules)))
    for name in named:
        words[name] = [0] * _word_count(len(rules))
        for index, rule in enumerate(rules):
            if rule.event_names is None or name in rule.event_names:
                words[name][index // WORD_BITS] |= 1 << index % WORD_BITS
    return tuple((name, tuple(bits)) for name, bits in words.items())


def _columns(expressions: Iterable[exp.Expr]) -> tuple[str, ...]:
    paths = {
        ".".join(part.name for part in column.parts)
        for expression in expressions
        for column in expression.find_all(exp.Column)
    }
    return tuple(sorted(paths & COLUMNS.keys()))


def _word_count(bits: int) -> int:
    return -(-bits // WORD_BITS)


def _gate_queries(truths: Sequence[exp.Expr]) -> Iterator[exp.Expr]:
    for start in range(0, len(truths), _GATES_PER_QUERY):
        columns = [
            exp.alias_(truth, f"x{place}")
            for place, truth in enumerate(truths[start : start + _GATES_PER_QUERY], start)
        ]
        query = template("SELECT kind FROM kinds")
        assert isinstance(query, exp.Select)
        yield query.select(*columns, copy=False)


def _bit(truth: exp.Expr, place: int) -> exp.Expr:
    value = template("CAST(:value AS BIGINT)", value=build.number(1 << place))
    return exp.Case(ifs=[exp.If(this=truth, true=value)], default=build.number(0))


def _either(words: Sequence[exp.Expr]) -> exp.Expr:
    wrapped: list[exp.Expr] = [exp.Paren(this=word) for word in words]
    return functools.reduce(lambda one, other: exp.BitwiseOr(this=one, expression=other), wrapped)


_GATES_PER_QUERY = 16
"""DuckDB takes 1 s to begin a query with 200 of them, and 0.2 s for 13 queries."""

_EVENTS = """
SELECT file, "row", num, "time"
FROM (
    SELECT
        events.file_index AS file,
        events.file_row_number AS "row",
        events.evt.num AS num,
        events.evt."time" AS "time"
    FROM events
    JOIN gates
        ON gates.file = events.file_index
        AND gates."key" = events.proc."key"
        AND events.file_row_number BETWEEN gates.first_row AND gates.last_row
    LEFT JOIN types ON types.name = events.evt.type
    WHERE :is_candidate
)
WHERE :is_match
"""


def _events_query(asked: Sequence[_Asked]) -> exp.Expr:
    anything = [item.rule.event_names is None for item in asked]
    words = range(_word_count(len(asked)))
    candidates = [_candidates(word, anything) for word in words]
    query = template(
        _EVENTS,
        is_candidate=_any_bit(candidates),
        is_match=_any_bit([exp.column(f"m{word}") for word in words]),
    )
    names = _event_names([item.rule for item in asked])
    assert isinstance(query, exp.Select)
    inner = query.args["from_"].this.this
    assert isinstance(inner, exp.Select)
    if names is not None:
        inner.where(Context().is_event(names), append=True, copy=False)
    inner.select(*_matches(asked, candidates), copy=False)
    return query.select(*(exp.column(f"m{word}") for word in words), copy=False)


def _candidates(word: int, anything: Sequence[bool]) -> exp.Expr:
    """The rules that an event's type and its state leave."""
    part = anything[word * WORD_BITS : (word + 1) * WORD_BITS]
    of_any_type = sum(1 << place for place, is_any in enumerate(part) if is_any)
    named: exp.Expr = exp.column(f"t{word}", "types")
    # An event of a type that no rule names is not in the table.
    typed = build.call("coalesce", named, build.number(of_any_type))
    return exp.Paren(this=exp.BitwiseAnd(this=word_sql("gates.g", word), expression=typed))


def _any_bit(words: Sequence[exp.Expr]) -> exp.Expr:
    if not words:
        return build.truth(False)
    either = _either([word.copy() for word in words])
    return exp.NEQ(this=exp.Paren(this=either), expression=build.number(0))


def _matches(asked: Sequence[_Asked], candidates: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Numbers of which each bit is a rule that matches; no other condition is computed."""
    words: list[exp.Expr] = []
    for start in range(0, len(asked), WORD_BITS):
        candidate = candidates[len(words)]
        bits = [
            _matched(candidate, item.condition, place)
            for place, item in enumerate(asked[start : start + WORD_BITS])
        ]
        words.append(exp.alias_(_either(bits), f"m{len(words)}"))
    return words


def _matched(candidate: exp.Expr, condition: exp.Expr, place: int) -> exp.Expr:
    is_possible = bit_sql(candidate.copy(), place)
    return exp.Case(
        ifs=[exp.If(this=is_possible, true=_bit(condition, place))], default=build.number(0)
    )


def events_query(
    paths: Sequence[str],
    *,
    are_alike: bool,
    nums: tuple[int, int] | None = None,
    since_ns: int | None = None,
    until_ns: int | None = None,
) -> str:
    """The relation `events`: the rows of captures, with their file and their place in it.

    Args:
        paths: the files, numbered in this order from 0; none may look like a pattern.
        are_alike: whether all have the same columns; finding that out takes DuckDB a while.
        nums: the first and the last `evt.num` that is asked for.
        since_ns: leave out events before this time, ns since the epoch.
        until_ns: leave out events at this time and later.
    """
    num, time = build.column("evt.num"), build.column("evt.time")
    limits: list[exp.Expr] = []
    if nums is not None:
        limits.append(build.between(num, build.number(nums[0]), build.number(nums[1])))
    if since_ns is not None:
        limits.append(build.compare(exp.GTE, time, build.number(since_ns)))
    if until_ns is not None:
        limits.append(build.compare(exp.LT, time, build.number(until_ns)))
    files = build.array([build.text(path) for path in paths])
    by_name = exp.EQ(this=exp.to_identifier("union_by_name"), expression=build.truth(not are_alike))
    table = exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[files, by_name]))
    query = exp.Select(
        expressions=[exp.Star(), exp.column("file_index"), exp.column("file_row_number")],
        from_=exp.From(this=table),
    )
    if limits:
        query.set("where", exp.Where(this=build.all_of(limits)))
    return print_sql(query)
