"""Asks both engines the same rules of the same capture."""

from pathlib import Path

import duckdb

from falcotrace.capture.reader import open_capture
from falcotrace.engines.replay import ReplayEngine
from falcotrace.engines.sql import matches_sql
from falcotrace.rules.plan import Plan


def replay_matches(plan: Plan, path: Path) -> dict[str, list[int]]:
    """The events that each enabled rule matches, by replay."""
    found: dict[str, list[int]] = {rule.name: [] for rule in plan.enabled}
    with open_capture(path) as capture:
        for group in ReplayEngine().match([capture], plan):
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
    replay, sql = replay_matches(plan, path), sql_matches(plan, path)
    return {
        name: (sorted({*replay[name]} - {*sql[name]}), sorted({*sql[name]} - {*replay[name]}))
        for name in replay
        if replay[name] != sql[name]
    }
