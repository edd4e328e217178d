"""The alert: what a rule says about one event.

Engines make alerts, outputs write them. Texts are in the form of `events.text.to_text`; nothing is
escaped here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from falcotrace.capture.footer import Host
from falcotrace.rules.plan import Priority, RulePlan

FieldValue = str | int | float | bool | None
"""The value of an output field, as JSON has it; None where the event has none."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule that fired on one event.

    Attributes:
        rule: the rule.
        num: the event's `evt.num`.
        time_ns: when the event happened, ns since the epoch.
        output: the rule's template, filled in.
        output_fields: the fields of the template by their text, with typed values.
        hostname: the host that was recorded.
        capture: name of the capture file.
        steps: of a rule about several events `evt.num` of those that led to this one, in order; of
            very many the latest.
    """

    rule: RulePlan
    num: int
    time_ns: int
    output: str
    output_fields: Mapping[str, FieldValue]
    hostname: str
    capture: str = ""
    steps: tuple[int, ...] = ()

    @property
    def priority(self) -> Priority:
        """How severe the rule is."""
        return self.rule.priority

    @property
    def tags(self) -> tuple[str, ...]:
        """The rule's tags, sorted."""
        return self.rule.tags

    @property
    def source(self) -> str:
        """The rule's event source."""
        return self.rule.source


MOST_NAMED = 1_000
"""So many events for which nobody can say are named, and all are counted."""


@dataclass(frozen=True, slots=True)
class Undetermined:
    """Events for which nobody can say whether a rule about several events fires.

    Attributes:
        rule: the rule.
        reason: why not.
        count: how many events.
        nums: `evt.num` of the first of them, in order of time.
        first_ns: when the first one happened, ns since the epoch.
        last_ns: when the last one did.
        hostname: the host that was recorded.
        capture: name of the capture file.
    """

    rule: RulePlan
    reason: str
    count: int
    nums: tuple[int, ...]
    first_ns: int
    last_ns: int
    hostname: str
    capture: str = ""


def describe_undetermined(found: Undetermined) -> str:
    """One sentence about events for which nobody can say."""
    first = f"event {found.nums[0]}"
    which = first if found.count == 1 else f"{found.count:,} events, the first of them {first}"
    return f"{found.capture}: rule `{found.rule.name}` is undetermined for {which}: {found.reason}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An alert, and the event that its rule fired on.

    Attributes:
        alert: the alert.
        event: values of the event by field; None where it has none.
        path: the capture's file.
        host: the machine that was recorded.
    """

    alert: Alert
    event: Mapping[str, object]
    path: Path
    host: Host

    @property
    def key(self) -> tuple[Path, int]:
        """What tells the event from those of other captures: the file and `evt.num`."""
        return self.path, self.alert.num
