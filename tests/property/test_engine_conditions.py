"""The columnar engine against a reading of conditions one event at a time."""

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.evaluate import evaluate
from falcotrace.rules.load import parse_formula
from property.condition_strategies import CONDITIONS, EVENTS
from property.naive_conditions import holds


@settings(max_examples=400, deadline=None)
@given(condition=CONDITIONS, events=st.lists(EVENTS, max_size=12))
def test_engine_agrees_with_plain_reading(
    condition: str, events: Sequence[Mapping[str, object]]
) -> None:
    """Narrowing, sharing and tables of distinct values never change a verdict."""
    formula = parse_formula(condition)
    assert evaluate(condition, events) == [holds(formula, event) for event in events]


@settings(max_examples=100, deadline=None)
@given(condition=CONDITIONS, events=st.lists(EVENTS, min_size=1, max_size=6))
def test_negation_is_the_opposite(condition: str, events: Sequence[Mapping[str, object]]) -> None:
    """Logic is two-valued: `not` turns every verdict round, missing values or not."""
    verdicts = evaluate(condition, events)
    assert evaluate(f"not ({condition})", events) == [not verdict for verdict in verdicts]
