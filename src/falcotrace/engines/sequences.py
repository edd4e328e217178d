"""Which events have the steps of a sequence before and behind them: `sequence` of rules, by replay.

In: the moments of a rule and the blanks of the capture. Out: the moments that a rule fires for, and
those for which nobody can say. What is said of spans of time holds for `rules/sequences.py`.

A moment's place among all distinct moments of the rule is an odd number, so that what may have been
lost has a place just before it, or between two of them. Of several chains the latest has the
shortest span, so if it will not do none will: each step is the last one before the next.
"""

from collections.abc import Sequence as Steps
from dataclasses import dataclass

import numpy as np

from falcotrace.engines.blanks import HIGHEST_NS, LOWEST_NS, Blanks
from falcotrace.engines.moments import Moments
from falcotrace.engines.vectors import Bools, Integers, Rows
from falcotrace.engines.verdicts import Verdicts
from falcotrace.rules.sequences import Sequence


def sequence_verdicts(moments: Moments, sequence: Sequence, blanks: Steps[Blanks]) -> Verdicts:
    """Tell which moments of the rule's own event have what the sequence asks for around them.

    Args:
        moments: of all steps.
        sequence: what is asked.
        blanks: for each step, the rule's own event first, where the capture may lack its events.
    """
    return _Asked(moments, sequence, blanks).verdicts()


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """The moments of one step, sorted by key and place."""

    sorted_places: Integers
    places: Integers
    times: Integers
    nums: Integers
    size: int

    def before(self, keys: Integers, places: Integers) -> tuple[Rows, Bools]:
        """For each key and place the last moment before it, and whether there is one."""
        found = np.searchsorted(self.sorted_places, keys * self.size + places, side="left") - 1
        return self._of_key(found, keys)

    def behind(self, keys: Integers, places: Integers) -> tuple[Rows, Bools]:
        """For each key and place the first moment behind it, and whether there is one."""
        found = np.searchsorted(self.sorted_places, keys * self.size + places, side="right")
        return self._of_key(found, keys)

    def _of_key(self, found: Rows, keys: Integers) -> tuple[Rows, Bools]:
        inside = (found >= 0) & (found < len(self.places))
        if not len(self.places):
            return np.zeros(len(found), np.int64), inside
        found = np.where(inside, found, 0)
        return found, inside & (self.sorted_places.take(found) // self.size == keys)


class _Asked:
    """The moments in question, and what is around them."""

    def __init__(self, moments: Moments, sequence: Sequence, blanks: Steps[Blanks]) -> None:
        self._sequence = sequence
        self._blanks = blanks
        pairs = np.lexsort((moments.nums, moments.times_ns))
        times, nums = moments.times_ns.take(pairs), moments.nums.take(pairs)
        is_new = np.ones(len(pairs), np.bool_)
        is_new[1:] = (times[1:] != times[:-1]) | (nums[1:] != nums[:-1])
        places = np.empty(len(pairs), np.int64)
        places[pairs] = 2 * np.cumsum(is_new) - 1
        self._distinct_times = times[is_new]
        self._size = 2 * len(self._distinct_times) + 2
        self._steps = [
            self._step(moments, places, number) for number in range(len(sequence.steps) + 1)
        ]
        self._rows = np.flatnonzero(moments.steps == 0)
        self._places = places.take(self._rows)
        self._times = moments.times_ns.take(self._rows)
        self._keys = moments.keys.take(self._rows)
        self._births = moments.births.take(self._rows)
        within = sequence.within_ns
        self._earliest = np.maximum(self._times, LOWEST_NS + within) - within
        self._latest = np.minimum(self._times, HIGHEST_NS - within) + within

    def _step(self, moments: Moments, places: Integers, number: int) -> _Step:
        rows = np.flatnonzero(moments.steps == number)
        order = rows.take(np.lexsort((places.take(rows), moments.keys.take(rows))))
        own = places.take(order)
        return _Step(
            moments.keys.take(order) * self._size + own,
            own,
            moments.times_ns.take(order),
            moments.nums.take(order),
            self._size,
        )

    def verdicts(self) -> Verdicts:
        """Everything together; what is certain is possible, too."""
        first_places, first_times, chain, is_there = self._chain(with_lost=False)
        certain = is_there & ~self._is_refuted(first_places)
        certain &= ~self._may_be_refuted(first_times)
        first_places, _, _, may_be_there = self._chain(with_lost=True)
        possible = may_be_there & ~self._is_refuted(first_places)
        alerts = np.flatnonzero(certain)
        led = list(zip(*(nums.take(alerts).tolist() for nums in chain), strict=True))
        steps = led if chain else [()] * len(alerts)
        return Verdicts(
            self._rows.take(alerts), steps, self._rows.take(np.flatnonzero(possible & ~certain))
        )

    def _chain(self, *, with_lost: bool) -> tuple[Integers, Integers, list[Integers], Bools]:
        """The latest chain before each moment.

        Returns:
            Place and time of its first step, the numbers of its steps in order, and whether it is
            there and short enough.
        """
        places, times = self._places, self._times
        found = np.ones(len(places), np.bool_)
        chain: list[Integers] = []
        for number in range(len(self._sequence.after), 0, -1):
            step = self._steps[number]
            rows, is_known = step.before(self._keys, places)
            known_places = np.where(is_known, _take(step.places, rows), -1)
            known_times = _take(step.times, rows)
            if with_lost:
                lost_places, lost_times = self._lost(self._blanks[number], places, times)
                is_later = lost_places > known_places
                known_places = np.where(is_later, lost_places, known_places)
                known_times = np.where(is_later, lost_times, known_times)
            found &= known_places >= 0
            places, times = known_places, known_times
            chain.insert(0, _take(step.nums, rows))
        if not self._sequence.after:
            # Nothing has to be there: what must not be there has the whole span.
            before = np.searchsorted(self._distinct_times, self._earliest, side="left")
            return 2 * before, self._earliest, chain, found
        return places, times, chain, found & (times >= self._earliest)

    def _lost(self, blanks: Blanks, places: Integers, times: Integers) -> tuple[Integers, Integers]:
        """The latest place and time before each place where an event may be lacking; -1 without."""
        latest, found = blanks.latest(times)
        found &= latest >= self._births
        behind_all = 2 * np.searchsorted(self._distinct_times, latest, side="right")
        just_before = places - places % 2
        return np.where(found, np.minimum(just_before, behind_all), -1), latest

    def _is_refuted(self, first_places: Integers) -> Bools:
        """Whether there is a step that must not be there."""
        refuted = np.zeros(len(self._rows), np.bool_)
        begin = 1 + len(self._sequence.after)
        behind = begin + len(self._sequence.without)
        for step in self._steps[begin:behind]:
            rows, is_known = step.before(self._keys, self._places)
            refuted |= is_known & (_take(step.places, rows) > first_places)
        for step in self._steps[behind:]:
            rows, is_known = step.behind(self._keys, self._places)
            refuted |= is_known & (_take(step.times, rows) <= self._latest)
        return refuted

    def _may_be_refuted(self, first_times: Integers) -> Bools:
        """Whether one that must not be there may be lacking."""
        begin = 1 + len(self._sequence.after)
        behind = begin + len(self._sequence.without)
        since = np.minimum(np.maximum(first_times, self._births), self._times)
        unclear = np.zeros(len(self._rows), np.bool_)
        for blanks in self._blanks[begin:behind]:
            unclear |= blanks.touch(since, self._times)
        for blanks in self._blanks[behind:]:
            unclear |= blanks.touch(self._times, self._latest)
        return unclear


def _take(values: Integers, rows: Rows) -> Integers:
    return values.take(rows) if len(values) else np.zeros(len(rows), np.int64)
