"""Rules run in DuckDB: numbers of events in order, from one capture or several."""

import dataclasses
from pathlib import Path

import pytest

from falcotrace.engines.duckdb import CaptureQueries, matches
from falcotrace.errors import CaptureError, UnsupportedError
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import RulePlan
from small_captures import write_capture


def rule(condition: str) -> RulePlan:
    """A rule with a condition."""
    text = f"- {{rule: r, desc: d, output: o, priority: INFO, condition: '{condition}'}}"
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    return ruleset.plan.rules[0]


def write(path: Path, *names: str | None, first: int = 1) -> Path:
    """A capture with an `open` by each of some processes."""
    rows = [
        {"evt.num": number, "evt.time": number, "evt.type": "open", "proc.name": name}
        for number, name in enumerate(names, start=first)
    ]
    write_capture(path, [rows])
    return path


def test_matches_in_order(tmp_path: Path) -> None:
    """Matches come by number, although a capture sorts its rows by process."""
    path = write(tmp_path / "c.parquet", "b", "a", None, "b", "a")
    assert matches(rule("evt.type = open and not proc.name = a"), [path]) == [1, 3, 4]


def test_only_events_of_the_rule(tmp_path: Path) -> None:
    """An event outside a rule's types never matches, even where the condition holds."""
    path = write(tmp_path / "c.parquet", "a")
    assert matches(rule("not evt.type = open"), [path]) == []


def test_several_captures_are_one(tmp_path: Path) -> None:
    """Rows of several captures are asked together, whatever the files are called."""
    one = write(tmp_path / "[1] it's.parquet", "a", "b")
    two = write(tmp_path / "two.capture", "b", "a", first=3)
    assert matches(rule("evt.type = open and proc.name = a"), [one, two]) == [1, 4]


@pytest.mark.parametrize("name", ["proc.parquet", "evt.parquet", "fd.parquet"])
def test_files_named_like_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """DuckDB names a table after its file; columns are found all the same."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name, "a")
    assert matches(rule("evt.type = open and proc.name = a and not fd.name = x"), [name]) == [1]


def test_fields_of_the_whole_capture(tmp_path: Path) -> None:
    """The host's name and the time since the first event are found beside the rows."""
    path = write(tmp_path / "c.parquet", "a", "a", "a")
    with CaptureQueries([path]) as queries:
        assert queries.matches(rule("evt.type = open and evt.hostname = web-1")) == [1, 2, 3]
        assert queries.matches(rule("evt.type = open and evt.reltime = 1")) == [2]


def test_fields_of_several_captures_are_refused(tmp_path: Path) -> None:
    """One name or beginning cannot stand for several: the rule is refused, not answered wrongly."""
    paths = [write(tmp_path / name, "a") for name in ("a.parquet", "b.parquet")]
    for condition in ("evt.hostname = web-1", "evt.reltime > 5"):
        with pytest.raises(UnsupportedError, match="the one capture"):
            matches(rule(f"evt.type = open and {condition}"), paths)
        with pytest.raises(UnsupportedError, match="the one capture"):
            matches(rule(f"evt.type = open and {condition}"), [tmp_path / "*.parquet"])


def test_other_event_source_is_refused(tmp_path: Path) -> None:
    """Captures hold system calls: a rule about a plugin's events is refused."""
    path = write(tmp_path / "c.parquet", "a")
    other = dataclasses.replace(rule("evt.type = open"), source="k8s_audit")
    with pytest.raises(UnsupportedError, match="k8s_audit"):
        matches(other, [path])


def test_missing_file(tmp_path: Path) -> None:
    """A capture that is not there is one clear error."""
    with pytest.raises(CaptureError, match=r"nothing\.parquet"):
        matches(rule("evt.type = open"), [tmp_path / "nothing.parquet"])
