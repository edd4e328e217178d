"""What `falcotrace record` prints while it records: one live line, and captures as they appear."""

import sys
from types import TracebackType
from typing import Self

from falcotrace.capture.summary import describe_losses
from falcotrace.cli.live_line import LiveLine
from falcotrace.cli.quantities import show_bytes, show_duration
from falcotrace.outputs.escape import for_terminal
from falcotrace.record.options import Observer, Progress
from falcotrace.record.parts import WrittenCapture


class RecordingLines(Observer):
    """Prints to standard error. Use as a context manager."""

    def __init__(self) -> None:
        self._line = LiveLine()

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
        self._line.show(
            f"recording {show_duration(progress.elapsed_s)}  {progress.event_count:,} events  "
            f"{progress.events_per_s:,.0f}/s  lost {progress.lost_count:,}  "
            f"{show_bytes(progress.file_bytes)}  {progress.unconverted_count:,} waiting  "
            "(Ctrl-C ends)"
        )

    def wrote(self, capture: WrittenCapture) -> None:
        """Say which capture was written."""
        self._print(captured(capture))

    def failed(self, reason: str) -> None:
        """Say which was not."""
        self._print(f"warning: {reason}")

    def _print(self, text: str) -> None:
        self._line.clear()
        print(for_terminal(text), file=sys.stderr, flush=True)


def captured(capture: WrittenCapture) -> str:
    """A capture, its events, its size and what is missing from it."""
    return (
        f"{capture.path}: {capture.event_count:,} events, {show_bytes(capture.size_bytes)}; "
        f"lost: {describe_losses(capture.losses)}"
    )
