"""What a report says, gathered from captures: alerts, losses, rules, what became of them.

In: open captures, a plan. Out: `Findings`. Memory is bounded: of each rule some alerts are kept,
the others counted.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from falcotrace.alerts import Alert, Undetermined
from falcotrace.capture.reader import Capture
from falcotrace.capture.summary import (
    Summary,
    describe_blindness,
    describe_losses,
    has_losses,
    is_near_losses,
    summarise,
)
from falcotrace.engines.base import RuleGap, ScanOptions, find_gaps
from falcotrace.engines.replay import ReplayEngine
from falcotrace.errors import CaptureError
from falcotrace.investigate.investigation import Investigation
from falcotrace.rules.plan import Plan, Priority, RulePlan

ALERTS_KEPT = 200
"""Alerts of one rule that are listed and drawn; all of them are counted."""


@dataclass(slots=True)
class RuleAlerts:
    """The alerts of one rule.

    Attributes:
        rule: the rule.
        count: all of them.
        last_ns: when the last one was, ns since the epoch.
        kept: the first ones.
    """

    rule: RulePlan
    count: int = 0
    last_ns: int = 0
    kept: list[Alert] = field(default_factory=list)

    def add(self, alert: Alert) -> None:
        """Count an alert, and keep it if it is one of the first."""
        self.count += 1
        self.last_ns = max(self.last_ns, alert.time_ns)
        if len(self.kept) < ALERTS_KEPT:
            self.kept.append(alert)


@dataclass(frozen=True)
class Findings:
    """Everything that a report says.

    Attributes:
        captures: open, in order of time.
        plan: the rules that were asked.
        options: how they were asked.
        by_rule: alerts by the name of the rule, the most severe rules first.
        by_priority: how many alerts there are of each priority.
        near_losses: alerts within seconds of which events were lost.
        gaps: what captures could not answer.
        sources: the rules files as the user named them; empty for those that ship.
        undetermined: what nobody can say of rules about several events.
    """

    captures: tuple[Capture, ...]
    plan: Plan
    options: ScanOptions
    by_rule: dict[str, RuleAlerts]
    by_priority: Counter[Priority]
    near_losses: int
    gaps: tuple[RuleGap, ...]
    sources: tuple[Path, ...] = ()
    undetermined: tuple[Undetermined, ...] = ()

    @property
    def alert_count(self) -> int:
        """All alerts."""
        return self.by_priority.total()

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that were kept, the most severe first, then in order of time."""
        kept = [alert for one in self.by_rule.values() for alert in one.kept]
        return tuple(sorted(kept, key=lambda one: (one.priority, one.time_ns, one.num)))

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """What is in each capture."""
        return tuple(summarise(capture) for capture in self.captures)

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of each capture's file."""
        return tuple(file_hash(capture.path) for capture in self.captures)

    @cached_property
    def investigation(self) -> Investigation:
        """Processes and what they did."""
        return Investigation(self.captures)

    @property
    def losses(self) -> tuple[str, ...]:
        """One sentence for each capture that is not complete."""
        return tuple(
            f"{capture.path.name}: {describe_losses(capture.footer.losses)}"
            for capture in self.captures
            if has_losses(capture.footer.losses)
        )

    @property
    def blindness(self) -> tuple[str, ...]:
        """One sentence for each capture in which processes acted past the system calls."""
        return tuple(
            f"{capture.path.name}: {describe_blindness(capture.footer.partly_blind)}"
            for capture in self.captures
            if capture.footer.partly_blind
        )

    @property
    def quiet_rules(self) -> tuple[RulePlan, ...]:
        """Rules that ran and matched nothing."""
        stopped = {gap.rule.name for gap in self.gaps if gap.other_source or gap.runs_on_no_event}
        stopped |= {found.rule.name for found in self.undetermined}
        return tuple(
            rule
            for rule in self.plan.enabled
            if rule.name not in self.by_rule and rule.name not in stopped
        )


def gather(
    captures: Sequence[Capture],
    plan: Plan,
    options: ScanOptions | None = None,
    *,
    sources: Iterable[Path] = (),
) -> Findings:
    """Ask rules of captures, and keep what a report says.

    Args:
        captures: open, in order of time.
        plan: the rules.
        options: how to scan; all matches of the whole captures by default.
        sources: the rules files as the user named them, for the commands that repeat it.

    Raises:
        CaptureError: a capture is damaged.
    """
    chosen = options or ScanOptions()
    found: dict[str, RuleAlerts] = {}
    by_priority: Counter[Priority] = Counter()
    undetermined: list[Undetermined] = []
    near = 0
    for batch in ReplayEngine().scan(captures, plan, chosen):
        losses = batch.capture.footer.losses
        undetermined += batch.undetermined
        for alert in batch.alerts:
            found.setdefault(alert.rule.name, RuleAlerts(alert.rule)).add(alert)
            by_priority[alert.priority] += 1
            near += bool(losses.intervals) and is_near_losses(losses, alert.time_ns)
    severe = sorted(found.items(), key=lambda item: (item[1].rule.priority, -item[1].count))
    gaps = tuple(gap for capture in captures for gap in find_gaps(plan, capture))
    return Findings(
        tuple(captures),
        plan,
        chosen,
        dict(severe),
        by_priority,
        near,
        gaps,
        tuple(sources),
        tuple(undetermined),
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        CaptureError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CaptureError(path, f"cannot be read: {error.strerror}") from None
