"""What `falcotrace record` prints meanwhile: alerts, captures as they appear, a live line."""

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from falcotrace.alerts import Alert
from falcotrace.capture.summary import describe_losses
from falcotrace.cli.live_line import LiveLine
from falcotrace.cli.quantities import show_bytes, show_duration
from falcotrace.errors import EvidenceError
from falcotrace.evidence.signing import CaptureSigner
from falcotrace.outputs.escape import for_terminal
from falcotrace.record.options import Observer, Progress
from falcotrace.record.parts import WrittenCapture


class RecordingLines(Observer):
    """Prints alerts to standard output, everything else to standard error.

    Use as a context manager.

    Args:
        alert_line: how an alert is written.
        signer: signs captures that are written while recording goes on; None: nobody.
    """

    def __init__(
        self, alert_line: Callable[[Alert], str], signer: CaptureSigner | None = None
    ) -> None:
        self._signer = signer
        self._line = LiveLine()
        self._alert_line = alert_line
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.__exit__(kind, error, trace)

    def progressed(self, progress: Progress) -> None:
        """Draw the live line."""
        text = (
            f"recording {show_duration(progress.elapsed_s)}  {progress.event_count:,} events  "
            f"{progress.events_per_s:,.0f}/s  lost {progress.lost_count:,}  "
            f"{show_bytes(progress.file_bytes)}  {progress.unconverted_count:,} waiting  "
            "(Ctrl-C ends)"
        )
        with self._lock:
            self._line.show(text)

    def wrote(self, capture: WrittenCapture) -> None:
        """Say which capture was written, and sign it."""
        self._print(captured(capture))
        if self._signer is not None:
            try:
                self._signer.sign(capture.path)
            except EvidenceError as error:
                self.noted(f"not signed: {error}")

    def noted(self, text: str) -> None:
        """Say what did not go as asked."""
        self._print(f"note: {text}")

    def alerted(self, alert: Alert) -> None:
        """Print an alert."""
        text = self._alert_line(alert)
        with self._lock:
            self._line.clear()
            print(text, flush=True)

    def _print(self, text: str) -> None:
        with self._lock:
            self._line.clear()
            print(for_terminal(text), file=sys.stderr, flush=True)


def captured(capture: WrittenCapture) -> str:
    """A capture, its events, its size and what is missing from it."""
    return (
        f"{capture.path}: {capture.event_count:,} events, {show_bytes(capture.size_bytes)}; "
        f"lost: {describe_losses(capture.losses)}"
    )
