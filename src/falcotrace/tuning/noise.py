"""What fired on captures that are known to be good, and with which values.

In: captures and a rule. Out: the distinct combinations of values of its alerts, with how many there
are and where. No loop over events: combinations are counted by codes.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.capture.reader import Capture
from falcotrace.capture.summary import recorded_ns
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.conditions import count_values
from falcotrace.errors import RulesError
from falcotrace.rules.condition import load_columns
from falcotrace.rules.plan import Operand, RulePlan
from falcotrace.tuning.shapes import Shape

HOUR_NS = 3_600_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class AlertRow:
    """Alerts that have the same values.

    Attributes:
        values: by field, as texts; fields without a value are left out.
        counts: alerts by capture.
    """

    values: dict[str, str]
    counts: dict[Path, int]

    @property
    def alerts(self) -> int:
        """How many alerts there are."""
        return sum(self.counts.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Baseline:
    """Captures that are known to be good, open.

    Attributes:
        captures: in order of time.
    """

    captures: tuple[Capture, ...]

    @property
    def hours(self) -> float:
        """How long they were recorded for, together."""
        return sum(map(recorded_ns, self.captures)) / HOUR_NS

    @property
    def hosts(self) -> dict[Path, str]:
        """The host of each."""
        return {capture.path: capture.footer.host.hostname for capture in self.captures}


def usable_shapes(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    """The shapes whose fields have one value for an event, as text or as number."""
    return tuple(shape for shape in shapes if _columns(shape.fields) is not None)


def alert_rows(
    captures: Sequence[CaptureData | StreamedCapture], rule: RulePlan, shapes: Sequence[Shape]
) -> list[AlertRow]:
    """The combinations of values of a rule's alerts, those of most alerts first.

    Args:
        captures: open captures.
        rule: the rule, or a condition on its alerts, enabled.
        shapes: usable ones; the fields whose values are of interest.

    Raises:
        CaptureError: a capture is damaged.
        FalcoTraceError: there are more combinations than can be counted.
    """
    fields = tuple(dict.fromkeys(field for shape in shapes for field in shape.fields))
    columns = _columns(fields) or ()
    rows: dict[tuple[str | None, ...], dict[Path, int]] = {}
    for capture in captures:
        counted = count_values([capture], rule, columns, ScanOptions())
        texts = [map(_text, column.to_pylist()) for column in counted.combinations.columns]
        values = zip(*texts, strict=True) if texts else [()] * len(counted.counts)
        for key, count in zip(values, counted.counts.tolist(), strict=True):
            rows.setdefault(key, {})[capture.path] = count
    found = [
        AlertRow(
            {field: text for field, text in zip(fields, key, strict=True) if text is not None},
            counts,
        )
        for key, counts in rows.items()
    ]
    return sorted(found, key=lambda row: (-row.alerts, sorted(row.values.items())))


def _columns(fields: Sequence[str]) -> tuple[Operand, ...] | None:
    """The fields as columns; None if outputs cannot print one of them."""
    try:
        columns = load_columns(list(fields)) if fields else ()
    except RulesError:
        return None
    # Two spellings of one field would be one column.
    return columns if [column.text for column in columns] == list(fields) else None


def _text(value: object) -> str | None:
    """A value as a rule would write it; lists and buffers cannot be."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None
