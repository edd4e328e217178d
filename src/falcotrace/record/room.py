"""Room on the disk: the limits of a recording, and a reserve to bring it to its end.

In: limits. Out: whether one is reached.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from falcotrace.capture.appended_file import MakeRoom

DEFAULT_FREE_BYTES: Final = 256 << 20
RESERVE_BYTES: Final = 16 << 20
"""Given back when the disk is full: enough for the row group with which the journal shrinks."""

_LOOK_SECONDS: Final = 0.1


class Reserve:
    """A file that takes room, for what has to be written when there is none left.

    Args:
        folder: the recording's folder.

    Attributes:
        path: the file; one that an interrupted recording has left counts as well.
        before: done before the room is given back, so that only conversion takes of it: the
            journal would fill it again at once.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "reserve"
        self.before: MakeRoom = lambda: None

    def take(self) -> None:
        """Take the room, as far as there is some."""
        with contextlib.suppress(OSError):
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, RESERVE_BYTES)
            finally:
                os.close(file)

    def give_back(self) -> None:
        """Give it back; from any thread, and more than once."""
        self.before()
        self.path.unlink(missing_ok=True)


class RoomKeeper:
    """Watches how much room a recording takes and leaves.

    Args:
        folder: the recording's folder.
        reserve: what does not count.
        max_bytes: what it may take; 0 for no limit.
        free_bytes: what must be left for others.

    Attributes:
        moved_bytes: what the recording has written to other places.
    """

    def __init__(self, folder: Path, reserve: Reserve, max_bytes: int, free_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._free_bytes = free_bytes
        self._looked = 0.0
        self._reason = ""
        self._reserve = reserve
        self.moved_bytes = 0

    def reached_limit(self) -> str:
        """Which limit is reached; empty while none is."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._reason = self._look()
        return self._reason

    def _look(self) -> str:
        if self._free_bytes:
            found = os.statvfs(self._folder)
            if found.f_bavail * found.f_frsize < self._free_bytes:
                return "disk: less room left than asked for"
        if self._max_bytes and self._taken_bytes() >= self._max_bytes:
            return "size"
        return ""

    def _taken_bytes(self) -> int:
        sizes = self.moved_bytes
        for path in self._folder.iterdir():
            # A part of the journal may be given back meanwhile.
            with contextlib.suppress(FileNotFoundError):
                sizes += path.stat().st_size if path != self._reserve.path else 0
        return sizes
