"""One line on standard error that is drawn again and again; silent where that is no terminal."""

import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

Item = TypeVar("Item")

_INTERVAL_SECONDS = 0.2
_PATIENCE_SECONDS = 1.0
"""What is done sooner needs no line."""


class LiveLine:
    """A line that replaces itself. Use as a context manager: it cleans up behind it."""

    def __init__(self) -> None:
        self._drawn = False
        self._last = 0.0
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away, so that something else can be printed in its place."""
        if self._drawn:
            self._drawn = False
            self._last = 0.0
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, text: str) -> None:
        """Draw the line, at most a few times a second."""
        now = time.monotonic()
        if not self._is_terminal or now - self._last < _INTERVAL_SECONDS:
            return
        self._last = now
        self._drawn = True
        width = shutil.get_terminal_size((100, 24)).columns
        sys.stderr.write("\r\x1b[K" + text[: width - 1])
        sys.stderr.flush()


class Waiting:
    """Says what is going on, and for how long, where it takes more than a second.

    Args:
        text: what is going on; escaped by the caller.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_done = threading.Event()
        self._line = LiveLine()
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._thread = threading.Thread(target=self._tell, name="waiting", daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_done.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._line.clear()

    def before_each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Hand on what is about to be printed; the line comes back when nothing more does."""
        for item in items:
            self._step_back()
            yield item
        self._step_back()

    def _step_back(self) -> None:
        with self._lock:
            self._line.clear()
            self._quiet_until = time.monotonic() + _PATIENCE_SECONDS

    def _tell(self) -> None:
        began = time.monotonic()
        self._quiet_until = began + _PATIENCE_SECONDS
        while not self._is_done.wait(_INTERVAL_SECONDS):
            with self._lock:
                now = time.monotonic()
                if now >= self._quiet_until:
                    self._line.show(f"{self._text}  {now - began:.0f} s")
