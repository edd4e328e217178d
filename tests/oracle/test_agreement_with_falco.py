"""Agreement with Falco 0.44.1: the same captures, the same events, fields and alerts.

Differences that stay are listed in `accepted.tsv`. `compare.py` prints what these tests find.
"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from falcotrace.capture.reader import Capture
from oracle.alert_comparison import REJECTED, compare_documents
from oracle.falco_events import capture_of_events, read_json_lines
from oracle.falco_printing import printed
from oracle.field_comparison import compare_events
from oracle.imports import Comparison
from oracle.oracle_files import (
    EVENTS,
    PrintedEvents,
    capture_names,
    expected_sets,
    oracle_folder,
    printed_events,
)
from oracle.outcomes import (
    Acceptance,
    Difference,
    Kind,
    Outcome,
    no_longer_needed,
    read_acceptances,
    without_accepted,
)

ORACLE = oracle_folder()
TASKS = [(name, found) for name in capture_names(ORACLE) for found in expected_sets(ORACLE, name)]
RULES = [(name, rule_set) for name, rule_set in TASKS if rule_set != EVENTS]
WITH_EVENTS = [name for name, rule_set in TASKS if rule_set == EVENTS]

needs_importer = pytest.mark.skipif(
    importlib.util.find_spec("falcotrace.scap.importer") is None,
    reason="this FalcoTrace cannot import .scap files",
)


@pytest.fixture(scope="module")
def comparison(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Imports each capture once."""
    return Comparison(shared / "oracle", tmp_path_factory.mktemp("imports"))


def assert_agreement(outcome: Outcome) -> None:
    """Fail with the first differences that nobody has accepted."""
    rest = without_accepted(outcome, read_acceptances())
    counts = ", ".join(f"{rest.count(kind)} {kind}" for kind in Kind)
    first = "\n".join(str(found)[:400] for found in rest.differences[:5])
    assert not rest.differences, f"{outcome.same} same, {counts}\n{first}"


def test_there_is_something_to_compare(shared: Path) -> None:
    """A missing or empty folder does not pass for agreement."""
    assert RULES
    assert WITH_EVENTS


@needs_importer
@pytest.mark.parametrize(("name", "rule_set"), RULES, ids=map(".".join, RULES))
def test_alerts_are_those_of_falco(comparison: Comparison, name: str, rule_set: str) -> None:
    """On a capture that people have already, rules give the verdicts and texts that they know."""
    assert_agreement(comparison.outcome(name, rule_set))


@needs_importer
@pytest.mark.parametrize("name", WITH_EVENTS)
def test_fields_are_those_of_falco(comparison: Comparison, name: str) -> None:
    """Events that reach rules, their numbers and all of their fields are Falco's."""
    assert_agreement(comparison.outcome(name, EVENTS))


@pytest.mark.usefixtures("shared")
def test_conditions_that_falco_refuses_are_refused(comparison: Comparison) -> None:
    """Nobody writes rules here that cannot be used in Falco."""
    assert_agreement(comparison.outcome("-", REJECTED))


@needs_importer
def test_accepted_differences_still_occur(comparison: Comparison) -> None:
    """What agrees by now cannot part again unnoticed."""
    acceptances = read_acceptances()
    concerned = [
        comparison.outcome(name, rule_set)
        for name, rule_set in (*TASKS, ("-", REJECTED))
        if any(line.is_about(name, rule_set) for line in acceptances)
    ]
    idle = no_longer_needed(concerned, acceptances)
    assert not idle, "no longer needed in accepted.tsv"


def test_accepted_differences_have_reasons() -> None:
    """A difference is accepted for a reason that can be read."""
    assert [line for line in read_acceptances() if len(line.reason) < 10] == []


@pytest.fixture(scope="module")
def stand_in(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A capture made of what Falco printed, which therefore agrees with it."""
    events = read_json_lines(shared / "oracle" / "expected" / "t_unix.events.jsonl.gz")
    return capture_of_events(events, tmp_path_factory.mktemp("stand_in") / "t_unix.parquet")


@pytest.fixture(scope="module")
def expected(shared: Path) -> PrintedEvents:
    """What Falco printed about the same capture."""
    return printed_events(shared / "oracle", "t_unix")


NOT_STORED = {"evt.args", "evt.info", "proc.ppid.duration"}
"""Fields that the stand-in does not take over: times inside arguments, and a defect of Falco."""


def test_comparison_of_fields_finds_agreement(stand_in: Capture, expected: PrintedEvents) -> None:
    """The comparison has no differences of its own: printing, order and types are Falco's."""
    outcome = compare_events("t_unix", stand_in, expected)
    assert {found.subject for found in outcome.differences} == NOT_STORED
    assert outcome.same > len(expected.nums) * (len(expected.fields) - len(NOT_STORED))


def test_comparison_of_fields_finds_differences(stand_in: Capture, expected: PrintedEvents) -> None:
    """A wrong value and a wrong number of an event are found, and said with their events."""
    place = expected.fields.index("proc.name")
    wrong = expected.table.set_column(place, "proc.name", expected.table["proc.exe"])
    swapped = PrintedEvents(expected.nums + 1, wrong)
    found = compare_events("t_unix", stand_in, swapped, ["proc.name"]).differences
    assert {difference.kind for difference in found} == set(Kind)
    (first, *_) = (item for item in found if item.kind is Kind.DIFFERENT)
    assert first.falco != first.ours
    assert len(first.events) == min(first.count, 3)


def alert(rule: str, event: int, **fields: Any) -> dict[str, Any]:
    """An alert as Falco's JSON has it."""
    return {
        "hostname": "vm",
        "rule": rule,
        "output": str(fields),
        "output_fields": {"evt.time.iso8601": event, **fields},
    }


def test_comparison_of_alerts_tells_kinds_apart() -> None:
    """Missing, extra and different alerts are counted each for itself; the host is left out."""
    falco = [alert("a", 1, n=1), alert("a", 2, n=1), alert("b", 2)]
    ours = [{**alert("a", 1, n=1), "hostname": "pc"}, alert("a", 2, n=True), alert("c", 2)]
    outcome = compare_documents("x", "stable", falco, ours)
    assert outcome.same == 1
    assert {
        (found.kind, found.subject, found.falco, found.ours) for found in outcome.differences
    } == {
        (Kind.DIFFERENT, "a/n", "1", "true"),
        (Kind.MISSING, "b", "alert", ""),
        (Kind.EXTRA, "c", "", "alert"),
    }


def test_acceptance_covers_only_what_it_names() -> None:
    """One accepted value does not hide another of the same field."""
    line = Acceptance("*", EVENTS, "proc.aname[2]", "read", '"a*"', "null", "seen in the network")
    gone, *kept = (
        Difference(Kind.DIFFERENT, "proc.aname[2]", event, value, "null", 1, ())
        for event, value in (("read", '"ab"'), ("write", '"ab"'), ("read", '"b"'))
    )
    outcome = Outcome("x", EVENTS, 0, (gone, *kept))
    assert without_accepted(outcome, [line]).differences == tuple(kept)
    assert no_longer_needed([outcome], [line]) == ()
    assert no_longer_needed([Outcome("x", EVENTS, 0, tuple(kept))], [line]) == (line,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é", "plain é"),
        ("a\tb\n", "a\ufffdb\ufffd"),
        ("\x7f\x85\ufdd0\U0001ffff", "\ufffd" * 4),
        ("\U0010fee9\U0010feff", "\ufffd" * 2),
        (7, 7),
        (None, None),
    ],
)
def test_printing_replaces_what_falco_replaces(text: str | int | None, shown: object) -> None:
    """Texts are compared as Falco 0.44.1 prints them."""
    assert printed(text) == shown
