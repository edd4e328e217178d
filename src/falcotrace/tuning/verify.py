"""Whether a proposal does what it says: loaded behind the rules, and asked of every engine.

In: a proposal. Out: the same, without what did not hold. Nothing is believed that was worked out
from values alone: the rules file is loaded as users load it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from falcotrace.fixtures.answers import ENGINES, Questions
from falcotrace.fixtures.load import load_fixtures
from falcotrace.fixtures.run import chosen_fixtures, run_fixtures
from falcotrace.rules.load import RulesText
from falcotrace.rules.plan import Plan
from falcotrace.sigma.load import load_any_rules
from falcotrace.tuning.cover import uncovered
from falcotrace.tuning.model import Refusal, RuleTuning, Tuning
from falcotrace.tuning.noise import Baseline
from falcotrace.tuning.text import tuned_rules

_Rules = tuple[Path | RulesText, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """Where rules and fixtures were read from.

    Attributes:
        rules: files and folders, in order.
        fixtures: files and folders.
        takes_strangers: see `fixtures.load.load_fixtures`.
    """

    rules: tuple[Path, ...]
    fixtures: tuple[Path, ...]
    takes_strangers: bool = False


def verify(
    tuning: Tuning,
    sources: Sources,
    baseline: Baseline,
    engines: Sequence[str] = tuple(ENGINES),
) -> Tuning:
    """Load a proposal and ask the engines; rules for which it does not hold lose theirs.

    Raises:
        CaptureError: a capture is damaged.
    """
    proposed = tuple(each for each in tuning.rules if each.values)
    problems = _problems(proposed, tuning, sources, baseline, engines) if proposed else {}
    rules = tuple(_without(each, problems.get(each.rule.name, "")) for each in tuning.rules)
    return dataclasses.replace(tuning, rules=rules, verified_by=tuple(engines))


def _problems(
    proposed: Sequence[RuleTuning],
    tuning: Tuning,
    sources: Sources,
    baseline: Baseline,
    engines: Sequence[str],
) -> dict[str, str]:
    """By rule, what is not as its proposal says."""
    text = tuned_rules(dataclasses.replace(tuning, rules=tuple(proposed)))
    rules: _Rules = (*sources.rules, RulesText(text, "<proposal>"))
    ruleset = load_any_rules(rules, append_suggested=True)
    if not ruleset.ok:
        if len(proposed) > 1:
            parts = [_problems([one], tuning, sources, baseline, engines) for one in proposed]
            return {name: problem for part in parts for name, problem in part.items()}
        message = f"the rules do not load with it: {ruleset.errors[0].message}"
        return {proposed[0].rule.name: message}
    found = _wrong_counts(proposed, ruleset.plan, baseline, engines)
    broken = _broken_fixtures([one.rule.name for one in proposed], sources, rules, engines)
    return {**broken, **found}


def _wrong_counts(
    proposed: Sequence[RuleTuning], plan: Plan, baseline: Baseline, engines: Sequence[str]
) -> dict[str, str]:
    """Rules that have more or fewer alerts than were worked out."""
    of_name = {rule.name: rule for rule in plan.rules}
    questions = Questions()
    places = [questions.add(of_name[one.rule.name]) for one in proposed]
    problems: dict[str, str] = {}
    for capture in baseline.captures:
        for engine in engines:
            events = ENGINES[engine](capture.path, questions.plan).events
            for one, place in zip(proposed, places, strict=True):
                expected = _expected(one, capture.path)
                if len(events[place]) != expected:
                    problems[one.rule.name] = (
                        f"{engine} finds {len(events[place]):,} alerts with it in "
                        f"{capture.path.name}, not {expected:,}"
                    )
    return problems


def _expected(tuned: RuleTuning, capture: Path) -> int:
    """Alerts of a capture that nothing covers."""
    left = uncovered(tuned.rows, [value.candidate for value in tuned.values])
    return sum(tuned.rows[place].counts.get(capture, 0) for place in left)


def _broken_fixtures(
    names: Sequence[str], sources: Sources, rules: _Rules, engines: Sequence[str]
) -> dict[str, str]:
    """Rules of which a fixture holds without the proposal and not with it."""
    before = _outcomes(names, sources, sources.rules, engines)
    after = _outcomes(names, sources, rules, engines)
    return {
        rule: f"it breaks the fixture at {place}"
        for (rule, place), holds in after.items()
        if before[(rule, place)] and not holds
    }


def _outcomes(
    names: Sequence[str], sources: Sources, rules: _Rules, engines: Sequence[str]
) -> dict[tuple[str, str], bool]:
    """Whether each fixture of the rules holds, by rule and place."""
    loaded = load_fixtures(rules, sources.fixtures, takes_strangers=sources.takes_strangers)
    own = chosen_fixtures(loaded, frozenset(names))
    proof = run_fixtures(dataclasses.replace(own, benign=()), engines)
    return {
        (fixture.rule.name, str(fixture.span.locate())): outcome.holds
        for fixture, outcome in zip(own.fixtures, proof.outcomes, strict=True)
    }


def _without(tuned: RuleTuning, problem: str) -> RuleTuning:
    """The same without its values, if there is a problem with them."""
    if not problem:
        return tuned
    refused = [
        Refusal(value.candidate, f"it did not hold: {problem}", value.alerts)
        for value in tuned.values
    ]
    return dataclasses.replace(
        tuned, values=(), refused=(*tuned.refused, *refused), left=tuned.alerts
    )
