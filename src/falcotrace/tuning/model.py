"""A proposal: values for exceptions, what each would silence, and what was refused and why."""

import dataclasses

from falcotrace.rules.plan import RulePlan
from falcotrace.tuning.candidates import Candidate
from falcotrace.tuning.noise import AlertRow


@dataclasses.dataclass(frozen=True, slots=True)
class ProposedValue:
    """One value of an exception, and what it does.

    Attributes:
        candidate: the exception and the value.
        alerts: alerts of the baseline that it silences.
        captures: how many captures those are in.
        hosts: how many hosts.
        share: of all alerts of the rule in the baseline.
        also: other events of the baseline that it would cover, were they to match the rule; None
            before they were counted.
    """

    candidate: Candidate
    alerts: int
    captures: int
    hosts: int
    share: float
    also: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A value that was not proposed.

    Attributes:
        candidate: the exception and the value.
        reason: why; authors' and recorded text in it is not escaped.
        alerts: alerts of the baseline that it would have silenced.
    """

    candidate: Candidate
    reason: str
    alerts: int


@dataclasses.dataclass(frozen=True, slots=True)
class RuleTuning:
    """What is proposed for one noisy rule.

    Attributes:
        rule: the rule.
        rows: its alerts in the baseline, by values.
        alerts: how many there are.
        per_hour: the same an hour.
        values: the proposal; empty if there is none.
        refused: what would have silenced alerts and must not.
        left: alerts that stay.
        problem: why nothing could be proposed; empty otherwise.
    """

    rule: RulePlan
    rows: tuple[AlertRow, ...]
    alerts: int
    per_hour: float
    values: tuple[ProposedValue, ...] = ()
    refused: tuple[Refusal, ...] = ()
    left: int = 0
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Tuning:
    """Proposals for all noisy rules.

    Attributes:
        rules: those that are noisy, the noisiest first.
        captures: how many captures the baseline has.
        hours: how long they were recorded for.
        most_per_hour: alerts an hour that are no noise.
        verified_by: the engines that gave what the proposal claims; empty before that.
    """

    rules: tuple[RuleTuning, ...]
    captures: int
    hours: float
    most_per_hour: float = 0.0
    verified_by: tuple[str, ...] = ()

    @property
    def alerts_left(self) -> int:
        """Alerts of noisy rules that stay."""
        return sum(each.left for each in self.rules)

    @property
    def is_complete(self) -> bool:
        """Whether no rule stays noisy."""
        return all(each.left <= self.most_per_hour * self.hours for each in self.rules)
