"""The Python API: what `import falcotrace as ft` promises."""

import subprocess
import sys
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.capture.footer import Footer, Losses, LossInterval
from falcotrace.engines.base import RuleGap, describe_gap
from small_captures import write_capture

RULE = "- {rule: r, desc: d, condition: evt.type=openat, output: x, priority: INFO}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two captures, the later one first by name, and a rule."""
    row = {"evt.type": "openat", "proc.name": "vi"}
    write_capture(tmp_path / "a.parquet", [[{**row, "evt.time": 9_000, "evt.num": 5}]]).close()
    footer = Footer(losses=Losses(is_known=True, made_count=1))
    write_capture(tmp_path / "b.parquet", [[{**row, "evt.time": 1_000}]], footer).close()
    (tmp_path / "r.yaml").write_text(RULE)
    return tmp_path


@pytest.mark.parametrize(
    "first", ["falcotrace.rules.load", "falcotrace.api", "falcotrace.rules", "falcotrace.evaluate"]
)
def test_rules_is_the_function_whatever_was_imported_before(first: str) -> None:
    """`ft.rules` and the package `falcotrace.rules` share a name; the call always works."""
    code = f"import {first}; import falcotrace as ft; print(len(ft.rules().rules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 12


def test_every_public_name_is_there() -> None:
    """Lazy names cannot rot unnoticed."""
    assert all(getattr(ft, name) is not None for name in ft.__all__)
    assert len(ft.__all__) <= 15
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ft.nothing


@pytest.mark.parametrize("source", ["", "*.parquet", ["a.parquet", "b.parquet"]])
def test_captures_come_in_order_of_time(folder: Path, source: str | list[str]) -> None:
    """A folder, a glob or a list is one recording in order of time."""
    names = source if isinstance(source, list) else [source]
    with ft.open([folder / name for name in names]) as captures:
        assert [path.name for path in captures.paths] == ["b.parquet", "a.parquet"]
        alerts = list(captures.scan(ft.rules(folder / "r.yaml")))
    assert [alert.time_ns for alert in alerts] == [1_000, 9_000]
    assert [alert.capture for alert in alerts] == ["b.parquet", "a.parquet"]


def test_sql_sees_all_captures_as_one_view(folder: Path) -> None:
    """`events` is everything that was opened."""
    with ft.open(folder) as captures:
        answer = captures.sql("SELECT count(*), min(evt.time) FROM events").fetchall()
    assert answer == [(2, 1_000)]


def test_losses_are_told_for_each_capture(folder: Path) -> None:
    """One capture with unknown losses makes the whole answer incomplete."""
    with ft.open(folder) as captures:
        assert captures.has_losses
        assert captures.loss_notes == (
            "a.parquet: lost events: unknown: the counters could not be read",
        )
    with ft.open(folder / "b.parquet") as complete:
        assert not complete.has_losses


def test_a_scan_can_be_asked_twice(folder: Path) -> None:
    """A report is a view of the captures, not a spent iterator."""
    with ft.open(folder) as captures:
        report = captures.scan(ft.rules(folder / "r.yaml"))
        assert len(list(report)) == len(list(report)) == 2


def test_nothing_there_is_said(tmp_path: Path) -> None:
    """An empty folder and a glob without matches are errors, not empty answers."""
    with pytest.raises(ft.CaptureError, match=r"no \.parquet file"):
        ft.open(tmp_path)
    with pytest.raises(ft.CaptureError, match="no file matches"):
        ft.open(tmp_path / "*.parquet")


def test_bad_rules_raise_with_their_diagnostics(tmp_path: Path) -> None:
    """The exception carries places, not just a text."""
    path = tmp_path / "r.yaml"
    path.write_text(RULE.replace("evt.type=openat", "evt.tpe=openat"))
    with pytest.raises(ft.RulesError) as caught:
        ft.rules(path)
    assert caught.value.diagnostics[0].span is not None


def test_gaps_are_sentences(folder: Path) -> None:
    """Long lists of missing fields are cut; each field is named once."""
    rule = ft.rules(folder / "r.yaml").rules[0]
    fields = (*(f"container.mount.dest[{n}]" for n in range(9)), "a", "b", "c", "d")
    gap = RuleGap(rule, ("switch",), False, fields, (), False)
    assert describe_gap(gap) == (
        "rule `r` ran without the events switch and without values of container.mount.dest, a, b, "
        "c and 1 more, which this capture does not have"
    )


def test_alerts_near_lost_events_are_counted(folder: Path) -> None:
    """Whoever reads an alert must know that what led to it may be missing."""
    second = 1_000_000_000
    losses = Losses(
        is_known=True,
        made_count=9,
        lost_count=1,
        intervals=[LossInterval(from_ns=20 * second, to_ns=21 * second, by_class={"files": 1})],
    )
    times = [14, 15, 20, 26, 27]
    rows = [{"evt.type": "openat", "evt.time": time * second} for time in times]
    write_capture(folder / "c.parquet", [rows], Footer(losses=losses)).close()
    with ft.open(folder / "c.parquet") as capture:
        report = capture.scan(ft.rules(folder / "r.yaml"))
        assert len(list(report)) == 5
        assert report.near_losses == 3
        assert len(list(report)) == 5
        assert report.near_losses == 3
    done = subprocess.run(
        [
            *(sys.executable, "-m", "falcotrace", "scan", folder / "c.parquet"),
            *("-r", folder / "r.yaml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "note: 3 alerts lie within 5 s of lost events" in done.stderr
