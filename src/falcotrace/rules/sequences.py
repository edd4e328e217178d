"""Rules about several events: what stands beside the condition, ready for engines.

The loader makes these, engines read them. A rule stays what it is without them: its condition is
about one event, the one that an alert is about. What `count` and `sequence` add is about the events
around it, and defined here, once for all engines:

- Events are in order of `evt.time`, those of one time in order of `evt.num`; a capture stands for
  itself. Two events lie within a span if their times differ by no more than it.
- Only events with equal keys belong together; one that has no value for a part of the key belongs
  to none. (Of `process` and `container` only the number of the process has to be there.)
- A count is that of the events that the condition holds for, up to an event and within the span
  before it. With `distinct` it is that of their values, and events without a value do not count.
  The alert is about the event with which the count is reached; there is another one only after an
  event at which the count was below.
- Steps of `after` lie before the event, one before the other, all within the span; of several
  chains the latest counts. A step of `without` lies between the first step and the event; without
  `after`, within the span before it. A step of `unless_followed_by` lies behind, within the span.

Nothing is evaluated here.
"""

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcotrace.rules.plan import FieldOperand, Formula, Operand


@dataclasses.dataclass(frozen=True, slots=True)
class KeyValue:
    """One value of a key.

    Args:
        operand: what is compared.
        is_optional: a missing value is a value too, equal to any other missing one.
        is_birth: the value is when a process began, ns since the epoch.
    """

    operand: "Operand"
    is_optional: bool = False
    is_birth: bool = False


Key: TypeAlias = tuple[KeyValue, ...]
"""What events must share; the empty key is shared by all events of a capture."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Events that a rule relates to others.

    Args:
        condition: the formula over atoms.
        condition_text: Falco's canonical printing of the condition.
        event_names: the event types that it is tried on; None for all.
        condition_fields: every field that it reads, once each.
        key: as long as the rule's other keys, each value of the kind of theirs.
    """

    condition: "Formula"
    condition_text: str
    event_names: frozenset[str] | None
    condition_fields: "tuple[FieldOperand, ...]"
    key: Key


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """At least so many events, or values, within a span of time.

    Args:
        at_least: events, or distinct values; 2 or more.
        distinct: what is counted; None counts events.
        key: of the events.
        key_text: as it was written.
        within_ns: the span.
    """

    at_least: int
    distinct: "Operand | None"
    key: Key
    key_text: str
    within_ns: int

    @property
    def steps(self) -> tuple[Step, ...]:
        """None but the condition's own."""
        return ()


@dataclasses.dataclass(frozen=True, slots=True)
class Sequence:
    """Events before and behind.

    Args:
        key: of the rule's own event.
        key_text: as it was written.
        within_ns: the span.
        after: steps that lie before the event, in order.
        without: steps of which none may lie before.
        unless_followed_by: steps of which none may lie behind.
    """

    key: Key
    key_text: str
    within_ns: int
    after: tuple[Step, ...] = ()
    without: tuple[Step, ...] = ()
    unless_followed_by: tuple[Step, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps but the rule's own event: those before, those forbidden, those behind."""
        return (*self.after, *self.without, *self.unless_followed_by)


Correlation: TypeAlias = Count | Sequence
"""What a rule says about the events around the one that its condition holds for."""


def iter_operands(correlation: Correlation) -> "Iterator[Operand]":
    """Yield what keys and counts read, repeated ones each time."""
    if isinstance(correlation, Count) and correlation.distinct is not None:
        yield correlation.distinct
    for key in (correlation.key, *(step.key for step in correlation.steps)):
        for value in key:
            yield value.operand


def describe_correlation(correlation: Correlation) -> list[tuple[str, str]]:
    """What people read of it, in parts, each with its name.

    Example:
        >>> describe_correlation(Count(3, None, (), "host", 5_000_000_000))
        [('count', 'at least 3 events'), ('by', 'host'), ('within', '5s')]
    """
    rows: list[tuple[str, str]] = []
    if isinstance(correlation, Count):
        what = (
            "events" if correlation.distinct is None else f"values of {correlation.distinct.text}"
        )
        rows.append(("count", f"at least {correlation.at_least:,} {what}"))
    else:
        for name in ("after", "without", "unless_followed_by"):
            steps: tuple[Step, ...] = getattr(correlation, name)
            rows += [(name.replace("_", " "), step.condition_text) for step in steps]
    return [*rows, ("by", correlation.key_text), ("within", print_span(correlation.within_ns))]


def correlation_digest(correlation: Correlation) -> str:
    """The same text for what finds the same."""
    keys = [[value.operand.text for value in step.key] for step in correlation.steps]
    own = [value.operand.text for value in correlation.key]
    return repr((describe_correlation(correlation), own, keys))


SPAN_UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Units of `within`, in ns."""


def print_span(span_ns: int) -> str:
    """A span as rules spell it, in the largest unit that it is whole in.

    Example:
        >>> print_span(300_000_000_000), print_span(90_000_000_000)
        ('5m', '90s')
    """
    unit = next(name for name in reversed(SPAN_UNITS) if span_ns % SPAN_UNITS[name] == 0)
    return f"{span_ns // SPAN_UNITS[unit]}{unit}"
