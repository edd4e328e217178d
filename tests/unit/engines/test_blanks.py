"""Where a capture may lack events: its ends, its losses by class, and what it does not know."""

import numpy as np
import pytest

from falcotrace.capture.footer import Footer, Losses, LossInterval, Recording
from falcotrace.engines.blanks import HIGHEST_NS, LOWEST_NS, MANY, Blanks, blanks_of, coverage_of

FILES = frozenset({"openat"})
CONNECTIONS = frozenset({"connect"})
NO_LOSS = Losses(is_known=True, made_count=9)


def _spans(blanks: Blanks) -> list[tuple[int, int, int]]:
    columns = (blanks.from_ns, blanks.to_ns, blanks.counts)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _blanks(
    losses: Losses = NO_LOSS,
    events: frozenset[str] | None = FILES,
    recording: Recording | None = None,
    *,
    must_be_missing: bool = False,
) -> list[tuple[int, int, int]]:
    footer = Footer(losses=losses, recording=recording or Recording())
    coverage = coverage_of(footer, frozenset(), 100, 200)
    return _spans(blanks_of(coverage, events, must_be_missing=must_be_missing))


ENDS = [(LOWEST_NS, 99, MANY), (201, HIGHEST_NS, MANY)]
EVERYTHING = [(LOWEST_NS, HIGHEST_NS, MANY)]


def test_ends_are_those_of_the_recording() -> None:
    """A recording that began before its first event has nothing lacking in between."""
    assert _blanks() == ENDS
    recording = Recording(started_ns=50, ended_ns=300)
    assert _blanks(recording=recording) == [(LOWEST_NS, 49, MANY), (301, HIGHEST_NS, MANY)]


def test_losses_count_for_their_class_alone() -> None:
    """Files that were lost say nothing of connections; a class that nobody knows may be any."""
    intervals = [
        LossInterval(from_ns=110, to_ns=120, by_class={"files": 3, "network": 5}),
        LossInterval(from_ns=120, to_ns=130, by_class={"files": 2}),
        LossInterval(from_ns=150, to_ns=160, by_class={"tomorrow's": 1}),
    ]
    losses = Losses(is_known=True, made_count=99, lost_count=11, intervals=intervals)
    begin, end = ENDS
    assert _blanks(losses) == [begin, (110, 120, 3), (120, 130, 2), (150, 160, 1), end]
    assert _blanks(losses, CONNECTIONS) == [begin, (110, 120, 5), (150, 160, 1), end]
    assert _blanks(losses, None) == [begin, (110, 120, 8), (120, 130, 2), (150, 160, 1), end]


@pytest.mark.parametrize(
    "losses",
    [
        Losses(is_known=False),
        Losses(is_known=True, lost_count=3),
        Losses(is_told=False, incomplete={"the file ends within a block": 1}),
        Losses(is_known=True, incomplete={"calls not recorded, no memory for their thread": 1}),
    ],
)
def test_what_nobody_counted_is_everywhere(losses: Losses) -> None:
    """Without a time, or without an account, events may be lacking anywhere."""
    assert [(first, last) for first, last, _ in _blanks(losses)] == [(LOWEST_NS, HIGHEST_NS)]


def test_a_source_without_an_account_has_ends_alone() -> None:
    """A `.scap` file does not say what was lost; nobody takes it for a loss."""
    assert _blanks(Losses(is_told=False)) == ENDS


def test_what_was_never_recorded_counts_where_it_must_be_missing() -> None:
    """Of steps that must be there it is a gap, as for every rule."""
    recording = Recording(event_names=["connect"])
    assert _blanks(recording=recording, must_be_missing=True) == EVERYTHING
    assert _blanks(recording=recording) == ENDS
    assert _blanks(events=CONNECTIONS, recording=recording, must_be_missing=True) == ENDS


def test_footers_may_say_anything() -> None:
    """Spans that end before they begin are none, and times have 64 bits."""
    intervals = [LossInterval(from_ns=9, to_ns=3, by_class={"files": 1})]
    losses = Losses(is_known=True, lost_count=1, intervals=intervals)
    recording = Recording(started_ns=1 << 80, ended_ns=1 << 90)
    assert _blanks(losses, recording=recording)[0] == (LOWEST_NS, 99, MANY)


def test_how_many_may_be_lacking() -> None:
    """Both ends of a span count; what only touches a blank has a moment in common with it."""
    blanks = Blanks(np.array([10, 20]), np.array([20, 30]), np.array([2, 5]))
    firsts, lasts = np.array([0, 0, 20, 21, 31]), np.array([9, 10, 20, 30, 40])
    assert blanks.lacking(firsts, lasts).tolist() == [0, 2, 7, 5, 0]
    assert blanks.touch(firsts, lasts).tolist() == [False, True, True, True, False]
