"""Few values that cover the noise: a weighted cover, chosen greedily, the same every time.

In: rows of alerts and candidates. Out: the chosen ones. A candidate is asked about only when it
would be taken: what somebody refuses is left, and the next best is tried.
"""

import heapq
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from falcotrace.tuning.candidates import Candidate
from falcotrace.tuning.noise import AlertRow

MOST_VALUES = 200
"""A rule that needs more exceptions needs another condition."""


def cover(
    rows: Sequence[AlertRow],
    candidates: Sequence[Candidate],
    alerts_allowed: int,
    is_allowed: Callable[[Candidate], bool],
) -> list[Candidate]:
    """Choose candidates until no more alerts than allowed are left, or nothing helps.

    Args:
        rows: the alerts.
        candidates: in order of preference among equals.
        alerts_allowed: so many alerts may stay.
        is_allowed: asked once of each candidate that would be taken.
    """
    left = set(range(len(rows)))
    waiting = [
        (-len(one.rows) / one.shape.cost, -_alerts(rows, one.rows), place, len(one.rows))
        for place, one in enumerate(candidates)
    ]
    heapq.heapify(waiting)
    chosen: list[Candidate] = []
    while waiting and len(chosen) < MOST_VALUES and _alerts(rows, left) > alerts_allowed:
        *_, place, counted = heapq.heappop(waiting)
        candidate = candidates[place]
        new = candidate.rows & left
        gain = len(new)
        if gain < counted:
            # What others took since lowers its worth: it waits for its turn.
            if gain:
                worth = -gain / candidate.shape.cost
                heapq.heappush(waiting, (worth, -_alerts(rows, new), place, gain))
            continue
        if gain and is_allowed(candidate):
            chosen.append(candidate)
            left -= candidate.rows
    return _without_redundant(chosen)


def uncovered(rows: Sequence[AlertRow], chosen: Sequence[Candidate]) -> set[int]:
    """Places of the rows that nothing covers."""
    return set(range(len(rows))) - {place for one in chosen for place in one.rows}


def _alerts(rows: Sequence[AlertRow], places: AbstractSet[int]) -> int:
    return sum(rows[place].alerts for place in places)


def _without_redundant(chosen: Sequence[Candidate]) -> list[Candidate]:
    """Leave out what the others cover together, the dearest first."""
    kept = list(chosen)
    for one in sorted(chosen, key=lambda each: (-each.shape.cost, len(each.rows))):
        others = {place for other in kept if other is not one for place in other.rows}
        if one.rows <= others:
            kept.remove(one)
    return kept
