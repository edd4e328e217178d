"""A scan: alerts, one after another, and what the captures could not answer."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from falcotrace.alerts import Alert
from falcotrace.api.alerts import CapturedAlert
from falcotrace.capture.summary import (
    is_near_losses,
)
from falcotrace.engines.base import RuleGap, ScanOptions, describe_gap, find_gaps
from falcotrace.engines.replay import ReplayEngine
from falcotrace.rules.left_out import describe_left_out
from falcotrace.rules.plan import Plan

if TYPE_CHECKING:
    from falcotrace.api.captures import Captures
    from falcotrace.capture.reader import Capture
    from falcotrace.scap.capture import ScapCapture


class ScanReport:
    """Alerts, one after another, and what the captures could not answer.

    Iterating scans; each iteration scans anew. Alerts come row group by row group, so memory does
    not grow with the captures.
    """

    def __init__(self, captures: "Captures", plan: Plan, options: ScanOptions) -> None:
        self._captures = captures
        self._plan = plan
        self._options = options
        self._near_losses = 0

    def __iter__(self) -> Iterator[CapturedAlert]:
        self._near_losses = 0
        for batch in ReplayEngine().scan(tuple(self._captures), self._plan, self._options):
            losses = batch.capture.footer.losses
            if losses.intervals:
                near = (is_near_losses(losses, alert.time_ns) for alert in batch.alerts)
                self._near_losses += sum(near)
            for alert in batch.alerts:
                yield _beside(alert, self._captures)

    def _repr_html_(self) -> str:
        from falcotrace.notebook import alerts_html  # noqa: PLC0415 - only Jupyter needs it

        return alerts_html(self, self.coverage_notes)

    @property
    def gaps(self) -> "tuple[tuple[Capture | ScapCapture, RuleGap], ...]":
        """Rules that could not fully run, by capture."""
        return tuple(
            (capture, gap) for capture in self._captures for gap in find_gaps(self._plan, capture)
        )

    @property
    def near_losses(self) -> int:
        """Alerts of the last iteration within seconds of which events were lost."""
        return self._near_losses

    @property
    def coverage_notes(self) -> tuple[str, ...]:
        """One sentence for each rule that could not fully run, the same ones once."""
        notes = (describe_gap(gap) for _, gap in self.gaps)
        return tuple(dict.fromkeys((*describe_left_out(self._plan.left_out), *notes)))


def _beside(alert: Alert, captures: "Captures") -> CapturedAlert:
    return CapturedAlert(
        alert.rule,
        alert.num,
        alert.time_ns,
        alert.output,
        alert.output_fields,
        alert.hostname,
        alert.capture,
        captures=captures,
    )
