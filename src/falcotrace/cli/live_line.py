"""One line on standard error that is drawn again and again; silent where that is no terminal."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self

_INTERVAL_SECONDS = 0.2


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
