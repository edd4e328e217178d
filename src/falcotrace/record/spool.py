"""Carries samples from the drain to the journal, and says when the disk fails.

A thread of its own: a disk that stalls holds up neither the ring, which the drain empties into
memory, nor the conversion.
"""

import contextlib
import errno
import os
import threading
import time
from typing import TYPE_CHECKING

from falcotrace.record.drain import DRAIN_NICENESS, Drain
from falcotrace.record.journal import Journal
from falcotrace.record.rights import Capability, keep_only

if TYPE_CHECKING:
    from falcotrace.record.ring import Batch

_PAUSE_SECONDS = 0.02
SYNC_SECONDS = 1.0
"""How much may be missing behind a power cut."""


class Spool:
    """A thread that writes what the drain has taken.

    Args:
        drain: hands out what it has taken.
        journal: takes it.
        rights: what it takes to write to the journal's folder.

    Attributes:
        failure: why it writes no more; None while it does.
        is_held: leave samples where they are; when the drain's memory is full they stay in the
            ring, and what finds no room there is lost and counted.
    """

    def __init__(
        self, drain: Drain, journal: Journal, rights: frozenset[Capability] = frozenset()
    ) -> None:
        self._rights = rights
        self._drain = drain
        self._journal = journal
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="falcotrace-spool", daemon=True)
        self._synced = time.monotonic()
        self.failure: OSError | None = None
        self.is_held = False
        self.unwritten: list[Batch] = []
        self._is_halted = False

    @property
    def written_count(self) -> int:
        """Samples in the journal."""
        return self._journal.sample_count

    @property
    def position(self) -> int:
        """Size of what was written to the journal, bytes."""
        return self._journal.end

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what the drain has left, which must have stopped, and end the thread.

        What could not or should not be written is in `unwritten`.
        """
        self._stop.set()
        self._thread.join()
        self._journal.close()
        while (batch := self._drain.take()) is not None:
            self.unwritten.append(batch)

    def halt(self) -> None:
        """Write no more: the disk is full, and what room is left is for others.

        What is not written stays in memory until `stop`.
        """
        if self._thread.is_alive():
            self._is_halted = True
            self._thread.join()

    def _run(self) -> None:
        # Memory is all that stands between a busy host and losses: it must not fill.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), DRAIN_NICENESS)
        keep_only(self._rights)
        try:
            while not self._stop.is_set():
                if not self._write_one():
                    self._stop.wait(_PAUSE_SECONDS)
            while self._write_one():
                pass
            self._sync()
        except OSError as error:
            self.failure = error

    def _write_one(self) -> bool:
        """Write the batch that has waited longest, if any waits and may be written."""
        if self._is_halted:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self._sync()
        batch = None if self.is_held else self._drain.take()
        if batch is None:
            return False
        try:
            self._journal.append(batch)
        except OSError:
            self.unwritten.append(batch)
            raise
        return True

    def _sync(self) -> None:
        self._journal.sync()
        self._synced = time.monotonic()
