"""Conditions asked ad hoc: the events of a scan with a rule, of SQL, and of nobody else."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import falcotrace as ft
from differential.random_conditions import Conditions, random_events, rules_text
from falcotrace.engines.sql import matches_sql
from falcotrace.rules.condition import load_condition
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.scap.importer import import_scap
from small_captures import write_capture

REPOSITORY = Path(__file__).parents[2]
CONDITIONS_PER_EXAMPLE = 15
PLAIN = (
    "proc.name=bash",
    "evt.type=execve and proc.name in (shells)",
    "evt.type in (open, openat, openat2) and fd.name startswith /etc and not evt.failed=true",
    "fd.ip != 127.0.0.1 and evt.type=connect",
    "proc.aname=sshd or proc.aname[2]=systemd",
    "not (proc.name=bash or evt.type=read)",
    "evt.arg.flags contains O_CREAT",
    "file_opened_for_reading and user.uid=0",
    "evt.failed=true",
)


def scanned(captures: ft.Captures, conditions: Sequence[str]) -> list[list[int]]:
    """The events of a scan with a rule for each condition."""
    shipped = REPOSITORY / "rules" / "00_common.yaml"
    ruleset = load_rules([shipped, RulesText(rules_text(conditions))])
    ruleset.raise_if_invalid()
    found: dict[str, list[int]] = {f"r{number}": [] for number in range(len(conditions))}
    for alert in captures.scan(ruleset.plan):
        if alert.rule.name in found:
            found[alert.rule.name].append(alert.num)
    return list(found.values())


def asked(captures: ft.Captures, conditions: Sequence[str]) -> list[list[object]]:
    """The events of queries, in their order."""
    return [
        [row["evt.num"] for row in captures.query(condition, columns="evt.num")]
        for condition in conditions
    ]


def by_sql(captures: ft.Captures, conditions: Sequence[str]) -> list[list[int]]:
    """The events of the conditions as SQL, asked of a confined database."""
    found = []
    with captures.database() as database:
        for condition in conditions:
            rule = load_condition(condition, [REPOSITORY / "rules"])
            answer = database.ask(matches_sql(rule, [str(path) for path in captures.paths]))
            assert answer is not None
            found.append([num for batch in answer.batches for num in batch.column(0).to_pylist()])
    return found


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), depth=st.integers(0, 3))
def test_random_conditions_ask_the_same_everywhere(tmp_path: Path, seed: int, depth: int) -> None:
    """Random conditions over random events in several row groups: query, scan and SQL agree."""
    chance = random.Random(seed)
    path = tmp_path / f"{seed}-{depth}.parquet"
    path.unlink(missing_ok=True)
    write_capture(path, [random_events(chance, 20) for _ in range(3)]).close()
    make = Conditions(chance)
    conditions = [make.condition(depth) for _ in range(CONDITIONS_PER_EXAMPLE)]
    with ft.open(path) as captures:
        found = asked(captures, conditions)
        assert found == scanned(captures, conditions)
        assert found == by_sql(captures, conditions)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32))
def test_every_field_can_be_shown_and_counted(tmp_path: Path, seed: int) -> None:
    """Random events: the columns of any field have one type, and counts are those of the rows."""
    chance = random.Random(seed)
    path = tmp_path / f"{seed}.parquet"
    path.unlink(missing_ok=True)
    write_capture(path, [random_events(chance, 30) for _ in range(2)]).close()
    with ft.open(path) as captures:
        query = captures.query("evt.num>0", columns=_some_columns(chance))
        table = query.arrow()
        assert table.schema == query.schema
        for name in query.columns:
            counted = captures.query("evt.num>0").count_by(name)
            values = Counter(map(repr, table[name].to_pylist()))
            found = {repr(row[name]): row["count"] for row in counted}
            assert found == values, name


def _some_columns(chance: random.Random) -> list[str]:
    from differential.random_conditions import reference, usable_fields
    from falcotrace.errors import RulesError
    from falcotrace.rules.condition import load_columns

    found: list[str] = []
    for field in chance.sample(usable_fields(), 30):
        try:
            found.append(load_columns(reference(chance, field))[0].text)
        except RulesError:
            continue
    return found


@pytest.mark.parametrize("name", ["first_light", "attack", "t_udp_dns"])
def test_conditions_on_captures(shared: Path, tmp_path: Path, name: str) -> None:
    """On recordings and imports: query, scan and SQL agree, and counts add up."""
    path = REPOSITORY / "captures" / f"{name}.parquet"
    if not path.exists():
        (source,) = (shared / "oracle" / "captures").glob(f"{name}.scap*")
        path = tmp_path / "imported.parquet"
        import_scap(source, path)
    with ft.open(path) as captures:
        found = asked(captures, PLAIN)
        assert found == scanned(captures, PLAIN)
        assert found == by_sql(captures, PLAIN)
        for condition, events in zip(PLAIN, found, strict=True):
            counts = captures.query(condition).count_by("evt.type", "proc.name", "proc.aname")
            assert counts.total == len(events)
            assert sum(int(str(row["count"])) for row in counts) == len(events)
    assert sum(map(len, found)) > 0
