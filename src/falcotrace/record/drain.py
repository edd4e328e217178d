"""Takes samples out of the ring as fast as they come, so that only memory can run out.

A thread copies whole batches out of the kernel's ring; whoever converts them takes what has
gathered. Nothing is decoded here. The memory is bounded: when the converter is that far behind, the
ring is left to fill, and the kernel counts what finds no room.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from falcotrace.record.rights import keep_only
from falcotrace.record.ring import PAUSE_BELOW_BYTES, Batch, Ring

IDLE_SECONDS = 0.004
"""Pause when the ring is empty: the recorder's cost when nothing happens."""

DRAIN_NICENESS = -10
"""The priority of what stands between the ring and the disk; without the right to it, it has that
of everybody. Only under overload does it cost others anything."""

PRESSED_SHARE = 1 / 8
"""How full the ring, or the memory behind it, is when conversion has to wait."""

FLOOD_BYTES_PER_SECOND = 100 << 20
"""Conversion cannot follow what comes faster. Where more threads want to run than there are cores
it would be in the way besides: whoever has the interpreter's lock and waits for a core keeps the
ring from being emptied (measured: for half a second)."""

_RUNNING_SHARE = 2
"""Threads for each core that want to run, from which on cores are waited for."""

_RATE_SECONDS = 0.1
_FLOOD_SECONDS = 1.0
"""How long a flood counts when it is over: it may come in waves."""

BACKLOG_LIMIT_BYTES = 2 << 30
"""Samples that may wait in memory."""


class Drain:
    """A thread that empties a ring.

    Args:
        ring: the ring.
        limit_bytes: how much may wait.
        see: is shown each batch as soon as it is out of the ring, and must not take long.
    """

    def __init__(
        self,
        ring: Ring,
        limit_bytes: int = BACKLOG_LIMIT_BYTES,
        see: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self._ring = ring
        self._see = see
        self._limit_bytes = limit_bytes
        self._waiting: deque[Batch] = deque()
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._flooded_until = 0.0
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name="falcotrace-drain", daemon=True)
        self.taken_count = 0

    def start(self) -> None:
        """Begin to empty the ring."""
        self._thread.start()

    def stop(self) -> None:
        """Empty the ring for the last time and end the thread.

        Raises:
            RecordError: the ring held something that is no sample.
        """
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def take(self) -> Batch | None:
        """The batch that has waited longest; None if none waits."""
        with self._lock:
            if not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._waiting_bytes -= len(batch.raw)
            return batch

    @property
    def is_alive(self) -> bool:
        """Whether the thread still works."""
        return self._thread.is_alive()

    @property
    def is_pressed(self) -> bool:
        """Whether samples come faster than they are taken out of the ring, or to the disk."""
        return (
            self._ring.pending_bytes > self._ring.size * PRESSED_SHARE
            or self._waiting_bytes > self._limit_bytes * PRESSED_SHARE
        )

    @property
    def is_flooded(self) -> bool:
        """Whether more comes than can be converted, and cores are waited for."""
        return time.monotonic() < self._flooded_until

    def _guarded(self) -> None:
        # Only what comes before anything else loses nothing when all cores are busy.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), DRAIN_NICENESS)
        try:
            keep_only(())
            self._run()
        except BaseException as error:  # noqa: BLE001 - handed to whoever calls stop()
            self._failure = error

    def _run(self) -> None:
        begun, taken_bytes = time.monotonic(), 0
        while not self._stop.is_set():
            moved = 0 if self._waiting_bytes > self._limit_bytes else self._move()
            # A pause after small batches makes the next ones large, and large ones are cheaper.
            if moved < PAUSE_BELOW_BYTES:
                self._stop.wait(IDLE_SECONDS)
            taken_bytes += moved
            elapsed = (now := time.monotonic()) - begun
            if elapsed >= _RATE_SECONDS:
                if taken_bytes > FLOOD_BYTES_PER_SECOND * elapsed and _is_crowded():
                    self._flooded_until = now + _FLOOD_SECONDS
                begun, taken_bytes = now, 0
        while self._move():
            pass

    def _move(self) -> int:
        batch = self._ring.take()
        size = len(batch.raw)
        if not size:
            return 0
        own = batch.detach()
        self._ring.release(batch)
        self._see(own)
        with self._lock:
            self._waiting.append(own)
            self._waiting_bytes += size
        self.taken_count += len(own)
        return size


def _is_crowded() -> bool:
    """Whether many more threads of the host want to run than there are cores."""
    try:
        running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return True
    return running > _RUNNING_SHARE * (os.cpu_count() or 1)
