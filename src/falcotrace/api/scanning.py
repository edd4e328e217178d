"""A scan: alerts, one after another, and what the captures could not answer."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from falcotrace.alerts import Alert, Evidence, Undetermined
from falcotrace.api.alerts import CapturedAlert
from falcotrace.capture.summary import (
    is_near_losses,
)
from falcotrace.engines.base import AlertBatch, RuleGap, ScanOptions, describe_gap, find_gaps
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
        self._undetermined: tuple[Undetermined, ...] = ()

    def __iter__(self) -> Iterator[CapturedAlert]:
        for batch in self.batches():
            for alert in batch.alerts:
                yield _beside(alert, self._captures)

    def batches(self) -> Iterator[AlertBatch]:
        """The alerts as they become known, each batch with the capture that it comes from."""
        self._near_losses = 0
        self._undetermined = ()
        for batch in ReplayEngine().scan(tuple(self._captures), self._plan, self._options):
            losses = batch.capture.footer.losses
            if losses.intervals:
                near = (is_near_losses(losses, alert.time_ns) for alert in batch.alerts)
                self._near_losses += sum(near)
            self._undetermined += batch.undetermined
            yield batch

    def evidence(self, columns: Sequence[str] | None = None) -> Iterator[Evidence]:
        """The alerts, each with its event; of all fields that exports tell, or of some columns.

        Raises:
            CaptureError: a capture is damaged.
        """
        from falcotrace.investigate import evidence  # noqa: PLC0415 - scans do not need it

        chosen = evidence.EVIDENCE_COLUMNS if columns is None else columns
        return evidence.events_of_alerts(self.batches(), chosen)

    def export(self, name: str, stream: TextIO) -> int:
        """Write the alerts for another tool, and return how many there were.

        Args:
            name: of the format: `ecs`, `ocsf`, `sarif` ... (`outputs.exports.formats`).
            stream: where to.

        Raises:
            FalcoTraceError: there is no such format.
            CaptureError: a capture is damaged.
        """
        from falcotrace.outputs.exports import context, formats  # noqa: PLC0415 - as above

        alerts = self.evidence(None if formats.export_format(name).needs_events else ())
        about = context.ExportContext(
            rules=self._plan.enabled,
            captures=tuple(capture.path for capture in self._captures),
            notes=(*self._captures.loss_notes, *self.coverage_notes),
        )
        return formats.write_export(name, alerts, about, stream)

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
    def undetermined(self) -> tuple[Undetermined, ...]:
        """What nobody can say of rules about several events, in the last iteration."""
        return self._undetermined

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
        alert.steps,
        captures=captures,
    )
