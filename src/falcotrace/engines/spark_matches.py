"""Matches from Spark as those of other engines: by row group, with the rules that Spark refuses.

In: open captures and a plan. Out: matches of each row group. Spark says which event matches which
rule; where it stands in its row group is looked up in one column.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from falcotrace.capture.reader import Capture
from falcotrace.engines.base import MatchBatch, ScanOptions, joined_matches, order_matches
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.group_matches import GroupMatches
from falcotrace.engines.replay import ReplayEngine, matches_of_rules
from falcotrace.engines.spark import SparkEngine, SparkMatch
from falcotrace.rules.plan import Plan


class SparkMatcher:
    """A plan, and a running Spark to ask it in.

    Args:
        engine: Spark.
        plan: the rules.
        options: how to scan; threads are Spark's own business.
    """

    def __init__(self, engine: SparkEngine, plan: Plan, options: ScanOptions) -> None:
        self._engine = engine
        self._plan = plan
        self._options = options
        self._refused = frozenset(plan.rules[place].name for place in engine.refused(plan))

    def match(self, captures: Sequence[Capture]) -> Iterator[GroupMatches]:
        """Yield the matches of each row group that has some.

        Raises:
            CaptureError: a capture is damaged, or Spark cannot read it.
            FalcoTraceError: Spark failed otherwise.
        """
        by_path: dict[str, list[SparkMatch]] = {}
        for found in self._engine.matches(self._plan, [capture.path for capture in captures]):
            by_path.setdefault(found.path, []).append(found)
        for capture in captures:
            yield from self._of_capture(capture, by_path.get(str(capture.path), []))

    def _of_capture(self, capture: Capture, found: Sequence[SparkMatch]) -> Iterator[GroupMatches]:
        batches = dict(_by_group(capture, found, self._options))
        steps: dict[tuple[int, int], tuple[int, ...]] = {}
        for left in matches_of_rules(
            ReplayEngine(), capture, self._plan, self._refused, self._options
        ):
            if left.undetermined:
                yield left
                continue
            steps |= left.steps
            batches.setdefault(left.source.index, []).append(left.matches)
        for index, parts in sorted(batches.items()):
            matches = order_matches(joined_matches(parts), first_match=self._options.first_match)
            yield GroupMatches(capture, RowGroupSource(capture, index), matches, steps)


def _by_group(
    capture: Capture, found: Sequence[SparkMatch], options: ScanOptions
) -> Iterator[tuple[int, list[MatchBatch]]]:
    if not found:
        return
    _, rules, nums, times = zip(*found, strict=True)
    rule, num, time = np.array(rules, np.int32), np.array(nums), np.array(times)
    is_asked = np.ones(len(num), np.bool_)
    if options.since_ns is not None:
        is_asked &= time >= options.since_ns
    if options.until_ns is not None:
        is_asked &= time < options.until_ns
    for group in capture.row_groups:
        inside = np.flatnonzero(is_asked & (num >= group.first_num) & (num <= group.last_num))
        if not len(inside):
            continue
        of_rows = RowGroupSource(capture, group.index).integers("evt.num")
        order = np.argsort(of_rows)
        rows = order.take(np.searchsorted(of_rows.take(order), num.take(inside)))
        yield (
            group.index,
            [MatchBatch(rule.take(inside), rows, num.take(inside), time.take(inside))],
        )
