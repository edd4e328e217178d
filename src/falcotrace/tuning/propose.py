"""Proposes exceptions: the noise of a baseline, covered by few values that silence no fixture.

In: rules, a baseline, fixtures. Out: a proposal that is not yet verified.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from falcotrace.engines.base import ScanOptions
from falcotrace.engines.replay import ReplayEngine
from falcotrace.errors import FalcoTraceError, RulesError
from falcotrace.fixtures.answers import Questions, ask_replay, open_any
from falcotrace.fixtures.model import Fixture, FixtureSet
from falcotrace.rules.condition import compile_condition
from falcotrace.rules.faults import Fault
from falcotrace.rules.lists import ExpandedList
from falcotrace.rules.load import parse_formula
from falcotrace.rules.plan import CONDITION_NAME, AllOf, AnyOf, Plan, RulePlan
from falcotrace.rules.resolve import MacroScope
from falcotrace.rules.source import TextSource
from falcotrace.tuning.candidates import Candidate, candidates, covered_rows
from falcotrace.tuning.cover import cover, uncovered
from falcotrace.tuning.model import ProposedValue, Refusal, RuleTuning, Tuning
from falcotrace.tuning.noise import AlertRow, Baseline, alert_rows, usable_shapes
from falcotrace.tuning.shapes import Shape, shapes_of, too_broad

Progress = Callable[[str], None]
"""Told what is done next."""

_MOST_ROWS = 5_000
"""More combinations of values than these are no work for exceptions."""

_MOST_REFUSALS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What words in the values of exceptions might be taken for."""

    lists: Sequence[ExpandedList]
    macros: MacroScope


def propose(
    fixtures: FixtureSet,
    names: Names,
    baseline: Baseline,
    most_per_hour: float = 0.0,
    progress: Progress = lambda _: None,
) -> Tuning:
    """Propose exceptions for the rules that are noisy on a baseline.

    Args:
        fixtures: the rules, and what proves them.
        names: the lists and macros of the rules.
        baseline: captures that are known to be good.
        most_per_hour: alerts an hour of one rule that are no noise.
        progress: told which rule is worked on.

    Raises:
        CaptureError: a capture is damaged.
    """
    allowed = int(most_per_hour * baseline.hours)
    counts = _alert_counts(fixtures.plan, baseline)
    tuned: list[RuleTuning] = []
    for rule in fixtures.plan.enabled:
        if counts[rule.index] > allowed:
            progress(rule.name)
            proven = [each for each in fixtures.fixtures if each.rule.name == rule.name]
            tuned.append(
                _Proposal(rule, names, baseline, proven).tuning(counts[rule.index], allowed)
            )
    tuned.sort(key=lambda each: (-each.alerts, each.rule.index))
    return Tuning(tuple(tuned), len(baseline.captures), baseline.hours, most_per_hour)


def _alert_counts(plan: Plan, baseline: Baseline) -> dict[int, int]:
    """Alerts by the index of the rule."""
    counts = {rule.index: 0 for rule in plan.rules}
    for found in ReplayEngine().match(baseline.captures, plan, ScanOptions()):
        for place, rule in enumerate(plan.rules):
            counts[rule.index] += int((found.matches.rules == place).sum())
    return counts


class _Proposal:
    """The work on one noisy rule."""

    def __init__(
        self, rule: RulePlan, names: Names, baseline: Baseline, fixtures: Sequence[Fixture]
    ) -> None:
        self._rule = rule
        self._names = names
        self._baseline = baseline
        self._shapes = usable_shapes(shapes_of(rule))
        self._fixtures = [
            (fixture, rows)
            for fixture in fixtures
            if (rows := _fixture_rows(fixture, self._shapes))
        ]
        self._rows: list[AlertRow] = []
        self._refused: list[Refusal] = []
        self._broad: list[Refusal] = []

    def tuning(self, alerts: int, allowed: int) -> RuleTuning:
        """What is proposed for the rule."""
        hours = self._baseline.hours
        per_hour = alerts / hours if hours else 0.0
        nothing = RuleTuning(self._rule, (), alerts, per_hour, left=alerts)
        try:
            self._rows = alert_rows(self._baseline.captures, self._rule, self._shapes)
        except FalcoTraceError as error:
            return dataclasses.replace(nothing, problem=str(error))
        if len(self._rows) > _MOST_ROWS:
            problem = f"its alerts have {len(self._rows):,} different values: change its condition"
            return dataclasses.replace(nothing, problem=problem)
        possible = candidates(self._rows, self._shapes)
        chosen = cover(self._rows, possible, allowed, self._is_allowed)
        left = uncovered(self._rows, chosen)
        return dataclasses.replace(
            nothing,
            rows=tuple(self._rows),
            values=self._proposed(_in_order(chosen, self._shapes), alerts),
            refused=(*self._refused, *self._broad_of(left)),
            left=sum(self._rows[place].alerts for place in left),
        )

    def _is_allowed(self, candidate: Candidate) -> bool:
        """Whether a value may be proposed; notes why not."""
        reason = too_broad(candidate.shape, candidate.values)
        if reason is not None:
            self._broad.append(self._refusal(candidate, f"too broad: {reason}"))
            return False
        if not self._says_itself(candidate):
            reason = "a word in it is the name of a list or cannot be said in a condition"
            self._refused.append(self._refusal(candidate, reason))
            return False
        for fixture, rows in self._fixtures:
            if covered_rows(candidate.shape, candidate.values, rows):
                place = fixture.span.locate()
                reason = (
                    f"it would silence an alert of the fixture at {place.file}:{place.line} "
                    f"on {fixture.capture.name}"
                )
                self._refused.append(self._refusal(candidate, reason))
                return False
        return True

    def _says_itself(self, candidate: Candidate) -> bool:
        """Whether the condition means the same where names of lists stand for their items."""
        text = candidate.condition
        try:
            plain = parse_formula(text)
            source = TextSource(CONDITION_NAME, text)
            meant = compile_condition(source, self._names.lists, self._names.macros).condition
        except (Fault, RulesError):
            return False
        return plain == meant

    def _broad_of(self, left: set[int]) -> list[Refusal]:
        """Of what was too broad, what would have helped where nothing else did."""
        return [one for one in self._broad if one.candidate.rows & left][:_MOST_REFUSALS]

    def _refusal(self, candidate: Candidate, reason: str) -> Refusal:
        return Refusal(candidate, reason, sum(self._rows[at].alerts for at in candidate.rows))

    def _proposed(self, chosen: Sequence[Candidate], alerts: int) -> tuple[ProposedValue, ...]:
        others = _other_events(self._baseline, self._rule, chosen)
        hosts = self._baseline.hosts
        values: list[ProposedValue] = []
        for candidate, also in zip(chosen, others, strict=True):
            rows = [self._rows[place] for place in candidate.rows]
            captures = {path for row in rows for path in row.counts}
            silenced = sum(row.alerts for row in rows)
            values.append(
                ProposedValue(
                    candidate,
                    silenced,
                    len(captures),
                    len({hosts[path] for path in captures}),
                    silenced / alerts,
                    also,
                )
            )
        return tuple(values)


def _in_order(chosen: Sequence[Candidate], shapes: Sequence[Shape]) -> list[Candidate]:
    places = {shape.name: place for place, shape in enumerate(shapes)}
    return sorted(chosen, key=lambda one: (places[one.shape.name], one.values))


def _fixture_rows(fixture: Fixture, shapes: Sequence[Shape]) -> list[AlertRow]:
    """The values of the alerts that a fixture asks for."""
    if not fixture.fires:
        return []
    rule = fixture.rule
    wanted = [each.condition.condition for each in fixture.fires]
    meets = wanted[0] if len(wanted) == 1 else AnyOf(tuple(wanted))
    if rule.correlation is None:
        # Of a rule about several events every alert counts: fewer events would be other alerts.
        rule = dataclasses.replace(rule, condition=AllOf((rule.condition, meets)))
    capture = open_any(fixture.capture)
    try:
        return alert_rows([capture], rule, shapes)
    finally:
        capture.close()


def _other_events(
    baseline: Baseline, rule: RulePlan, chosen: Sequence[Candidate]
) -> tuple[int, ...]:
    """For each value, the events of the rule's types that it covers and that are no alerts."""
    questions = Questions()
    alerts = questions.add(rule)
    places = [
        questions.add(
            dataclasses.replace(rule, condition=parse_formula(one.condition), correlation=None)
        )
        for one in chosen
    ]
    counts = [0] * len(chosen)
    for capture in baseline.captures if chosen else ():
        found = ask_replay(capture.path, questions.plan).events
        for number, place in enumerate(places):
            counts[number] += len(np.setdiff1d(found[place], found[alerts]))
    return tuple(counts)
