"""Rules about several events: what replay and SQL say is what a slow reading of the words says."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from differential.sequence_reference import (
    Found,
    Moment,
    Span,
    count_reference,
    sequence_reference,
)
from falcotrace.engines.batch.verdicts import judge_by_sql
from falcotrace.engines.blanks import HIGHEST_NS, LOWEST_NS, Blanks
from falcotrace.engines.correlations import judge_by_replay
from falcotrace.engines.moments import Moments, moment_schema, moments_of
from falcotrace.engines.verdicts import Verdicts
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import RulePlan

LAST = 24
"""Times are few, so that many are equal, and spans begin and end exactly at events."""

_CONNECTION = duckdb.connect()
_CONNECTION.execute("SET threads TO 1")
_BEGINNING = (LOWEST_NS, -1, 1 << 32)
_END = (LAST + 1, HIGHEST_NS, 1 << 32)


def _rule(text: str) -> RulePlan:
    written = f"[{{rule: r, desc: d, condition: evt.type=open, output: o, priority: INFO, {text}}}]"
    ruleset = load_rules([RulesText(written)])
    ruleset.raise_if_invalid()
    return ruleset.plan.rules[0]


def _moments(rule: RulePlan, told: Sequence[Moment]) -> Moments:
    correlation = rule.correlation
    assert correlation is not None
    schema = moment_schema(rule)
    columns: dict[str, list[object]] = {
        "step": [one.step for one in told],
        "num": [one.num for one in told],
        "time": [one.time for one in told],
        "birth": [one.birth for one in told],
        "value": [one.value for one in told],
    }
    for place in range(len(correlation.key)):
        columns[f"k{place}"] = [one.key[place] for one in told]
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return moments_of(pa.Table.from_arrays(arrays, schema=schema))


def _blanks(spans: Sequence[Span]) -> Blanks:
    columns = np.array(sorted(spans), np.int64).reshape(-1, 3)
    return Blanks(columns[:, 0].copy(), columns[:, 1].copy(), columns[:, 2].copy())


def _found(verdicts: Verdicts) -> Found:
    return Found(set(verdicts.alerts.tolist()), set(verdicts.unclear.tolist()))


@st.composite
def _spans(draw: st.DrawFn) -> list[Span]:
    """The ends of a capture, and losses in between that touch each other at most."""
    ends = sorted(draw(st.sets(st.integers(0, LAST), max_size=4)))
    losses = [
        (first, last, draw(st.sampled_from([1, 2, 1 << 32])))
        for first, last in zip(ends[::2], ends[1::2], strict=False)
    ]
    begin = [_BEGINNING] if draw(st.booleans()) else []
    end = [_END] if draw(st.booleans()) else []
    return [*begin, *losses, *end]


def _told(steps: int, *, births: bool) -> st.SearchStrategy[list[Moment]]:
    one = st.builds(
        Moment,
        step=st.integers(0, steps),
        time=st.integers(0, LAST),
        num=st.integers(0, 12),
        key=st.sampled_from([("a", ""), ("a", "1"), ("b", "1")]),
        birth=st.just(LOWEST_NS),
        value=st.sampled_from("xyz"),
    )
    told = st.lists(
        one, max_size=14, unique_by=lambda moment: (moment.step, moment.time, moment.num)
    )
    return told.map(_with_births) if births else told


def _with_births(told: list[Moment]) -> list[Moment]:
    """Each key is a process: it began at one time, not after its first event."""
    begun = {
        key: min(one.time for one in told if one.key == key) - len(key[1])
        for key in {one.key for one in told}
    }
    return [Moment(one.step, one.time, one.num, one.key, begun[one.key], one.value) for one in told]


@settings(max_examples=3000, deadline=None)
@given(
    told=st.booleans().flatmap(lambda births: _told(0, births=births)),
    blanks=_spans(),
    at_least=st.integers(2, 4),
    within=st.integers(1, 9),
    values=st.booleans(),
)
def test_counts(
    told: list[Moment], blanks: list[Span], at_least: int, within: int, *, values: bool
) -> None:
    """A count is reached, may be reached, or is not, for both engines as for the reference."""
    distinct = "distinct: fd.name, " if values else ""
    by = "[proc.name, proc.exe]"
    rule = _rule(f"count: {{at_least: {at_least}, {distinct}by: {by}, within: {within}ns}}")
    moments, spans = _moments(rule, told), [_blanks(blanks)]
    wanted = count_reference(told, at_least, within, blanks, values=values)
    assert _found(judge_by_replay(rule, moments, spans)) == wanted
    assert _found(judge_by_sql(_CONNECTION, rule, moments, spans)) == wanted


@st.composite
def _sequences(draw: st.DrawFn) -> tuple[tuple[int, int, int], int, list[list[Span]]]:
    shapes = [
        (1, 0, 0),
        (2, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (1, 1, 0),
        (2, 1, 1),
        (1, 2, 0),
        (1, 0, 1),
    ]
    steps = draw(st.sampled_from(shapes))
    within = draw(st.integers(1, 16))
    return steps, within, [draw(_spans()) for _ in range(sum(steps) + 1)]


@settings(max_examples=4000, deadline=None)
@given(data=st.data(), shape=_sequences(), births=st.booleans())
def test_sequences(
    data: st.DataObject, shape: tuple[tuple[int, int, int], int, list[list[Span]]], *, births: bool
) -> None:
    """Steps before, forbidden ones and ones behind are there, may be, or are not, likewise."""
    steps, within, blanks = shape
    told = data.draw(_told(sum(steps), births=births))
    names = ("after", "without", "unless_followed_by")
    lists = [
        f"{name}: [{', '.join(['{condition: evt.type=close}'] * count)}]"
        for name, count in zip(names, steps, strict=True)
        if count
    ]
    rule = _rule(f"sequence: {{by: [proc.name, proc.exe], within: {within}ns, {', '.join(lists)}}}")
    moments, spans = _moments(rule, told), [_blanks(one) for one in blanks]
    wanted = sequence_reference(told, within, steps, blanks)
    by_replay = judge_by_replay(rule, moments, spans)
    by_sql = judge_by_sql(_CONNECTION, rule, moments, spans)
    assert _found(by_replay) == wanted
    assert _found(by_sql) == wanted
    assert dict(zip(by_replay.alerts.tolist(), by_replay.steps, strict=True)) == dict(
        zip(by_sql.alerts.tolist(), by_sql.steps, strict=True)
    )
