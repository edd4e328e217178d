"""The events that alerts are about: who did what, to which file, over which connection.

In: alerts as engines hand them over, with the captures that they come from. Out: each alert with
the values of its event. Only row groups with alerts are read, each once; memory is bounded by a
portion of alerts and one row group.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from falcotrace.alerts import Alert, Evidence
from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.base import AlertBatch
from falcotrace.engines.picked_events import ROWS_PER_BATCH, EventFinder
from falcotrace.errors import CaptureError
from falcotrace.rules.condition import load_columns

_EVENT = ("evt.num", "evt.type", "evt.category", "evt.res", "thread.tid")
_PROCESS = (
    *("proc.pid", "proc.name", "proc.exepath", "proc.cmdline", "proc.cwd", "proc.pid.ts"),
    *("proc.sid", "proc.pgid", "proc.aname"),
    *("proc.ppid", "proc.pname", "proc.pexepath", "proc.pcmdline", "proc.ppid.ts"),
)
_USER = ("user.uid", "user.name", "user.loginname", "group.gid", "group.name")
_FILE = (
    *("fd.type", "fd.name", "fd.ino"),
    *("fs.path.name", "fs.path.source", "fs.path.target"),
)
_CONNECTION = (
    *("fd.l4proto", "fd.is_server", "fd.cip", "fd.cport", "fd.sip", "fd.sport"),
    *("fd.lip", "fd.lport", "fd.rip", "fd.rport"),
)
_CONTAINER = (
    *("container.id", "container.full_id", "container.name", "container.type"),
    *("container.image.id", "container.image.repository", "container.image.tag"),
    *("container.image.digest", "container.privileged"),
    *("k8s.ns.name", "k8s.pod.name", "k8s.pod.uid"),
)

EVIDENCE_COLUMNS: Final = (*_EVENT, *_PROCESS, *_USER, *_FILE, *_CONNECTION, *_CONTAINER)
"""What is told of the event of an alert, by Falco's names."""

_Row = Mapping[str, object]


def events_of_alerts(
    batches: Iterable[AlertBatch], columns: Sequence[str] = EVIDENCE_COLUMNS
) -> Iterator[Evidence]:
    """Yield alerts with their events, in the order of the alerts.

    Args:
        batches: alerts and the open capture of each batch, as `ScanReport.batches` gives them;
            those of one capture in order of `evt.num`.
        columns: fields of the event; without any nothing is read.

    Raises:
        CaptureError: a capture is damaged.
    """
    if not columns:
        for batch in batches:
            yield from (_evidence(alert, batch.capture, {}) for alert in batch.alerts)
        return
    operands = load_columns(("evt.num", *columns))
    finder: EventFinder | None = None
    for batch in batches:
        if finder is None or finder.capture is not batch.capture:
            finder = EventFinder(batch.capture, operands)
        for start in range(0, len(batch.alerts), ROWS_PER_BATCH):
            yield from _with_events(batch.alerts[start : start + ROWS_PER_BATCH], finder)


def _with_events(alerts: Sequence[Alert], finder: EventFinder) -> Iterator[Evidence]:
    capture = finder.capture
    found = finder.find([alert.num for alert in alerts])
    events: dict[int, _Row] = {row["evt.num"]: row for batch in found for row in batch.to_pylist()}
    for alert in alerts:
        if alert.num not in events:
            raise CaptureError(capture.path, f"is damaged: event {alert.num} is not there")
        yield _evidence(alert, capture, events[alert.num])


def _evidence(alert: Alert, capture: CaptureData | StreamedCapture, event: _Row) -> Evidence:
    return Evidence(alert, event, capture.path, capture.footer.host)
