"""The matches of one row group, and the way from there to alerts.

In: which rows match which rules, from any engine. Out: alerts, rendered in portions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from falcotrace.capture.data import CaptureData
from falcotrace.engines.base import AlertBatch, MatchBatch
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.rendering import render_alerts
from falcotrace.rules.plan import Plan

ALERTS_PER_BATCH = 10_000
"""Alerts are rendered in portions, so that a rule that always fires does not fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupMatches:
    """The matches of one row group, and the row group itself to render them from."""

    capture: CaptureData
    source: RowGroupSource
    matches: MatchBatch


def alert_batches(found: GroupMatches, plan: Plan) -> Iterator[AlertBatch]:
    """Render matches, in portions."""
    hostname, name = found.capture.footer.host.hostname, found.capture.path.name
    for start in range(0, len(found.matches), ALERTS_PER_BATCH):
        part = found.matches.part(start, start + ALERTS_PER_BATCH)
        alerts = render_alerts(part, plan, found.source, hostname, name)
        yield AlertBatch(found.capture, alerts)
