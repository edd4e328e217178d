"""The recorder's main loop: has what gathers converted, answers requests, knows when to end.

In: the running parts of a recording. Out: why it ended. What takes long is done in one thread
beside it, a step at a time, so that the end and requests come when they are due.
"""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from falcotrace.capture.footer import Losses
from falcotrace.errors import CaptureError, RecordError
from falcotrace.record.alert_seals import AlertSeals
from falcotrace.record.conversion import Conversion
from falcotrace.record.converter import ROW_GROUP_EVENTS
from falcotrace.record.cost import Cost
from falcotrace.record.drain import Drain
from falcotrace.record.folder import Counters, RecordingFolder
from falcotrace.record.followed import FollowedCommand
from falcotrace.record.live import Watch
from falcotrace.record.losses import LossHistory, loss_account
from falcotrace.record.options import Observer, Progress, RecordOptions
from falcotrace.record.parts import WrittenCapture, stamped
from falcotrace.record.rights import keep_only
from falcotrace.record.room import RoomKeeper
from falcotrace.record.sealing import SealRequest, reply, take_request
from falcotrace.record.session import KernelSession
from falcotrace.record.spool import SYNC_SECONDS, Spool
from falcotrace.record.upkeep import Upkeep

_TICK_SECONDS = 0.05
"""How often the recorder looks whether there is something to do."""

_SHOW_SECONDS = 0.2
"""How often progress is told."""

_BEHIND_LIMIT_BYTES = 16 << 30
"""So many samples may be in the journal, compressed, when conversion takes its share of a flood."""

_Step = Callable[[], list[WrittenCapture]]
_Result = TypeVar("_Result")


@dataclass(slots=True, eq=False)
class Signals:
    """What signals have asked for."""

    is_stop_wanted: bool = False
    is_seal_wanted: bool = False

    def wait(self, seconds: float) -> None:
        """Let time go by; a handler of signals may run at any moment of it.

        No event or lock is waited for: a handler runs in this very thread, and would wait for ever
        for what the thread itself holds.
        """
        time.sleep(seconds)


class Account:
    """The account of losses as it goes on; may be read from several threads."""

    def __init__(self, session: KernelSession, folder: RecordingFolder) -> None:
        self._session = session
        self._folder = folder
        self._history = LossHistory(time.time_ns())
        self._lock = threading.Lock()

    def read(self) -> Losses:
        """The account now."""
        with self._lock:
            kernel = self._session.read_losses()
            return loss_account(kernel, self._history.note(kernel, time.time_ns()))

    def keep(self, *, is_final: bool = False) -> Losses:
        """Read it, and keep it for whoever has to recover the recording."""
        losses = self.read()
        raw = msgspec.Raw(msgspec.json.encode(losses))
        self._folder.write_counters(Counters(time_ns=time.time_ns(), is_final=is_final, losses=raw))
        return losses


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """What works together while recording goes on.

    Attributes:
        folder: the recording's folder.
        session: the kernel's side.
        drain: takes samples from there.
        spool: writes them to the journal.
        conversion: takes them from there.
        account: of losses.
        observer: is told what happens.
        command: the one that is followed, if any.
        watch: asks rules meanwhile, if any are asked.
        alert_seals: which alerts make captures.
    """

    folder: RecordingFolder
    session: KernelSession
    drain: Drain
    spool: Spool
    conversion: Conversion
    account: Account
    observer: Observer
    command: FollowedCommand | None
    watch: Watch | None
    alert_seals: AlertSeals


class Loop:
    """Runs a recording.

    Args:
        options: what was asked for.
        running: what does it.
        signals: what signals ask for.
    """

    def __init__(self, options: RecordOptions, running: Running, signals: Signals) -> None:
        self._options = options
        self._running = running
        self._conversion = running.conversion
        self._signals = signals
        self._watch = running.watch
        folder = running.folder
        self._room = RoomKeeper(folder.path, folder.reserve, options.max_bytes, options.free_bytes)
        folder.reserve.take()
        folder.reserve.before = running.spool.halt
        self.cost = Cost()
        self.upkeep = Upkeep(
            options, running.conversion, running.spool, running.account.read, self.cost
        )
        self._worker = ThreadPoolExecutor(
            1, "falcotrace-conversion", initializer=keep_only, initargs=(options.needed_rights,)
        )
        self._step: Future[list[WrittenCapture]] | None = None
        self._stepped = self._counted = self._started = time.monotonic()
        self._shown = (self._started, 0)
        self._seals: deque[_Step] = deque()

    def run(self) -> str:
        """Run until it is time to end; returns why it is."""
        while not (reason := self._reason_to_end()):
            self._take_requests()
            if self._options.window_s:
                # Until the oldest has gone, or conversion has made room in the journal.
                self._running.spool.is_held = bool(self._room.reached_limit())
            if self._step is not None and self._step.done():
                self._finish_step()
            if self._step is None and (due := self._due()):
                self._step = self._worker.submit(due)
            self._signals.wait(_TICK_SECONDS)
            self._show()
            if time.monotonic() - self._counted >= SYNC_SECONDS:
                self._counted = time.monotonic()
                self._running.account.keep()
                self.cost.look()
                self._running.session.renew_files(self._conversion.file_epoch)
                self._look_after_watch()
        return reason

    def convert_rest(self) -> None:
        """Convert what waits when recording has ended; what was on no disk comes last."""
        self._running.folder.reserve.give_back()
        self.cost.look()
        if self._step is not None:
            self._result(self._step)
            self._finish_step()
        while self._result(self._worker.submit(self._conversion.step)):
            pass
        self._conversion.add(self._running.spool.unwritten)
        self.cost.look()
        for seal in self._seals:
            self._tell(seal())

    def watch_rest(self) -> None:
        """Have rules asked of what is left."""
        watch = self._watch
        if watch is not None:
            watch.end(self._running.spool.unwritten)
            while watch.is_alive:
                time.sleep(_TICK_SECONDS)
                self._show()
            self._look_after_watch()

    def _look_after_watch(self) -> None:
        """Say when rules are no longer asked; recording does not depend on it."""
        watch = self._watch
        if watch is not None and not watch.is_alive:
            self._watch = None
            self._conversion.other_readers.clear()
            if watch.failure is not None:
                self._running.observer.noted(f"rules are asked no more: {watch.failure}")

    def close(self) -> None:
        """End the thread; what it does now is done to its end."""
        self._worker.shutdown(cancel_futures=True)

    def _result(self, step: "Future[_Result]") -> "_Result":
        while not step.done():
            wait([step], _SHOW_SECONDS)
            self._show()
        return step.result()

    def _due(self) -> _Step | None:
        """What is to be done next."""
        if self._seals:
            return self._seals.popleft()
        if self._running.spool.is_held and len(self._conversion.parts.kept) > 1:
            return self.upkeep.drop_oldest
        if self.upkeep.is_part_over():
            return self.upkeep.end_part
        waiting = self._running.spool.written_count - self._conversion.sample_count
        if waiting >= ROW_GROUP_EVENTS and not self._has_to_wait():
            return self.upkeep.step
        limit = self._options.step_s
        if limit is not None and time.monotonic() - self._stepped >= limit:
            return self.upkeep.step
        return None

    def _has_to_wait(self) -> bool:
        """Whether conversion would cost events."""
        running = self._running
        behind_bytes = running.spool.position - self._conversion.position
        is_flooded = running.drain.is_flooded and behind_bytes < _BEHIND_LIMIT_BYTES
        return running.drain.is_pressed or is_flooded

    def _finish_step(self) -> None:
        assert self._step is not None
        step, self._step = self._step, None
        self._stepped = time.monotonic()
        self._tell(step.result())
        self._room.moved_bytes = self.upkeep.moved_bytes

    def _tell(self, captures: list[WrittenCapture]) -> None:
        for capture in captures:
            self._running.observer.wrote(capture)

    def _take_requests(self) -> None:
        """Have captures made that somebody has asked for."""
        if self._signals.is_seal_wanted:
            self._signals.is_seal_wanted = False
            self._seals.append(partial(self._seal, stamped(self._options.output, time.time_ns())))
        reason = self._running.alert_seals.take()
        if reason:
            path = stamped(self._options.output, time.time_ns())
            self._seals.append(partial(self._seal, path, reason))
        request = take_request(self._running.folder.path)
        if request is not None:
            self._seals.append(partial(self._answer, request))

    def _seal(self, path: Path, reason: str = "seal") -> list[WrittenCapture]:
        """Make a capture; that it cannot be written ends no recording."""
        try:
            return [self.upkeep.seal(path, reason)]
        except (CaptureError, RecordError) as error:
            self._running.observer.noted(str(error))
            return []

    def _answer(self, request: SealRequest) -> list[WrittenCapture]:
        folder = self._running.folder.path
        try:
            found = self.upkeep.seal(folder / request.name, "seal")
        except (CaptureError, RecordError) as error:
            reply(folder, request, error)
        else:
            reply(folder, request, found)
        return []

    def _reason_to_end(self) -> str:
        limit = self._options.duration_s
        command = self._running.command
        if self._signals.is_stop_wanted:
            return "signal"
        if not self._running.drain.is_alive:
            return "failure"
        if self._running.spool.failure is not None:
            return f"disk: {self._running.spool.failure.strerror}"
        if limit is not None and time.monotonic() - self._started >= limit:
            return "duration"
        if command is not None and command.has_ended():
            return "command"
        return "" if self._options.window_s else self._room.reached_limit()

    def _show(self) -> None:
        now = time.monotonic()
        then, before = self._shown
        count = self._running.drain.taken_count
        if now - then < _SHOW_SECONDS:
            return
        self._shown = (now, count)
        self._running.observer.progressed(
            Progress(
                elapsed_s=now - self._started,
                event_count=count,
                events_per_s=(count - before) / (now - then),
                lost_count=self._running.session.read_losses().lost_events,
                file_bytes=self._conversion.parts.size_bytes,
                unconverted_count=count - self._conversion.sample_count,
            )
        )


@contextmanager
def signals_taken() -> Iterator[Signals]:
    """While the block runs SIGINT and SIGTERM ask for the end, and SIGUSR1 for a capture."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def stop(*_: object) -> None:
        signals.is_stop_wanted = True

    def seal(*_: object) -> None:
        signals.is_seal_wanted = True

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGUSR1: seal}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
