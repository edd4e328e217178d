"""Golden files of SQL: what conditions and rules print as; DuckDB accepts every one of them.

Each YAML document is one case: `title`, `in` (a condition) or `rules` (a rules file with one rule),
and the `sql` that it becomes, or `refused` with the reason. With FALCOTRACE_UPDATE_GOLDEN=1 in the
environment the expectations are written anew: read the diff.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from falcotrace.engines.sql import condition_sql, rule_sql
from falcotrace.errors import UnsupportedError
from falcotrace.rules.load import RulesText, load_rules, parse_formula
from small_captures import write_capture

HERE = Path(__file__).parent
UPDATES = os.environ.get("FALCOTRACE_UPDATE_GOLDEN") == "1"


def sql_of(case: Mapping[str, Any]) -> dict[str, str]:
    """What a case becomes."""
    try:
        if "in" in case:
            return {"sql": condition_sql(parse_formula(case["in"])) + "\n"}
        ruleset = load_rules([RulesText(case["rules"])])
        ruleset.raise_if_invalid()
        return {"sql": rule_sql(ruleset.plan.rules[-1])}
    except UnsupportedError as error:
        return {"refused": str(error)}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


@pytest.mark.parametrize("name", ["conditions", "rules"])
def test_sql_is_as_written(name: str) -> None:
    """Conditions and rules print as the SQL that a person approved."""
    path = HERE / f"{name}.yaml"
    cases = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    found = [
        {**{key: case[key] for key in ("title", "in", "rules") if key in case}, **sql_of(case)}
        for case in cases
    ]
    if UPDATES:
        text = yaml.dump_all(found, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
        path.write_text(text, encoding="utf-8")
    assert found == cases or UPDATES
    titles = [case["title"] for case in cases]
    assert len(titles) == len(set(titles))


DIALECTS = ("spark", "trino", "clickhouse")


def in_dialects(case: Mapping[str, Any]) -> dict[str, str]:
    """What a case becomes in each dialect, or why it does not."""
    printed = {}
    for dialect in DIALECTS:
        try:
            if "in" in case:
                printed[dialect] = condition_sql(parse_formula(case["in"]), dialect) + "\n"
            else:
                rule = load_rules([RulesText(case["rules"])]).plan.rules[-1]
                printed[dialect] = rule_sql(rule, dialect=dialect)
        except UnsupportedError as error:
            printed[dialect] = f"refused: {error}"
    return printed


def test_other_dialects_are_as_written() -> None:
    """Conditions and rules print for other engines as approved, or are refused by name."""
    path = HERE / "dialects.yaml"
    cases = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    found = [
        {
            **{key: case[key] for key in ("title", "in", "rules") if key in case},
            **in_dialects(case),
        }
        for case in cases
    ]
    if UPDATES:
        text = yaml.dump_all(found, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
        path.write_text(text, encoding="utf-8")
    assert found == cases or UPDATES


def test_duckdb_accepts_every_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden SQL is valid: DuckDB plans each query over a capture."""
    monkeypatch.chdir(tmp_path)
    write_capture(tmp_path / "capture.parquet", [[{"evt.type": "openat"}]])
    connection = duckdb.connect()
    for name in ("conditions", "rules"):
        for case in yaml.safe_load_all((HERE / f"{name}.yaml").read_text(encoding="utf-8")):
            if "sql" in case:
                query = case["sql"] if name == "rules" else _select(case["sql"])
                connection.execute(f"EXPLAIN {query}").fetchall()


def test_conditions_are_never_null(tmp_path: Path) -> None:
    """A condition by itself is true or false, also where every column is missing."""
    path = tmp_path / "capture.parquet"
    write_capture(path, [[{"evt.type": "openat"}]])
    connection = duckdb.connect()
    for case in yaml.safe_load_all((HERE / "conditions.yaml").read_text(encoding="utf-8")):
        if "sql" in case:
            query = _select(case["sql"]).replace("capture.parquet", str(path))
            assert connection.execute(query).fetchone() in {(True,), (False,)}, case["title"]


def _select(condition: str) -> str:
    return f"SELECT {condition} FROM 'capture.parquet'"
