"""The matches of one row group, and the way from there to alerts.

In: which rows match which rules, from any engine. Out: alerts, rendered in portions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from falcotrace.alerts import Undetermined
from falcotrace.capture.data import CaptureData
from falcotrace.engines.base import AlertBatch, MatchBatch
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.rendering import render_alerts
from falcotrace.rules.plan import Plan

ALERTS_PER_BATCH = 10_000
"""Alerts are rendered in portions, so that a rule that always fires does not fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupMatches:
    """The matches of one row group, and the row group itself to render them from.

    Attributes:
        capture: the capture.
        source: the row group.
        matches: which rows match which rules.
        steps: by place of the rule and number of the event, the events that led to it.
        undetermined: what nobody can say, of the whole capture.
    """

    capture: CaptureData
    source: RowGroupSource
    matches: MatchBatch
    steps: Mapping[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    undetermined: tuple[Undetermined, ...] = ()

    def __bool__(self) -> bool:
        return bool(len(self.matches) or self.undetermined)


def alert_batches(found: GroupMatches, plan: Plan) -> Iterator[AlertBatch]:
    """Render matches, in portions."""
    hostname, name = found.capture.footer.host.hostname, found.capture.path.name
    if found.undetermined:
        yield AlertBatch(found.capture, (), found.undetermined)
    for start in range(0, len(found.matches), ALERTS_PER_BATCH):
        part = found.matches.part(start, start + ALERTS_PER_BATCH)
        alerts = render_alerts(part, plan, found.source, hostname, name, found.steps)
        yield AlertBatch(found.capture, alerts)
