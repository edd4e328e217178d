"""Which counts of events are reached: `count` of rules, by replay.

In: the moments of a rule and the blanks of the capture. Out: the moments with which a count is
reached, those with which it may be, and the moments that were counted. What is said of spans of
time holds for `rules/sequences.py`.
"""

import numpy as np

from falcotrace.engines.blanks import LOWEST_NS, Blanks
from falcotrace.engines.moments import Moments, order_of
from falcotrace.engines.vectors import Bools, Integers, Rows
from falcotrace.engines.verdicts import MOST_STEPS_SHOWN, Verdicts
from falcotrace.rules.sequences import Count


def count_verdicts(moments: Moments, count: Count, blanks: Blanks) -> Verdicts:
    """Tell which moments reach a count.

    A count in which events may be lacking is at least what it is: once it is reached it holds
    whatever was lost. Where it is short by no more than may be lacking, nobody can say; that is
    told of the first moment of those that follow each other.
    """
    order, is_first = order_of(moments)
    times, keys = moments.times_ns.take(order), moments.keys.take(order)
    earliest = _earlier(times, count.within_ns)
    begins = _window_begins(keys, times, earliest)
    found = _counted(moments, order, begins)
    is_reached = found >= count.at_least
    births = moments.births.take(order)
    lacking = blanks.lacking(np.minimum(np.maximum(earliest, births), times), times)
    may_be = ~is_reached & (found + lacking >= count.at_least)
    alerts = np.flatnonzero(is_reached & _is_new(is_reached, is_first))
    unclear = np.flatnonzero(may_be & _is_new(may_be, is_first))
    nums = moments.nums.take(order)
    shown = [
        tuple(nums[max(begins[place], place - MOST_STEPS_SHOWN) : place].tolist())
        for place in alerts.tolist()
    ]
    return Verdicts(order.take(alerts), shown, order.take(unclear))


def _is_new(truth: Bools, is_first: Bools) -> Bools:
    """Where the moment before, of the same key, was otherwise."""
    before = np.zeros(len(truth), np.bool_)
    before[1:] = truth[:-1]
    return is_first | ~before


def _earlier(times: Integers, within_ns: int) -> Integers:
    """Times less a span; what is recorded may be any number."""
    return np.maximum(times, LOWEST_NS + within_ns) - within_ns


def _window_begins(keys: Integers, times: Integers, earliest: Integers) -> Rows:
    """For each moment the first one of its key that lies in its window."""
    # Ten times as fast as `np.unique`, which looks for equal ones without sorting.
    ordered = np.sort(times)
    distinct = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    size = len(distinct) + 1
    places = keys * size + np.searchsorted(distinct, times)
    return np.searchsorted(places, keys * size + np.searchsorted(distinct, earliest))


def _counted(moments: Moments, order: Integers, begins: Rows) -> Integers:
    """For each moment how many there are in its window, or how many values they have."""
    places = np.arange(len(order))
    if moments.values is None:
        return places - begins + 1
    before, behind = _neighbours(moments.values.take(order), places)
    # A value comes into the window with a moment before which there is none of it in there, and is
    # gone at the first window that begins behind its last moment. Windows only move forward; that
    # none reaches into another key makes it right across keys, too.
    comes_in = before < begins
    is_last = (behind == len(order)) | comes_in.take(np.minimum(behind, len(order) - 1))
    gone = np.searchsorted(begins, places[is_last], side="right")
    leaving = np.bincount(gone, minlength=len(order) + 1)[: len(order)]
    counted: Integers = np.cumsum(comes_in) - np.cumsum(leaving)
    return counted


def _neighbours(values: Integers, places: Integers) -> tuple[Integers, Integers]:
    """For each moment the one before and the one behind it with the same value, of any key."""
    by_value = np.lexsort((places, values))
    same = np.zeros(len(values), np.bool_)
    same[1:] = values.take(by_value)[1:] == values.take(by_value)[:-1]
    before = np.full(len(values), -1)
    behind = np.full(len(values), len(values))
    before[by_value[1:]] = np.where(same[1:], by_value[:-1], -1)
    behind[by_value[:-1]] = np.where(same[1:], by_value[1:], len(values))
    return before, behind
