"""The nearest misses: what a loop over events would count, in few lines whatever the size."""

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from falcotrace.explain import misses
from falcotrace.explain.event import explain_event
from falcotrace.explain.misses import Misses, find_misses
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import RulePlan
from small_captures import Row, write_capture

RULES = """
- macro: opened
  condition: evt.type in (open, openat) and fd.num >= 0
- rule: Secrets
  desc: d
  condition: >
    opened and fd.name startswith /etc/s and not proc.name in (cat, vi)
    and (user.uid = 0 or proc.pname = sudo) and not (fd.ip = 10.0.0.1 and proc.aname = cron)
  output: o
  priority: INFO
"""


def rule_of(text: str = RULES) -> RulePlan:
    """The only rule of a text."""
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    (rule,) = ruleset.plan.rules
    return rule


def events(rng: random.Random, count: int) -> list[Row]:
    """Events of few distinct values."""
    return [
        {
            "evt.type": rng.choice(["open", "openat", "close"]),
            "fd.num": rng.choice([None, 3, 4, -2]),
            "fd.name": rng.choice([None, "/etc/shadow", "/etc/ssh", "/tmp/x", "/x\x1b[2J"]),
            "fd.type": "ipv4",
            "fd.ip_left": rng.choice([None, "10.0.0.1", "10.0.0.2"]),
            "fd.ip_right": rng.choice([None, "10.0.0.1"]),
            "proc.pid": 5,
            "proc.name": rng.choice([None, "cat", "sh"]),
            "proc.pname": rng.choice(["sudo", "sh"]),
            "proc.aname": rng.choice([["cron"], ["sh", "cron"], ["init"]]),
            "user.uid": rng.choice([None, 0, 1000]),
        }
        for _ in range(count)
    ]


def listed(found: Misses) -> dict[tuple[object, ...], tuple[int, int]]:
    """Groups by what their events have in common: count and first number."""
    return {
        (miss.key.leaves, miss.key.process, miss.key.values): (miss.count, miss.first_num)
        for one in found.nearest
        for miss in one.nearest
    }


def test_groups_are_those_of_a_loop_over_events(tmp_path: Path) -> None:
    """Matches, distances, groups, counts and first events, over several row groups."""
    rng = random.Random(7)
    made = [events(rng, size) for size in (400, 1, 300)]
    rule = rule_of()
    with write_capture(tmp_path / "c.parquet", made) as capture:
        found = find_misses(capture, rule, limit=100_000)
        explained = [explain_event(capture, rule, num) for num in range(1, 702)]
    tried = [one for one in explained if one.is_tried]
    assert found.event_count == len(tried)
    assert found.match_count == sum(one.matches for one in tried) > 0
    assert found.first_matches == tuple([one.num for one in tried if one.matches][:5])
    distances = Counter(len(one.flips) for one in tried if not one.matches)
    assert dict(found.by_distance) == distances
    expected: dict[tuple[object, ...], tuple[int, int]] = {}
    for one in tried:
        if not one.matches:
            sides = [value for place in one.flips for value in one.results[place].values]
            values = tuple({side.field: side.text for side in sides}.values())
            count, first = expected.get((one.flips, one.process, values), (0, one.num))
            expected[one.flips, one.process, values] = (count + 1, first)
    assert listed(found) == expected
    assert found.is_complete
    sets = {one.leaves: one.count for one in found.nearest}
    assert sets == Counter(one.flips for one in tried if not one.matches)


def test_nearest_come_first_and_no_more_than_asked(tmp_path: Path) -> None:
    """A limit keeps the nearest groups, and of each set of checks the largest."""
    made = [events(random.Random(8), 500)]
    with write_capture(tmp_path / "c.parquet", made) as capture:
        every = find_misses(capture, rule_of(), limit=100_000)
        few = find_misses(capture, rule_of(), limit=5)
    distances = [len(one.leaves) for one in every.nearest for _ in one.nearest]
    kept = [len(one.leaves) for one in few.nearest for _ in one.nearest]
    assert kept == sorted(distances)[:5]
    largest = {one.leaves: one.nearest for one in every.nearest}
    assert all(one.nearest == largest[one.leaves][: len(one.nearest)] for one in few.nearest)
    assert few.by_distance == every.by_distance
    assert listed(few).items() <= listed(every).items()


@pytest.mark.parametrize("limits", [{"_MOST_OF_SET": 3}, {"_MOST_MISSES": 8}])
def test_what_is_not_kept_is_still_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Mapping[str, int]
) -> None:
    """Beyond the limits of memory groups are left out and it is said; sums stay exact."""
    made = [events(random.Random(9), 200), events(random.Random(10), 200)]
    with write_capture(tmp_path / "c.parquet", made) as capture:
        every = find_misses(capture, rule_of(), limit=4)
        for name, value in limits.items():
            monkeypatch.setattr(misses, name, value)
        some = find_misses(capture, rule_of(), limit=4)
    assert every.is_complete
    assert not some.is_complete
    assert some.by_distance == every.by_distance
    sums = {one.leaves: one.count for one in every.nearest}
    assert all(sums.get(one.leaves, one.count) == one.count for one in some.nearest)


def test_a_rare_set_of_checks_is_not_crowded_out(tmp_path: Path) -> None:
    """One event that fails another check is shown beside hundreds of values of the first."""
    common: Row = {"evt.type": "open", "fd.num": 3, "user.uid": 0, "proc.name": "sh"}
    many = [{**common, "fd.name": f"/tmp/{at // 3}"} for at in range(900)]
    rare: Row = {**common, "fd.name": "/etc/shadow", "proc.name": "vi"}
    with write_capture(tmp_path / "c.parquet", [[*many, rare]]) as capture:
        found = find_misses(capture, rule_of(), limit=10)
    assert [(one.count, len(one.nearest)) for one in found.nearest] == [(900, 9), (1, 1)]


def test_thousands_of_equal_misses_are_one_line(tmp_path: Path) -> None:
    """Equal misses of several row groups are one group with its first event."""
    row: Row = {"evt.type": "open", "fd.num": 3, "fd.name": "/tmp/x", "user.uid": 0}
    with write_capture(tmp_path / "c.parquet", [[row] * 3000, [row] * 2000]) as capture:
        found = find_misses(capture, rule_of())
    ((one,),) = (one.nearest for one in found.nearest)
    assert (one.count, one.first_num, one.key.values) == (5000, 1, ("/tmp/x",))


def test_a_rule_that_looks_at_nothing(tmp_path: Path) -> None:
    """Rules that never run have neither matches nor misses."""
    text = RULES.replace("opened and", "evt.type = open and evt.type = close and")
    with write_capture(tmp_path / "c.parquet", [events(random.Random(1), 10)]) as capture:
        found = find_misses(capture, rule_of(text))
    assert (found.event_count, found.by_distance, found.nearest) == (0, (), ())
