"""When an alert makes a capture of what a recording has kept."""

import time

from falcotrace.alerts import Alert
from falcotrace.record.options import RecordOptions

_LEAST_APART_SECONDS = 60.0


class AlertSeals:
    """Decides when captures are due, so that alerts that go on do not fill the disk.

    A capture is made some seconds after an alert; further alerts until then are in it. The next is
    made a window later at the earliest: what it holds begins where this one ends, so nothing is
    missing and little is there twice.

    Args:
        options: which alerts, and how long after.
    """

    def __init__(self, options: RecordOptions) -> None:
        self._least = options.seal_priority
        self._delay_s = options.seal_delay_s
        self._apart_s = options.window_s or _LEAST_APART_SECONDS
        self._not_before = 0.0
        self._due: tuple[float, str] | None = None

    def note(self, alert: Alert) -> None:
        """Take in an alert; may be called from another thread."""
        if self._least is None or alert.priority > self._least or self._due is not None:
            return
        at = max(time.monotonic() + self._delay_s, self._not_before)
        self._due = (at, f"alert: {alert.rule.name}")

    def take(self) -> str:
        """Why a capture is to be made now; empty while none is."""
        due = self._due
        if due is None or time.monotonic() < due[0]:
            return ""
        self._not_before = time.monotonic() + self._apart_s
        self._due = None
        return due[1]
