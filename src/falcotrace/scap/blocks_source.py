"""The bytes of a capture in windows, whether the file is plain, compressed or a pipe.

In: an open file. Out: `Source`, arrays of bytes by place in the uncompressed capture. A plain file
is mapped and never copied; everything else comes in pieces from a thread, so that decompression
overlaps with decoding and never gets far ahead.
"""

import contextlib
import mmap
import queue
import threading
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import numpy as np

from falcotrace.scap.batch import Bytes
from falcotrace.scap.blocks_gzip import BrokenStreamError

_PIECES_AHEAD = 8
_PUT_SECONDS = 0.05
_JOIN_SECONDS = 1.0
_POPULATE_READ = 22
"""MADV_POPULATE_READ (Linux 5.14, include/uapi/asm-generic/mman-common.h): map many pages at once
instead of by one fault each."""


class Source(Protocol):
    """Bytes of a capture, read from front to back."""

    @property
    def fault(self) -> str:
        """Why the bytes end before the file does; empty where they do not."""
        ...

    def window(self, start: int, size_bytes: int) -> Bytes:
        """At least `size_bytes` from `start` on, fewer only where the capture ends.

        `start` never goes back.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class MappedSource:
    """A plain file."""

    fault = ""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes: Bytes = np.frombuffer(self._map, np.uint8)
        self._left_behind = 0

    def window(self, start: int, size_bytes: int) -> Bytes:
        """A view of the file; pages before it are let go, and come again if they are looked at."""
        taken = self._bytes[start : start + size_bytes]
        page = start - start % mmap.PAGESIZE
        with contextlib.suppress(OSError):
            if page > self._left_behind:
                self._map.madvise(mmap.MADV_DONTNEED, self._left_behind, page - self._left_behind)
                self._left_behind = page
            if len(taken):
                self._map.madvise(_POPULATE_READ, page, start + len(taken) - page)
        return taken

    def close(self) -> None:
        """Close the file; the map goes when the last batch that lies in it goes."""
        self._file.close()


class StreamSource:
    """A file that must be read in order; pieces come from a thread."""

    def __init__(self, file: BinaryIO, pieces: Iterator[bytes]) -> None:
        self.fault = ""
        self._file = file
        self._pieces = pieces
        self._queue: queue.Queue[bytes | None] = queue.Queue(_PIECES_AHEAD)
        self._stop = threading.Event()
        self._window: Bytes = np.empty(0, np.uint8)
        self._start = 0
        self._pending: Bytes = np.empty(0, np.uint8)
        self._is_at_end = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="falcotrace-inflate", daemon=True)
        self._thread.start()

    def window(self, start: int, size_bytes: int) -> Bytes:
        """A new array that begins with what is left of the window before."""
        left = self._window[start - self._start :]
        buffer = np.empty(max(size_bytes, len(left)), np.uint8)
        buffer[: len(left)] = left
        filled = len(left)
        while filled < len(buffer) and self._fetch():
            taken = min(len(buffer) - filled, len(self._pending))
            buffer[filled : filled + taken] = self._pending[:taken]
            self._pending = self._pending[taken:]
            filled += taken
        self._window, self._start = buffer[:filled], start
        return self._window

    def close(self) -> None:
        """End the thread; one that waits for a pipe is left to end with the program."""
        self._stop.set()
        self._thread.join(_JOIN_SECONDS)
        if not self._thread.is_alive():
            self._file.close()

    def _fetch(self) -> bool:
        """Whether there is a pending byte."""
        while not len(self._pending) and not self._is_at_end:
            piece = self._queue.get()
            if piece is None:
                self._is_at_end = True
                if self._failure is not None:
                    raise self._failure
            else:
                self._pending = np.frombuffer(piece, np.uint8)
        return len(self._pending) > 0

    def _run(self) -> None:
        try:
            for piece in self._pieces:
                if not self._put(piece):
                    return
        except BrokenStreamError as error:
            self.fault = str(error)
        except OSError as error:
            self.fault = f"the file cannot be read further ({error.strerror})"
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for a window
            self._failure = error
        self._put(None)

    def _put(self, piece: bytes | None) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(piece, timeout=_PUT_SECONDS)
                return True
        return False
