"""Rules on captures, both ways: replay and the SQL that people read find the same events."""

import dataclasses
import os
import random
from pathlib import Path

import duckdb
import pytest

from differential.both_engines import differences, replay_matches
from differential.random_conditions import random_events
from falcotrace.engines.sql import rule_sql
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Plan
from falcotrace.scap.importer import import_scap
from small_captures import write_capture

REPOSITORY = Path(__file__).parents[2]
OFFICIAL = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
IMPORTED = ("attack", "container", "sd_io", "t_udp_dns", "open-multiple-files")
MORE_CAPTURES = "FALCOTRACE_CAPTURES"
"""A folder of further captures to compare the engines on."""


def load(paths: list[Path]) -> Plan:
    """The plan of some rules files; rules that are off by default are run as well."""
    ruleset = load_rules(paths)
    ruleset.raise_if_invalid()
    return Plan(tuple(dataclasses.replace(rule, enabled=True) for rule in ruleset.plan.rules))


@pytest.fixture(scope="session")
def official(shared: Path) -> Plan:
    """Falco's official rules, all three files together."""
    return load([shared / "falco-rules" / name for name in OFFICIAL])


@pytest.fixture(scope="session")
def shipped() -> Plan:
    """The rules that come with FalcoTrace."""
    return load(sorted((REPOSITORY / "rules").glob("*.yaml")))


def captures() -> list[Path]:
    """Captures of the repository, and those of a folder that the environment names."""
    folders = [REPOSITORY / "captures"]
    if MORE_CAPTURES in os.environ:
        folders.append(Path(os.environ[MORE_CAPTURES]))
    return [path for folder in folders for path in sorted(folder.rglob("*.parquet"))]


@pytest.mark.parametrize("path", captures(), ids=lambda path: path.stem)
def test_engines_agree_on_captures(official: Plan, shipped: Plan, path: Path) -> None:
    """Every official and every shipped rule matches the same events of a recording both ways."""
    assert differences(official, path) == {}
    assert differences(shipped, path) == {}


@pytest.mark.parametrize("name", IMPORTED)
def test_engines_agree_on_imports(official: Plan, shared: Path, tmp_path: Path, name: str) -> None:
    """Official rules, and those that each test one operator or field, on imported captures."""
    (source,) = (shared / "oracle" / "captures").glob(f"{name}.scap*")
    path = tmp_path / f"{name}.parquet"
    import_scap(source, path)
    assert differences(official, path) == {}
    assert differences(load([shared / "oracle" / "rules" / "ops_rules.yaml"]), path) == {}


def test_engines_agree_on_made_up_events(official: Plan, shipped: Plan, tmp_path: Path) -> None:
    """Official and shipped rules match the same events among some that no kernel would send."""
    path = tmp_path / "made_up.parquet"
    write_capture(path, [random_events(random.Random(3), 3000)])
    assert differences(official, path) == {}
    assert differences(shipped, path) == {}
    assert sum(map(len, replay_matches(official, path).values())) > 0


def test_every_rule_prints(official: Plan, shipped: Plan, tmp_path: Path) -> None:
    """Every rule, enabled or not, prints as SQL that DuckDB plans."""
    write_capture(tmp_path / "capture.parquet", [[{"evt.type": "open"}]])
    connection = duckdb.connect()
    for rule in (*official.rules, *shipped.rules):
        query = rule_sql(rule, str(tmp_path / "capture.parquet"))
        connection.execute(f"EXPLAIN {query}").fetchall()
