"""Captures of a rotation follow each other: one that is missing in between is found.

In: verdicts of captures that were given together. Out: the same, with what they say of each other.
What is missing before the first or behind the last cannot be told from captures that nobody gave;
that there was something is noted.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from falcotrace.evidence.findings import Finding, Place, Status, Verdict


def with_series(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts in their order, each with what others of its rotation say of it."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, verdict in enumerate(verdicts):
        if verdict.series:
            places[verdict.series].append(place)
    found = list(verdicts)
    for of_one in places.values():
        ordered = sorted(of_one, key=lambda place: found[place].number)
        for before, after in pairwise(ordered):
            found[after] = _behind(found[before], found[after])
        found[ordered[0]] = _first(found[ordered[0]])
        found[ordered[-1]] = _last(found[ordered[-1]])
    return found


def _behind(before: Verdict, after: Verdict) -> Verdict:
    missing = after.number - before.number - 1
    if missing > 0:
        captures = "a capture is" if missing == 1 else f"{missing:,} captures are"
        return _with_finding(after, f"{captures} missing between {before.path} and it")
    if missing < 0:
        is_same = before.head == after.head
        text = f"{before.path} stands in the same place of its rotation"
        return (
            _with_note(after, f"{before.path} is the same")
            if is_same
            else _with_finding(after, text)
        )
    if before.head and after.after != before.head:
        return _with_finding(after, f"it does not follow {before.path}")
    return after


def _first(verdict: Verdict) -> Verdict:
    earlier = verdict.number - 1
    if earlier < 1:
        return verdict
    captures = "a capture" if earlier == 1 else f"{earlier:,} captures"
    return _with_note(verdict, f"{captures} of the rotation before it not given")


def _last(verdict: Verdict) -> Verdict:
    if not verdict.goes_on:
        return verdict
    return _with_note(verdict, "the rotation goes on behind it")


def _with_finding(verdict: Verdict, text: str) -> Verdict:
    finding = Finding(place=Place.SERIES, text=text)
    return msgspec.structs.replace(
        verdict, status=Status.CHANGED, findings=[*verdict.findings, finding]
    )


def _with_note(verdict: Verdict, text: str) -> Verdict:
    return msgspec.structs.replace(verdict, notes=[*verdict.notes, text])
