"""Reference cases of conditions: what Falco's own engine answered, asked of DuckDB."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from differential.rows import NotStorableError, row_of
from falcotrace.engines.sql import condition_sql
from falcotrace.rules.load import parse_formula
from small_captures import write_capture

NOT_STORABLE = frozenset({"n-rel", "n-u64-big", "n-u64-neg"})
"""Cases that give a computed field a value, or a number that no capture can hold."""


def test_sql_means_what_falco_means(
    shared: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Every case with a verdict gets it from SQL, but for values that no capture can hold."""
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
            assert case["id"] in NOT_STORABLE
            continue
        cases.append(case)
    assert len(cases) > 230
    path = tmp_path / "cases.parquet"
    write_capture(path, [rows])
    connection = duckdb.connect()
    for number, case in enumerate(cases, start=1):
        with subtests.test(case["id"], condition=case["condition"]):
            sql = condition_sql(parse_formula(case["condition"]))
            query = f"SELECT {sql} FROM '{path}' WHERE evt.num = {number}"
            assert connection.execute(query).fetchall() == [(case["expect"],)], case.get("note")
