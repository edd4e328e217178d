"""Rules about several events: their steps are asked as rules, and what they find is put together.

In: a plan and captures, and an engine that asks conditions. Out: for each capture the events that
such rules fire on, the events that led to them, and those for which nobody can say. A capture is
read for the steps before it is read for everything else, so alerts come in their order.

    steps as rules ─► engine ─► moments ─► verdicts ─► matches, row group by row group
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from falcotrace.alerts import MOST_NAMED, Undetermined
from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.base import (
    MatchBatch,
    ScanOptions,
    joined_matches,
    order_matches,
    runs_on_captures,
)
from falcotrace.engines.blanks import (
    HIGHEST_NS,
    LOWEST_NS,
    Blanks,
    Coverage,
    Reason,
    blanks_of,
    coverage_of,
    is_unrecorded,
    loss_blanks,
)
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.counts import count_verdicts
from falcotrace.engines.group_matches import GroupMatches
from falcotrace.engines.moments import MomentCollector, Moments
from falcotrace.engines.sequences import sequence_verdicts
from falcotrace.engines.vectors import Bools, Integers
from falcotrace.engines.verdicts import Verdicts
from falcotrace.rules.plan import Plan, RulePlan
from falcotrace.rules.sequences import Count
from falcotrace.rules.sequences import Sequence as EventSequence

Judge = Callable[[RulePlan, Moments, Sequence[Blanks]], Verdicts]
"""Puts the moments of a rule together; each engine has its own."""

MatchCapture: TypeAlias = Callable[
    [CaptureData | StreamedCapture, Plan, ScanOptions], Iterator[GroupMatches]
]
"""Asks rules about single events of a capture."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The steps of rules about several events, as rules of their own.

    Attributes:
        plan: one rule for each step; those that no event can match are left out.
        places: for each of them the place of the rule in the whole plan, and the step's number.
        rules: the rules, by their places in the whole plan.
    """

    plan: Plan
    places: tuple[tuple[int, int], ...]
    rules: Mapping[int, RulePlan]


def step_plan(plan: Plan) -> StepPlan:
    """Take the steps of the enabled rules that have some."""
    steps: list[RulePlan] = []
    places: list[tuple[int, int]] = []
    rules: dict[int, RulePlan] = {}
    for place, rule in enumerate(plan.rules):
        if rule.correlation is None or not runs_on_captures(rule):
            continue
        rules[place] = rule
        for number, step in enumerate(steps_as_rules(rule)):
            if step.event_names != frozenset():
                steps.append(dataclasses.replace(step, name=f"{place}.{number}", index=len(steps)))
                places.append((place, number))
    return StepPlan(Plan(tuple(steps)), tuple(places), rules)


def steps_as_rules(rule: RulePlan) -> Iterator[RulePlan]:
    """The rule's own event and its steps, each as a rule about one event."""
    yield dataclasses.replace(rule, correlation=None)
    for step in rule.correlation.steps if rule.correlation else ():
        yield dataclasses.replace(
            rule,
            condition=step.condition,
            condition_text=step.condition_text,
            event_names=step.event_names,
            condition_fields=step.condition_fields,
            written=None,
            correlation=None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Correlated:
    """What rules about several events found in one capture.

    Attributes:
        rules: for each event that one fires on the place of the rule.
        nums: its `evt.num`, ascending.
        steps: by place of the rule and number of the event, the events that led to it.
        undetermined: what nobody can say.
    """

    rules: Integers
    nums: Integers
    steps: Mapping[tuple[int, int], tuple[int, ...]]
    undetermined: tuple[Undetermined, ...]

    def add_to(
        self, matches: MatchBatch, source: RowGroupSource, options: ScanOptions
    ) -> MatchBatch:
        """The matches of a row group, and those found here that lie in it."""
        own = self.matches_in(source)
        if not len(own):
            return matches
        return order_matches(joined_matches([matches, own]), first_match=options.first_match)

    def matches_in(self, source: RowGroupSource) -> MatchBatch:
        """What was found in a row group."""
        first, last = source.num_span
        begin, end = np.searchsorted(self.nums, [first, last + 1])
        rules, nums = self.rules[begin:end], self.nums[begin:end]
        if not len(nums):
            return EMPTY
        of_rows = source.integers("evt.num")
        order = np.argsort(of_rows, kind="stable")
        found = np.minimum(np.searchsorted(of_rows.take(order), nums), len(order) - 1)
        rows = order.take(found)
        is_there = of_rows.take(rows) == nums
        rows = rows[is_there]
        times = source.integers("evt.time").take(rows)
        return MatchBatch(rules[is_there].astype(np.int32), rows, nums[is_there], times)


_NONE = np.zeros(0, np.int64)
EMPTY = MatchBatch(np.zeros(0, np.int32), _NONE, _NONE, _NONE)
NOTHING = Correlated(_NONE, _NONE, {}, ())


def nothing_but(capture: CaptureData, undetermined: tuple[Undetermined, ...]) -> GroupMatches:
    """What nobody can say of a capture, in the form of matches."""
    return GroupMatches(capture, RowGroupSource(capture, 0), EMPTY, {}, undetermined)


def judge_by_replay(rule: RulePlan, moments: Moments, blanks: Sequence[Blanks]) -> Verdicts:
    """Put the moments of a rule together without SQL."""
    correlation = rule.correlation
    assert correlation is not None
    if isinstance(correlation, Count):
        return count_verdicts(moments, correlation, blanks[0])
    return sequence_verdicts(moments, correlation, blanks)


def widened(steps: StepPlan, options: ScanOptions) -> ScanOptions:
    """The times that have to be read so that those that are asked for are judged rightly."""
    within = [rule.correlation.within_ns for rule in steps.rules.values() if rule.correlation]
    # A count is reached where the event before it had not reached it, whose span counts as well.
    before, behind = 2 * max(within, default=0), max(within, default=0) + 1
    return dataclasses.replace(
        options,
        first_match=False,
        since_ns=None if options.since_ns is None else options.since_ns - before,
        until_ns=None if options.until_ns is None else options.until_ns + behind,
    )


@dataclass(slots=True, eq=False)
class _Taken:
    """What was taken of one capture."""

    moments: dict[int, MomentCollector] = field(default_factory=dict)
    first_ns: int = HIGHEST_NS
    last_ns: int = LOWEST_NS


class Correlator:
    """Takes matches of steps, of one capture or of several, and judges them."""

    def __init__(self, steps: StepPlan, options: ScanOptions, judge: Judge) -> None:
        self._steps = steps
        self._options = options
        self._judge = judge
        self._taken: dict[Path, _Taken] = {}

    def take(self, found: GroupMatches) -> None:
        """Take the matches of a row group."""
        taken = self._taken.setdefault(found.capture.path, _Taken())
        first, last = found.source.time_span
        taken.first_ns, taken.last_ns = min(taken.first_ns, first), max(taken.last_ns, last)
        for place in np.unique(found.matches.rules).tolist():
            rule, step = self._steps.places[place]
            collector = taken.moments.get(rule)
            if collector is None:
                collector = taken.moments[rule] = MomentCollector(self._steps.rules[rule])
            rows = found.matches.rows[found.matches.rules == place]
            collector.add(found.source, step, rows)

    def judged(self, capture: CaptureData | StreamedCapture) -> Correlated:
        """What rules found in a capture, all of whose matches were taken."""
        taken = self._taken.pop(capture.path, None)
        if taken is None or not taken.moments:
            return NOTHING
        coverage = _coverage(capture, taken)
        rules: list[Integers] = []
        nums: list[Integers] = []
        steps: dict[tuple[int, int], tuple[int, ...]] = {}
        undetermined: list[Undetermined] = []
        for place, collector in taken.moments.items():
            rule = self._steps.rules[place]
            moments = self._known_births(collector.moments(), coverage)
            if collector.is_full:
                undetermined += self._too_many(rule, moments, capture)
                continue
            verdicts = self._judge(rule, moments, _blanks(rule, coverage))
            is_asked = self._is_asked(moments.times_ns.take(verdicts.alerts))
            found = moments.nums.take(verdicts.alerts)[is_asked]
            led = [one for one, asked in zip(verdicts.steps, is_asked, strict=True) if asked]
            steps |= {(place, num): one for num, one in zip(found.tolist(), led, strict=True)}
            rules.append(np.full(len(found), place))
            nums.append(found)
            undetermined += self._undetermined(rule, moments, verdicts, coverage, capture)
        found_nums = np.concatenate([_NONE, *nums])
        order = np.argsort(found_nums, kind="stable")
        return Correlated(
            np.concatenate([_NONE, *rules]).take(order),
            found_nums.take(order),
            steps,
            tuple(undetermined),
        )

    def _known_births(self, moments: Moments, coverage: Coverage) -> Moments:
        if coverage.knows_births:
            return moments
        births = np.full(len(moments), LOWEST_NS, np.int64)
        return dataclasses.replace(moments, births=births)

    def _is_asked(self, times: Integers) -> Bools:
        asked = np.ones(len(times), np.bool_)
        if self._options.since_ns is not None:
            asked &= times >= self._options.since_ns
        if self._options.until_ns is not None:
            asked &= times < self._options.until_ns
        return asked

    def _undetermined(
        self,
        rule: RulePlan,
        moments: Moments,
        verdicts: Verdicts,
        coverage: Coverage,
        capture: CaptureData | StreamedCapture,
    ) -> Iterator[Undetermined]:
        rows = verdicts.unclear
        rows = rows[self._is_asked(moments.times_ns.take(rows))]
        rows = rows.take(np.lexsort((moments.nums.take(rows), moments.times_ns.take(rows))))
        reasons = _reasons(rule, moments, rows, coverage)
        for number, reason in enumerate(_REASONS):
            chosen = rows[reasons == number]
            if len(chosen):
                yield _undetermined(rule, reason, moments, chosen, capture)

    def _too_many(
        self, rule: RulePlan, moments: Moments, capture: CaptureData | StreamedCapture
    ) -> Iterator[Undetermined]:
        if len(moments):
            rows = np.lexsort((moments.nums, moments.times_ns))
            yield _undetermined(rule, Reason.TOO_MANY, moments, rows, capture)


def _undetermined(
    rule: RulePlan,
    reason: Reason,
    moments: Moments,
    rows: Integers,
    capture: CaptureData | StreamedCapture,
) -> Undetermined:
    times = moments.times_ns.take(rows)
    return Undetermined(
        rule=rule,
        reason=str(reason),
        count=len(rows),
        nums=tuple(moments.nums.take(rows[:MOST_NAMED]).tolist()),
        first_ns=int(times[0]),
        last_ns=int(times[-1]),
        hostname=capture.footer.host.hostname,
        capture=capture.path.name,
    )


def correlate(
    captures: Iterable[CaptureData | StreamedCapture],
    plan: Plan,
    options: ScanOptions,
    match: MatchCapture,
) -> dict[Path, Correlated]:
    """Ask the rules about several events, one capture after the other, by replay.

    Args:
        captures: open captures.
        plan: all rules.
        options: how to scan.
        match: asks rules about single events of a capture.
    """
    steps = step_plan(plan)
    found: dict[Path, Correlated] = {}
    if not steps.rules:
        return found
    correlator = Correlator(steps, options, judge_by_replay)
    for capture in captures:
        for group in match(capture, steps.plan, widened(steps, options)):
            correlator.take(group)
        found[capture.path] = correlator.judged(capture)
    return found


def _coverage(capture: CaptureData | StreamedCapture, taken: _Taken) -> Coverage:
    groups = [group for group in getattr(capture, "row_groups", ()) if group.row_count]
    first = min([taken.first_ns, *(group.first_time_ns for group in groups)])
    last = max([taken.last_ns, *(group.last_time_ns for group in groups)])
    return coverage_of(capture.footer, capture.unrecorded, first, last)


def _blanks(rule: RulePlan, coverage: Coverage) -> list[Blanks]:
    """For the rule's own event and each step, where the capture may lack them."""
    correlation = rule.correlation
    assert correlation is not None
    blanks = [blanks_of(coverage, rule.event_names)]
    after = len(correlation.after) if isinstance(correlation, EventSequence) else 0
    for number, step in enumerate(correlation.steps):
        must_be_missing = number >= after
        blanks.append(blanks_of(coverage, step.event_names, must_be_missing=must_be_missing))
    return blanks


_REASONS = tuple(Reason)


def _reasons(rule: RulePlan, moments: Moments, rows: Integers, coverage: Coverage) -> Integers:
    """For each of some moments the number of the first reason for which it is unclear."""
    correlation = rule.correlation
    assert correlation is not None
    times, births = moments.times_ns.take(rows), moments.births.take(rows)
    within = correlation.within_ns
    since = np.maximum(np.maximum(times, LOWEST_NS + within) - within, np.minimum(births, times))
    until = times
    names = [rule.event_names]
    hidden = False
    if isinstance(correlation, EventSequence):
        names = [step.event_names for step in correlation.steps]
        if correlation.unless_followed_by:
            until = np.minimum(times, HIGHEST_NS - within) + within
        negative = (*correlation.without, *correlation.unless_followed_by)
        hidden = any(is_unrecorded(coverage, step.event_names) for step in negative)
    is_lost = np.zeros(len(rows), np.bool_)
    for events in names:
        is_lost |= loss_blanks(coverage, events).touch(since, until)
    conditions = [is_lost, since < coverage.first_ns, until > coverage.last_ns]
    numbers = [_REASONS.index(one) for one in (Reason.LOSS, Reason.BEGINNING, Reason.END)]
    otherwise = Reason.UNRECORDED if hidden else Reason.BEGINNING
    return np.select(conditions, numbers, _REASONS.index(otherwise))
