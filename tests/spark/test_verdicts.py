"""Conditions in Spark have the verdicts of the tables, of Falco, and of replay."""

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from differential.both_engines import replay_matches
from differential.random_conditions import Conditions, random_events, rules_text
from differential.rows import NotStorableError, row_of
from falcotrace.engines.spark import SparkEngine
from falcotrace.engines.sql import condition_sql
from falcotrace.rules.load import RulesText, load_rules, parse_formula
from small_captures import write_capture
from spark.conditions import events_of, where_in_spark
from unit.engines.test_operator_vectors import load_vectors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVENTS = 60
CONDITIONS = 200


@pytest.fixture(params=["true", "false"], ids=["ANSI", "not ANSI"])
def session(engine: SparkEngine, request: pytest.FixtureRequest) -> "SparkSession":
    """A session that interprets: the code of hundreds of conditions takes minutes to compile."""
    session = engine.session.newSession()
    session.conf.set("spark.sql.ansi.enabled", request.param)
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    return session


def test_operator_vectors(session: "SparkSession", tmp_path: Path) -> None:
    """Every check of the table of operators has its verdict, and its negation the opposite."""
    cases = [
        (field, vector)
        for field, vector in load_vectors()
        if "sql" in vector.get("engines", ["replay", "sql"])
    ]
    path = tmp_path / "vectors.parquet"
    write_capture(path, [[row_of({field: vector["left"]}) for field, vector in cases]])
    checks = [f"{field} {vector['check']}" for field, vector in cases]
    formulas = [parse_formula(text) for check in checks for text in (check, f"not {check}")]
    found = events_of(session, path, [condition_sql(formula, "spark") for formula in formulas])
    wrong = [
        checks[place]
        for place, (_, vector) in enumerate(cases)
        for told, wanted in ((0, vector["verdict"]), (1, not vector["verdict"]))
        if (place + 1 in found[2 * place + told]) is not wanted
    ]
    assert len(cases) > 100
    assert wrong == []


def test_reference_cases(session: "SparkSession", shared: Path, tmp_path: Path) -> None:
    """Spark answers what Falco's own engine answered."""
    text = (shared / "spec" / "TEST_CASES.yaml").read_text(encoding="utf-8")
    document: dict[str, list[dict[str, Any]]] = yaml.load(text, yaml.CSafeLoader)
    cases: list[dict[str, Any]] = []
    rows: list[dict[str, object]] = []
    for case in document["condition_cases"]:
        if case["expect"] == "error":
            continue
        try:
            rows.append(row_of(case["event"]))
        except NotStorableError:
            continue
        cases.append(case)
    path = tmp_path / "cases.parquet"
    write_capture(path, [rows])
    conditions = [condition_sql(parse_formula(case["condition"]), "spark") for case in cases]
    found = events_of(session, path, conditions)
    wrong = [
        case["id"]
        for number, (case, events) in enumerate(zip(cases, found, strict=True), start=1)
        if (number in events) is not case["expect"]
    ]
    assert len(cases) > 230
    assert wrong == []


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), depth=st.integers(0, 3))
def test_random_conditions(session: "SparkSession", tmp_path: Path, seed: int, depth: int) -> None:
    """Conditions over all fields, operators and functions: no event tells Spark from replay."""
    chance = random.Random(seed)
    path = tmp_path / f"{seed}-{depth}.parquet"
    path.unlink(missing_ok=True)
    write_capture(path, [random_events(chance, EVENTS)])
    make = Conditions(chance)
    texts = [make.condition(depth) for _ in range(CONDITIONS)]
    ruleset = load_rules([RulesText(rules_text(texts))])
    ruleset.raise_if_invalid()
    replay = replay_matches(ruleset.plan, path)
    asked = [(rule, where_in_spark(rule)) for rule in ruleset.plan.enabled]
    printed = {rule.name: where for rule, where in asked if where is not None}
    found = dict(zip(printed, events_of(session, path, list(printed.values())), strict=True))
    different = {
        texts[int(name[1:])]: (replay[name], events)
        for name, events in found.items()
        if events != replay[name]
    }
    assert different == {}
    refused = [texts[int(rule.name[1:])] for rule, where in asked if where is None]
    assert len(refused) < CONDITIONS / 4, refused
