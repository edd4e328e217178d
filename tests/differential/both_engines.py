"""Asks the engines the same rules of the same capture: replay, and both forms of SQL."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from falcotrace.capture.reader import open_capture
from falcotrace.engines.batch import DuckdbEngine
from falcotrace.engines.group_matches import GroupMatches
from falcotrace.engines.replay import ReplayEngine
from falcotrace.engines.sql import matches_sql
from falcotrace.rules.plan import Plan


def replay_matches(plan: Plan, path: Path) -> dict[str, list[int]]:
    """The events that each enabled rule matches, by replay."""
    with open_capture(path) as capture:
        return _by_rule(plan, ReplayEngine().match([capture], plan))


def batch_matches(plan: Plan, path: Path) -> dict[str, list[int]]:
    """The events that each enabled rule matches, by the queries that ask all rules at once."""
    with open_capture(path) as capture:
        return _by_rule(plan, DuckdbEngine().match([capture], plan))


def _by_rule(plan: Plan, groups: Iterator[GroupMatches]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {rule.name: [] for rule in plan.enabled}
    for group in groups:
        for place, num in zip(group.matches.rules, group.matches.nums, strict=True):
            found[plan.rules[place].name].append(int(num))
    return {name: sorted(numbers) for name, numbers in found.items()}


def sql_matches(plan: Plan, path: Path) -> dict[str, list[int]]:
    """The events that each enabled rule matches, by SQL."""
    connection = duckdb.connect()
    connection.execute("SET max_expression_depth TO 100000")
    return {
        rule.name: [num for (num,) in connection.execute(matches_sql(rule, [str(path)])).fetchall()]
        for rule in plan.enabled
    }


def differences(plan: Plan, path: Path) -> dict[str, tuple[list[int], list[int]]]:
    """Rules that the engines do not agree on: events of replay alone, and of SQL alone."""
    replay = replay_matches(plan, path)
    forms = (sql_matches(plan, path), batch_matches(plan, path))
    return {
        name: (sorted({*replay[name]} - {*sql[name]}), sorted({*sql[name]} - {*replay[name]}))
        for sql in forms
        for name in replay
        if replay[name] != sql[name]
    }
