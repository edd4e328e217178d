"""Alerts with their events: the right ones, from no more of a capture than they need."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

import falcotrace as ft
from falcotrace.alerts import Evidence
from falcotrace.capture.parquet.stored import StoredColumn
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.engines import picked_events
from falcotrace.engines.picked_events import EventFinder
from falcotrace.errors import CaptureError
from falcotrace.investigate import evidence
from falcotrace.investigate.evidence import EVIDENCE_COLUMNS, events_of_alerts
from falcotrace.rules.condition import load_columns
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.scap.importer import import_scap
from small_captures import Row, write_capture
from unit.scap.scenarios import Happening, capture_bytes, clones, executes, looks, opens, reads

COLUMNS = ("evt.num", "fd.name", "proc.name", "proc.aname")


def plan_of(condition: str) -> Plan:
    """A plan of one rule."""
    text = f"- {{rule: r, desc: d, condition: '{condition}', output: x, priority: INFO}}"
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    return ruleset.plan


def event(number: int, process: int = 0) -> Row:
    """An event of some process."""
    return {
        "evt.type": "openat",
        "fd.name": f"/tmp/{number}",
        "proc.name": f"p{process}",
        "proc.aname": ["bash", "init"],
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Five row groups of twelve events of three processes that take turns."""
    groups = [[event(12 * g + n, n % 3) for n in range(12)] for g in range(5)]
    write_capture(tmp_path / "c.parquet", groups).close()
    return tmp_path / "c.parquet"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[int, str]]:
    """How often each column of each row group is read."""
    counts: Counter[tuple[int, str]] = Counter()
    read, stored = Capture.read, Capture.stored

    def counted(self: Capture, row_group: int, paths: Sequence[str]) -> dict[str, pa.Array]:
        counts.update((row_group, path) for path in paths)
        return read(self, row_group, paths)

    def counted_as_stored(self: Capture, row_group: int, path: str) -> StoredColumn | None:
        found = stored(self, row_group, path)
        if found is not None:
            counts[row_group, path] += 1
        return found

    monkeypatch.setattr(Capture, "read", counted)
    monkeypatch.setattr(Capture, "stored", counted_as_stored)
    return counts


def found_by(capture: Capture, nums: Sequence[int]) -> list[dict[str, object]]:
    """What a finder gives for some numbers."""
    finder = EventFinder(capture, load_columns(COLUMNS))
    return [row for batch in finder.find(nums) for row in batch.to_pylist()]


@pytest.mark.parametrize("nums", [[], [1], [60], [13, 2, 13, 60, 24, 25], [0, 61, 99], [7, 8]])
def test_events_are_those_with_the_numbers(path: Path, nums: list[int]) -> None:
    """Each once, ascending; what is not there is left out."""
    with open_capture(path) as capture:
        found = found_by(capture, nums)
    known = sorted({num for num in nums if 1 <= num <= 60})
    assert [row["evt.num"] for row in found] == known
    assert [row["fd.name"] for row in found] == [f"/tmp/{num - 1}" for num in known]
    assert all(row["proc.aname"] == ["bash", "init"] for row in found)


def test_other_row_groups_are_not_read(path: Path, decoded: Counter[tuple[int, str]]) -> None:
    """Two events of one row group cost that one, wherever they stand."""
    with open_capture(path) as capture:
        found_by(capture, [25, 36])
    assert {group for group, _ in decoded} == {2}


def test_a_row_group_is_decoded_once(
    path: Path, decoded: Counter[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many portions its alerts come in: what evidence costs grows with the captures."""
    monkeypatch.setattr(evidence, "ROWS_PER_BATCH", 2)
    monkeypatch.setattr(picked_events, "ROWS_PER_BATCH", 2)
    with ft.open(path) as opened:
        batches = list(opened.scan(plan_of("evt.num > 0"), threads=1).batches())
        decoded.clear()
        found = list(events_of_alerts(batches, COLUMNS))
    assert [one.event["fd.name"] for one in found] == [f"/tmp/{n}" for n in range(60)]
    # The key is asked for by the events, by their states, and by what finds the first row of each.
    assert {path: count for (_, path), count in decoded.items()} == {
        "evt.num": 1,
        "fd.name": 1,
        "proc.key": 3,
        "proc.name": 1,
        "proc.aname": 1,
    }


def test_evidence_is_what_a_query_says(path: Path) -> None:
    """The columns of all formats have the values that `query` shows."""
    with ft.open(path) as opened:
        found = list(opened.scan(plan_of("fd.name endswith 3")).evidence())
        asked = list(opened.query("fd.name endswith 3", columns=EVIDENCE_COLUMNS))
    assert len(found) == 6
    assert [one.event for one in found] == asked


def test_rules_that_fire_on_one_event_share_it(tmp_path: Path) -> None:
    """Each alert has its own rule, and the same event."""
    write_capture(tmp_path / "c.parquet", [[event(0)]]).close()
    plan = load_rules(
        [
            RulesText(
                "- {rule: a, desc: d, condition: evt.type=openat, output: x, priority: INFO}\n"
                "- {rule: b, desc: d, condition: proc.name=p0, output: x, priority: INFO}\n"
            )
        ]
    ).plan
    with ft.open(tmp_path) as opened:
        first, second = opened.scan(plan).evidence()
    assert (first.alert.rule.name, second.alert.rule.name) == ("a", "b")
    assert first.event is second.event
    assert first.key == second.key == (tmp_path / "c.parquet", 1)


def test_captures_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    """Two folders with files of one name, and events of one number."""
    for folder, process in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        write_capture(tmp_path / folder / "c.parquet", [[event(0, process)]]).close()
    with ft.open([tmp_path / "a", tmp_path / "b"]) as opened:
        found = list(opened.scan(plan_of("evt.num > 0")).evidence())
    assert {one.key: one.event["proc.name"] for one in found} == {
        (tmp_path / "a" / "c.parquet", 1): "p1",
        (tmp_path / "b" / "c.parquet", 1): "p2",
    }


def test_an_alert_without_its_event(path: Path) -> None:
    """A capture that was replaced meanwhile is an error that says so, no wrong row."""
    with ft.open(path) as opened:
        (batch, *_) = opened.scan(plan_of("evt.num = 60")).batches()
    other = path.with_name("other.parquet")
    write_capture(other, [[event(0)]]).close()
    with open_capture(other) as capture, pytest.raises(CaptureError, match="event 60"):
        list(events_of_alerts([type(batch)(capture, batch.alerts)]))


def streamed_events(count: int) -> list[Happening]:
    """Events of a `.scap` file."""
    found = [looks(10), clones(10, 20)]
    for number in range(count):
        found += [opens(20, 3 + number, f"f{number}"), reads(20, 3 + number)]
    return [*found, executes(20), opens(20, 99, "/x")]


def shown(found: Sequence[Evidence]) -> list[tuple[object, ...]]:
    """What evidence says, without the file."""
    return [(one.alert.num, one.alert.rule.name, *map(str, one.event.values())) for one in found]


def test_streams_have_evidence_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.scap` file gives what its import gives, in portions, also from its beginning again."""
    source = tmp_path / "a.scap"
    source.write_bytes(capture_bytes(streamed_events(9)))
    made = tmp_path / "a.parquet"
    import_scap(source, made)
    plan = plan_of("evt.type in (openat, read)")
    monkeypatch.setattr(evidence, "ROWS_PER_BATCH", 4)
    with ft.open(source) as streamed, ft.open(made) as stored:
        batches = list(streamed.scan(plan).batches())
        first, again = (list(events_of_alerts(batches * 2)), list(events_of_alerts(batches)))
        imported = list(stored.scan(plan).evidence())
    assert len(imported) == 19
    assert shown(again) == shown(imported)
    assert shown(first) == shown(imported) * 2
