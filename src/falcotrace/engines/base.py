"""What engines have in common: options, matches, and what a capture cannot answer.

In: captures and a plan. Out: matches in order. Engines differ in how they get there and in nothing
else.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from falcotrace.alerts import Alert, Undetermined
from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.field_columns import columns_of, is_unsupported
from falcotrace.engines.vectors import Codes, Integers, Rows
from falcotrace.events.argument_forms import MARKS
from falcotrace.rules.asked import asked_events, asked_fields
from falcotrace.rules.plan import CONDITION_NAME, FieldOperand, Plan, RulePlan

SYSCALL_SOURCE = "syscall"
"""The only event source that captures hold."""

_ANY_COLUMN_WILL_DO = frozenset({"arg", "args", "rawarg", "abspath"})
"""Functions that read one column or another, by the type of the event."""


def default_threads() -> int:
    """One thread more than cores: while one waits for the interpreter, another decodes.

    Measured on 2 cores and 20 M events: 5.3 s with one thread, 4.0 with two, 3.6 with three.
    """
    cores = len(os.sched_getaffinity(0))
    return cores + 1 if cores > 1 else 1


_NAMED_FIELDS = 4
"""More missing fields than these are only counted in a note."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to scan.

    Attributes:
        first_match: only the first rule in the order of the plan fires on an event, as with
            Falco's `rule_matching: first`; otherwise every rule that holds.
        since_ns: leave out events before this time, ns since the epoch.
        until_ns: leave out events at this time and later.
        threads: how many row groups are worked on at the same time.
    """

    first_match: bool = False
    since_ns: int | None = None
    until_ns: int | None = None
    threads: int = dataclasses.field(default_factory=default_threads)

    def overlaps(self, first_ns: int, last_ns: int) -> bool:
        """Whether something of a span of time is asked for."""
        return (self.since_ns is None or last_ns >= self.since_ns) and (
            self.until_ns is None or first_ns < self.until_ns
        )


@dataclass(frozen=True, slots=True, eq=False)
class MatchBatch:
    """Matches of one row group, ordered by `evt.num`, then by the place of the rule.

    Attributes:
        rules: for each match the place of the rule in the plan.
        rows: its row in the row group.
        nums: its `evt.num`.
        times_ns: its `evt.time`.
    """

    rules: Codes
    rows: Rows
    nums: Integers
    times_ns: Integers

    def __len__(self) -> int:
        return len(self.rules)

    def part(self, start: int, end: int) -> "MatchBatch":
        """The matches from one place up to another."""
        return MatchBatch(
            self.rules[start:end],
            self.rows[start:end],
            self.nums[start:end],
            self.times_ns[start:end],
        )


def order_matches(batch: MatchBatch, *, first_match: bool) -> MatchBatch:
    """Put matches into the order of alerts; with `first_match` keep one for each event."""
    order = np.lexsort((batch.rules, batch.nums))
    if first_match:
        nums = batch.nums[order]
        order = order[np.diff(nums, prepend=nums[:1] - 1) != 0]
    return MatchBatch(
        batch.rules[order], batch.rows[order], batch.nums[order], batch.times_ns[order]
    )


def joined_matches(batches: Sequence[MatchBatch]) -> MatchBatch:
    """Matches of one row group from several sources, in no order."""
    return MatchBatch(
        np.concatenate([batch.rules for batch in batches]),
        np.concatenate([batch.rows for batch in batches]),
        np.concatenate([batch.nums for batch in batches]),
        np.concatenate([batch.times_ns for batch in batches]),
    )


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """Alerts that became known together.

    Attributes:
        capture: the capture that they come from.
        alerts: in order of `evt.num`.
        undetermined: what nobody can say of rules about several events, of the whole capture.
    """

    capture: CaptureData | StreamedCapture
    alerts: tuple[Alert, ...]
    undetermined: tuple[Undetermined, ...] = ()


class Engine(Protocol):
    """Runs the enabled rules of a plan over captures."""

    def scan(
        self, captures: Sequence[CaptureData | StreamedCapture], plan: Plan, options: ScanOptions
    ) -> Iterator[AlertBatch]:
        """Yield alerts, those of one capture in order of `evt.num`."""
        ...


@dataclass(frozen=True, slots=True)
class RuleGap:
    """Why a rule could not fully run on a capture.

    Attributes:
        rule: the rule.
        missing_events: types of events that it looks at and that were not recorded, sorted.
        runs_on_no_event: whether none of its types of events was recorded.
        unrecorded_fields: fields, as the rule spells them, that this recording never fills.
        unsupported_fields: fields that no capture can answer.
        other_source: the rule is about another event source.
    """

    rule: RulePlan
    missing_events: tuple[str, ...]
    runs_on_no_event: bool
    unrecorded_fields: tuple[str, ...]
    unsupported_fields: tuple[str, ...]
    other_source: bool


def find_gaps(plan: Plan, capture: CaptureData | StreamedCapture) -> tuple[RuleGap, ...]:
    """Return what a capture cannot answer, for each enabled rule that is concerned."""
    gaps = (_gap(rule, capture) for rule in plan.enabled)
    return tuple(gap for gap in gaps if gap is not None)


def describe_gap(gap: RuleGap) -> str:
    """One sentence about a rule, or a condition by itself, that could not fully run."""
    is_condition = gap.rule.name == CONDITION_NAME
    name = "the condition" if is_condition else f"rule `{gap.rule.name}`"
    if gap.other_source:
        return f"{name} did not run: it is about events of `{gap.rule.source}`"
    reasons = []
    if gap.missing_events:
        reasons.append(f"without the events {', '.join(gap.missing_events)}")
    if gap.unrecorded_fields:
        reasons.append(f"without values of {_short_list(gap.unrecorded_fields)}")
    if gap.unsupported_fields:
        reasons.append(f"with fields that are not supported: {_short_list(gap.unsupported_fields)}")
    verb = "did not run" if gap.runs_on_no_event else "ran"
    return f"{name} {verb} {' and '.join(reasons)}, which this capture does not have"


def _short_list(fields: Sequence[str]) -> str:
    """Names of fields without their arguments, each once, the first few."""
    names = list(dict.fromkeys(field.partition("[")[0] for field in fields))
    more = f" and {len(names) - _NAMED_FIELDS} more" if len(names) > _NAMED_FIELDS else ""
    return ", ".join(names[:_NAMED_FIELDS]) + more


def runs_on_captures(rule: RulePlan) -> bool:
    """Whether a rule is about the event source that captures hold."""
    return rule.enabled and rule.source == SYSCALL_SOURCE


def _gap(rule: RulePlan, capture: CaptureData | StreamedCapture) -> RuleGap | None:
    recorded = capture.footer.recording.event_names
    wanted = asked_events(rule) or frozenset()
    own = rule.event_names or frozenset()
    fields = asked_fields(rule)
    missing = sorted(wanted - set(recorded)) if recorded is not None else []
    unrecorded = [operand.text for operand in fields if is_unrecorded(operand, capture.unrecorded)]
    unsupported = [operand.text for operand in fields if is_unsupported(operand)]
    other_source = rule.source != SYSCALL_SOURCE
    if not (missing or unrecorded or unsupported or other_source):
        return None
    return RuleGap(
        rule=rule,
        missing_events=tuple(missing),
        runs_on_no_event=bool(own) and own <= set(missing),
        unrecorded_fields=tuple(dict.fromkeys(unrecorded)),
        unsupported_fields=tuple(dict.fromkeys(unsupported)),
        other_source=other_source,
    )


def is_unrecorded(operand: FieldOperand, unrecorded: frozenset[str]) -> bool:
    """Whether a field has no value because a recording never fills its columns."""
    paths = [path for path in columns_of(operand) if path not in MARKS]
    if operand.field.source in _ANY_COLUMN_WILL_DO:
        return bool(paths) and all(path in unrecorded for path in paths)
    return any(path in unrecorded for path in paths)
