"""Random conditions on random events: replay and SQL agree, whatever is missing."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from differential.both_engines import differences
from differential.random_conditions import Conditions, random_events, rules_text
from differential.rows import row_of
from falcotrace.engines.sql import condition_sql
from falcotrace.evaluate import evaluate
from falcotrace.rules.load import RulesText, load_rules, parse_formula
from property.condition_strategies import CONDITIONS, EVENTS
from small_captures import write_capture

EVENTS_PER_EXAMPLE = 50
CONDITIONS_PER_EXAMPLE = 30


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), depth=st.integers(0, 3))
def test_engines_agree_on_every_field(tmp_path: Path, seed: int, depth: int) -> None:
    """Conditions over all fields, operators and functions: no event tells the engines apart."""
    chance = random.Random(seed)
    path = tmp_path / f"{seed}-{depth}.parquet"
    path.unlink(missing_ok=True)
    write_capture(path, [random_events(chance, EVENTS_PER_EXAMPLE)])
    make = Conditions(chance)
    conditions = [make.condition(depth) for _ in range(CONDITIONS_PER_EXAMPLE)]
    ruleset = load_rules([RulesText(rules_text(conditions))])
    ruleset.raise_if_invalid()
    found = differences(ruleset.plan, path)
    assert {conditions[int(name[1:])]: numbers for name, numbers in found.items()} == {}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(condition=CONDITIONS, events=st.lists(EVENTS, min_size=1, max_size=12))
def test_sql_agrees_with_evaluate(
    tmp_path: Path, condition: str, events: Sequence[Mapping[str, object]]
) -> None:
    """SQL gives the verdicts that `evaluate` gives for events told by their fields."""
    told = [_storable(event) for event in events]
    path = tmp_path / "events.parquet"
    path.unlink(missing_ok=True)
    write_capture(path, [[row_of(event) for event in told]])
    sql = condition_sql(parse_formula(condition))
    query = f"SELECT {sql} FROM '{path}' ORDER BY evt.num"
    verdicts = [verdict for (verdict,) in duckdb.connect().execute(query).fetchall()]
    assert verdicts == evaluate(condition, told)


def _storable(event: Mapping[str, object]) -> dict[str, object]:
    """The event with one connection behind all fields that speak of one."""
    told = dict(event)
    told["fd.snet"] = told.get("fd.sip")
    told["fd.net"] = told.get("fd.ip")
    if told.get("fd.ip") is None or told.get("fd.port") is None:
        told.update({"fd.ip": None, "fd.net": None, "fd.port": None})
    return told
