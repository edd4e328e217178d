"""What a comparison found, and which differences are accepted.

In: differences. Out: counts, and those that nobody has accepted. `accepted.tsv` lists differences
that stay, each with its reason: Falco's own defects, and what it looked up outside the capture.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

ACCEPTED = Path(__file__).with_name("accepted.tsv")


class Kind(StrEnum):
    """How an answer differs from Falco's."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Difference:
    """Events on which the same thing differs in the same way.

    Attributes:
        kind: whether the alert (or event) is missing, is extra, or has another value.
        subject: the field, the rule, or `RULE/FIELD` for a value of an alert.
        event: the type of the events, where it is known.
        falco: what Falco printed, as JSON; empty where it printed nothing.
        ours: what we have, as JSON; empty where we have nothing.
        count: number of events.
        events: the first few of them, as text.
    """

    kind: Kind
    subject: str
    event: str
    falco: str
    ours: str
    count: int
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one comparison found.

    Attributes:
        capture: name of the capture.
        rule_set: a set of rules, or `events`.
        same: number of alerts, or of values of fields, that are the same.
        differences: everything else.
    """

    capture: str
    rule_set: str
    same: int
    differences: tuple[Difference, ...]

    def count(self, kind: Kind) -> int:
        """Number of differences of one kind."""
        return sum(found.count for found in self.differences if found.kind is kind)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One line of `accepted.tsv`; `*` stands for anything in all but the reason."""

    capture: str
    rule_set: str
    subject: str
    event: str
    falco: str
    ours: str
    reason: str

    def is_about(self, capture: str, rule_set: str) -> bool:
        """Whether this line speaks of a comparison."""
        return _matches(self.capture, capture) and _matches(self.rule_set, rule_set)

    def covers(self, outcome: Outcome, found: Difference) -> bool:
        """Whether this line speaks of a difference."""
        return (
            self.is_about(outcome.capture, outcome.rule_set)
            and _matches(self.subject, found.subject)
            and _matches(self.event, found.event)
            and _matches(self.falco, found.falco)
            and _matches(self.ours, found.ours)
        )


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def read_acceptances(path: Path = ACCEPTED) -> tuple[Acceptance, ...]:
    """The lines of `accepted.tsv`."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(Acceptance(**row) for row in rows)


def without_accepted(outcome: Outcome, acceptances: Sequence[Acceptance]) -> Outcome:
    """The outcome without the differences that are accepted."""
    rest = tuple(
        found
        for found in outcome.differences
        if not any(line.covers(outcome, found) for line in acceptances)
    )
    return replace(outcome, differences=rest)


def no_longer_needed(
    outcomes: Iterable[Outcome], acceptances: Sequence[Acceptance]
) -> tuple[Acceptance, ...]:
    """Accepted differences that do not occur in any of the outcomes."""
    idle = set(acceptances)
    for outcome in outcomes:
        for found in outcome.differences:
            idle -= {line for line in idle if line.covers(outcome, found)}
    return tuple(line for line in acceptances if line in idle)


def acceptance_lines(outcome: Outcome) -> list[str]:
    """The differences as lines for `accepted.tsv`, whose reasons are still to be written."""
    return [
        "\t".join(
            (
                *(outcome.capture, outcome.rule_set, found.subject, found.event),
                *(found.falco, found.ours, "?"),
            )
        )
        for found in outcome.differences
    ]
