"""Where a capture may lack events: before its beginning, behind its end, and where some were lost.

In: a footer, and which events a step looks at. Out: spans of time, each with how many events of the
step it may lack at most. What a capture has is certain; of a blank nothing is, so rules about
several events have three truths. Only losses that say when they were bound anything: otherwise the
whole capture is one blank.
"""

import enum
from dataclasses import dataclass

import numpy as np

from falcotrace.capture.footer import Footer, Losses
from falcotrace.engines.vectors import Bools, Integers
from falcotrace.events.call_classes import class_name_of

LOWEST_NS, HIGHEST_NS = -(1 << 63), (1 << 63) - 1
MANY = 1 << 32
"""How many events a blank may lack that nobody counted; more than any rule asks for."""

_UNCOUNTED = "calls not recorded, no memory for their thread"
"""Lost calls among what is `incomplete`; nobody knows when, or what they were about."""


class Reason(enum.StrEnum):
    """Why nobody can say whether a rule fires."""

    LOSS = "events were lost within the span"
    BEGINNING = "the span reaches before the capture's beginning"
    END = "the span reaches behind the capture's end"
    UNRECORDED = "not all events that must be missing were recorded"
    TOO_MANY = "its steps hold for more events than can be kept: narrow their conditions"


@dataclass(frozen=True, slots=True, eq=False)
class Blanks:
    """Spans of time, sorted, of which none lies inside another.

    Attributes:
        from_ns: their beginnings, ns since the epoch; those of captures are `LOWEST_NS`.
        to_ns: their ends, which are inside.
        counts: how many events of the step each may lack, `MANY` where nobody counted.
    """

    from_ns: Integers
    to_ns: Integers
    counts: Integers

    def touch(self, first_ns: Integers, last_ns: Integers) -> Bools:
        """Which spans, ends included, have a moment in common with a blank."""
        touches: Bools = self.lacking(first_ns, last_ns) > 0
        return touches

    def lacking(self, first_ns: Integers, last_ns: Integers) -> Integers:
        """How many events may be lacking within spans, at most."""
        sums = np.zeros(len(self.counts) + 1, np.int64)
        np.cumsum(self.counts, out=sums[1:])
        begins = np.searchsorted(self.to_ns, first_ns, side="left")
        ends = np.searchsorted(self.from_ns, last_ns, side="right")
        lacking: Integers = sums.take(np.maximum(begins, ends)) - sums.take(begins)
        return lacking

    def latest(self, times_ns: Integers) -> tuple[Integers, Bools]:
        """For each time the latest moment of a blank up to it, and whether there is one."""
        places = np.searchsorted(self.from_ns, times_ns, side="right") - 1
        found = places >= 0
        ends = np.append(self.to_ns, LOWEST_NS).take(places, mode="wrap")
        return np.minimum(ends, times_ns), found


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a capture says of itself that rules about several events have to know.

    Attributes:
        footer: the capture's.
        first_ns: when it begins, ns since the epoch.
        last_ns: when it ends.
        knows_births: whether `proc.pid.ts` is when a process began, not when it was heard of first.
    """

    footer: Footer
    first_ns: int
    last_ns: int
    knows_births: bool


def coverage_of(
    footer: Footer, unrecorded: frozenset[str], first_event_ns: int, last_event_ns: int
) -> Coverage:
    """What is known of a capture with events from one time to another."""
    recording = footer.recording
    begins = [time for time in (recording.started_ns, recording.first_event_ns) if time > 0]
    return Coverage(
        footer=footer,
        first_ns=_clamped(min([first_event_ns, *begins])),
        last_ns=_clamped(max(last_event_ns, recording.ended_ns)),
        knows_births="proc.start" not in unrecorded,
    )


def blanks_of(
    coverage: Coverage, event_names: frozenset[str] | None, *, must_be_missing: bool = False
) -> Blanks:
    """Where a capture may lack events of some types.

    Args:
        coverage: of the capture.
        event_names: the types; None for all.
        must_be_missing: the rule fires where there is none, so what was never recorded is a blank
            as well. Of what must be there, that is said of the rule, as of any other.
    """
    if must_be_missing and is_unrecorded(coverage, event_names):
        return _blanks([(LOWEST_NS, HIGHEST_NS, MANY)])
    spans = [(LOWEST_NS, coverage.first_ns - 1, MANY), (coverage.last_ns + 1, HIGHEST_NS, MANY)]
    return _blanks([*spans, *loss_spans(coverage.footer.losses, event_names)])


def loss_blanks(coverage: Coverage, event_names: frozenset[str] | None) -> Blanks:
    """Where events of some types may have been lost, the capture's ends aside."""
    return _blanks(loss_spans(coverage.footer.losses, event_names))


def is_unrecorded(coverage: Coverage, event_names: frozenset[str] | None) -> bool:
    """Whether a capture was not to have all events of some types."""
    recorded = coverage.footer.recording.event_names
    if recorded is None:
        return False
    return event_names is None or not event_names <= set(recorded)


def loss_spans(losses: Losses, event_names: frozenset[str] | None) -> list[tuple[int, int, int]]:
    """When events of some types may have been lost: from, to, how many at most."""
    if losses.is_told and not losses.is_known:
        return [(LOWEST_NS, HIGHEST_NS, MANY)]
    if losses.incomplete.get(_UNCOUNTED) or (not losses.is_told and losses.incomplete):
        return [(LOWEST_NS, HIGHEST_NS, MANY)]
    if losses.lost_count and not losses.intervals:
        count = _relevant(losses.by_class, event_names) if losses.by_class else MANY
        return [(LOWEST_NS, HIGHEST_NS, count)]
    return [
        (_clamped(one.from_ns), _clamped(one.to_ns), _relevant(one.by_class, event_names))
        for one in losses.intervals
    ]


def _relevant(by_class: dict[str, int], event_names: frozenset[str] | None) -> int:
    """How many of the lost events may be of some types; a class of a newer version may."""
    if not by_class:
        return MANY
    wanted = None if event_names is None else {str(class_name_of(name)) for name in event_names}
    counts = (
        count
        for name, count in by_class.items()
        if wanted is None or name in wanted or name not in _KNOWN
    )
    return min(MANY, sum(max(0, count) for count in counts))


_KNOWN = frozenset(str(name) for name in type(class_name_of("read")))


def _blanks(spans: list[tuple[int, int, int]]) -> Blanks:
    """Sorted, those that overlap put together: readings of counters only touch each other."""
    joined: list[tuple[int, int, int]] = []
    for first, last, count in sorted(spans):
        if first > last or not count:
            continue
        if joined and first < joined[-1][1]:
            begin, end, before = joined.pop()
            joined.append((begin, max(end, last), min(MANY, before + count)))
        else:
            joined.append((first, last, count))
    columns = np.array(joined, np.int64).reshape(-1, 3)
    return Blanks(columns[:, 0].copy(), columns[:, 1].copy(), columns[:, 2].copy())


def _clamped(time_ns: int) -> int:
    """A time of a footer, which may say anything."""
    return max(LOWEST_NS + 1, min(time_ns, HIGHEST_NS - 1))
