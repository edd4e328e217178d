"""What rules about several events mean, event by event and as slowly as can be.

In: moments as Python tuples, and blanks as spans. Out: the moments that a rule fires for, and those
for which nobody can say. Nothing is shared with the engines: what may have been lost is put among
the events wherever it could stand, and every chain is tried.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

Span = tuple[int, int, int]
"""From, to (inside), and how many events may be lacking."""


@dataclass(frozen=True)
class Moment:
    """A match of a step; `num` tells moments of one time apart."""

    step: int
    time: int
    num: int
    key: tuple[str, ...]
    birth: int = -(1 << 63)
    value: str = ""

    @property
    def order(self) -> tuple[int, int, int]:
        """Where it stands; what may have been lost stands before an event."""
        return (self.time, self.num, 1)


@dataclass(frozen=True)
class Found:
    """The moments that a rule fires for, and those for which nobody can say, by their place."""

    alerts: set[int]
    unclear: set[int]


def count_reference(
    moments: Sequence[Moment], at_least: int, within: int, blanks: Sequence[Span], *, values: bool
) -> Found:
    """`count` of rules."""
    alerts: set[int] = set()
    unclear: set[int] = set()
    was: dict[tuple[str, ...], tuple[bool, bool]] = {}
    for place in sorted(range(len(moments)), key=lambda place: moments[place].order):
        one = moments[place]
        window = [
            other
            for other in moments
            if other.key == one.key and other.order <= one.order and one.time - other.time <= within
        ]
        count = len({other.value for other in window}) if values else len(window)
        since = min(max(one.time - within, one.birth), one.time)
        lacking = sum(lost for first, last, lost in blanks if last >= since and first <= one.time)
        is_reached = count >= at_least
        may_be = not is_reached and count + lacking >= at_least
        was_reached, might_be = was.get(one.key, (False, False))
        if is_reached and not was_reached:
            alerts.add(place)
        if may_be and not might_be:
            unclear.add(place)
        was[one.key] = (is_reached, may_be)
    return Found(alerts, unclear)


def sequence_reference(
    moments: Sequence[Moment],
    within: int,
    steps: tuple[int, int, int],
    blanks: Sequence[Sequence[Span]],
) -> Found:
    """`sequence` of rules; `steps` are how many there are after, without, and not followed by."""
    after, without, behind = steps
    own = [place for place, one in enumerate(moments) if one.step == 0]
    negative = range(after + 1, after + without + 1)
    following = range(after + without + 1, after + without + behind + 1)
    alerts: set[int] = set()
    unclear: set[int] = set()
    for place in own:
        event = moments[place]
        since, until = event.time - within, event.time + within
        same = [one for one in moments if one.key == event.key]
        is_followed = any(
            one.step in following and one.order > event.order and one.time <= until for one in same
        )
        if is_followed:
            continue
        known = [[one.order for one in same if one.step == step] for step in range(1, after + 1)]
        before = [one.order for one in same if one.step in negative and one.order < event.order]
        certain = any(
            not any(begin < other for other in before)
            and not _touch(blanks, negative, max(begin[0], event.birth), event.time)
            and not _touch(blanks, following, event.time, until)
            for begin in _begins(known, event.order, since)
        )
        lost = [
            [*orders, *_lost(moments, blanks, step, event)] for step, orders in enumerate(known, 1)
        ]
        possible = any(
            not any(begin < other for other in before)
            for begin in _begins(lost, event.order, since)
        )
        if certain:
            alerts.add(place)
        elif possible:
            unclear.add(place)
    return Found(alerts, unclear)


def _begins(
    steps: Sequence[Sequence[tuple[int, int, int]]], end: tuple[int, int, int], since: int
) -> Iterator[tuple[int, int, int]]:
    """Where each chain of steps before an event begins; without steps at the span's beginning."""
    if not steps:
        yield (since, -(1 << 70), 0)
        return
    for chain in product(*steps):
        pairs = zip(chain, (*chain[1:], end), strict=True)
        # Of what was lost there may be any number in one place.
        is_chain = all(one < other or (one == other and not one[2]) for one, other in pairs)
        if is_chain and chain[0][0] >= since:
            yield chain[0]


def _lost(
    moments: Sequence[Moment], blanks: Sequence[Sequence[Span]], step: int, event: Moment
) -> list[tuple[int, int, int]]:
    """Places where an event of a step may be lacking: before each event, and at ends of blanks."""
    places = [(one.time, one.num, 0) for one in moments]
    places += [(last, 1 << 70, 0) for spans in blanks for _, last, _ in spans if last < 1 << 62]
    return [
        place
        for place in places
        if place[0] >= event.birth
        and any(first <= place[0] <= last for first, last, _ in blanks[step])
    ]


def _touch(blanks: Sequence[Sequence[Span]], steps: range, since: int, until: int) -> bool:
    since = min(since, until)
    return any(
        last >= since and first <= until for step in steps for first, last, _ in blanks[step]
    )
