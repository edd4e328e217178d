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
    """

    rule: RulePlan
    num: int
    time_ns: int
    output: str
    output_fields: Mapping[str, FieldValue]
    hostname: str
    capture: str = ""

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
