"""Records this host: kernel session, drain, conversion and capture file brought together.

In: options. Out: one capture, and numbers about it. The recorder leaves its own process out.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from falcotrace.capture.footer import Footer, Losses, Recording
from falcotrace.errors import CaptureError, RecordError
from falcotrace.record.accounts import Accounts
from falcotrace.record.conversion import Conversion
from falcotrace.record.converter import ROW_GROUP_EVENTS
from falcotrace.record.coverage import check_event_names, numbers_of, recorded_events
from falcotrace.record.drain import Drain
from falcotrace.record.folder import Counters, RecordingFolder, Start
from falcotrace.record.followed import FollowedCommand, start_command
from falcotrace.record.host import boot_to_epoch_ns, describe_host
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.journal import Journal, segments
from falcotrace.record.losses import LossHistory, loss_account
from falcotrace.record.room import DEFAULT_FREE_BYTES, RoomKeeper
from falcotrace.record.session import KernelSession, SessionSettings
from falcotrace.record.spool import SYNC_SECONDS, Spool
from falcotrace.version import __version__

TICK_SECONDS = 0.05
"""How often the recorder looks whether it is time to convert or to end."""

SHOW_SECONDS = 0.2
"""How often progress is told."""

GRACE_SECONDS = 0.02
"""What samples of other CPUs may need to be finished after the end was called."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What to record and where to.

    Attributes:
        output: the capture to write.
        overwrite: whether a file there may be replaced.
        duration_s: when to end; None for when it is told to.
        ring_bytes: size of the kernel's ring buffer, a power of two.
        command: follow only this command and its descendants, and end with it.
        event_names: record only these events, as `evt.type` has them, and ends of processes; None:
            every event.
        data_bytes: how much of what is read and written; 0 none.
        socket_data_bytes: the same for what goes through sockets; None: as of others.
        argv_bytes: how much of a program's arguments.
        env_bytes: how much of its environment; 0 none.
        max_bytes: end before capture and journal are larger together; 0 no limit.
        free_bytes: end before less room than this is left on the disk.
    """

    output: Path
    overwrite: bool = False
    duration_s: float | None = None
    ring_bytes: int = 256 << 20
    command: tuple[str, ...] = ()
    event_names: frozenset[str] | None = None
    data_bytes: int = 0
    socket_data_bytes: int | None = None
    argv_bytes: int = 4096
    env_bytes: int = 4096
    max_bytes: int = 0
    free_bytes: int = DEFAULT_FREE_BYTES


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording stands; `waiting_count` samples are not converted yet."""

    elapsed_s: float
    event_count: int
    events_per_s: float
    lost_count: int
    file_bytes: int
    waiting_count: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recording came to, and why it ended; `exit_code` is the followed command's, or 0."""

    path: Path
    elapsed_s: float
    event_count: int
    size_bytes: int
    losses: Losses
    ended_by: str
    exit_code: int


def record_host(
    options: RecordOptions, on_progress: Callable[[Progress], None] = lambda _: None
) -> Outcome:
    """Record until the time is over, the command ends, a limit is reached, or a signal comes.

    What is recorded lies in a folder beside the output until it is complete (`folder.py`).

    Raises:
        RecordError: the kernel cannot be recorded, or the output cannot be made; says what to do.
        CaptureError: the file cannot be written.
    """
    _check_ring(options.ring_bytes)
    check_event_names(options.event_names or ())
    if options.output.exists() and not options.overwrite:
        raise CaptureError(options.output, "exists already; --force overwrites it")
    with RecordingFolder.create(options.output) as folder:
        try:
            return _record(options, folder, on_progress)
        except BaseException as error:
            _explain(folder, error)
            raise


def _explain(folder: RecordingFolder, error: BaseException) -> None:
    """Remove a folder in which nothing is; say what to do with one in which something is."""
    if not segments(folder.path):
        folder.remove()
    else:
        error.add_note(f"What was recorded is kept: falcotrace recover {folder.path}")


def _record(
    options: RecordOptions, folder: RecordingFolder, on_progress: Callable[[Progress], None]
) -> Outcome:
    started_ns = time.time_ns()
    names = options.event_names
    command = start_command(options.command)
    settings = SessionSettings(
        ring_bytes=options.ring_bytes,
        follow_pid=command.pid if command else 0,
        data_bytes=options.data_bytes,
        socket_data_bytes=options.socket_data_bytes,
        argv_bytes=options.argv_bytes,
        env_bytes=options.env_bytes,
        numbers=None if names is None else numbers_of(names, os.uname().machine),
    )
    with KernelSession(settings) as session:
        start = _start(options, session, started_ns)
        folder.write_start(start)
        with Conversion(folder, start) as conversion:
            drain = Drain(session.ring)
            spool = Spool(drain, Journal(folder.path, session.magic))
            with _flowing(session, drain, spool):
                session.start()
                if command:
                    command.release()
                source = _Source(session, drain, spool, command)
                ended = _run(options, source, conversion, folder, on_progress)
            conversion.finish(
                ended.losses,
                ended_ns=ended.time_ns,
                ended_by=ended.reason,
                cpu_time_ns=time.process_time_ns(),
            )
    path = folder.finish(overwrite=options.overwrite)
    return Outcome(
        path=path,
        elapsed_s=(ended.time_ns - started_ns) / 1e9,
        event_count=conversion.event_count,
        size_bytes=path.stat().st_size,
        losses=ended.losses,
        ended_by=ended.reason,
        exit_code=(command.exit_status or 0) if command else 0,
    )


@contextmanager
def _flowing(session: KernelSession, drain: Drain, spool: Spool) -> Iterator[None]:
    """Have samples go from the ring to the journal; after an error all that came are there."""
    drain.start()
    spool.start()
    try:
        yield
    except BaseException:
        session.stop()
        with suppress(RecordError):
            drain.stop()
        spool.stop()
        raise


@dataclass(frozen=True, slots=True)
class _End:
    """When and why recording ended, and the account of losses."""

    time_ns: int
    reason: str
    losses: Losses


def _run(
    options: RecordOptions,
    source: "_Source",
    conversion: Conversion,
    folder: RecordingFolder,
    on_progress: Callable[[Progress], None],
) -> _End:
    """Record until it is time to end, and convert what is left."""
    room = RoomKeeper(folder.path, options.max_bytes, options.free_bytes)
    with _stop_signal() as stop:
        loop = _Loop(options, source, conversion, folder, room, on_progress, stop)
        try:
            reason = loop.run()
            source.session.stop()
            time_ns = time.time_ns()
            time.sleep(GRACE_SECONDS)
            source.drain.stop()
            source.spool.stop()
            losses = loop.keep_counters(is_final=True)
            room.give_back()
            loop.convert_rest()
        finally:
            loop.close()
    return _End(time_ns, reason, losses)


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Where samples come from, and the command that is followed."""

    session: KernelSession
    drain: Drain
    spool: Spool
    command: FollowedCommand | None


class _Loop:
    """The recorder's main loop: converts what gathers, shows progress, knows when to end."""

    def __init__(
        self,
        options: RecordOptions,
        source: _Source,
        conversion: Conversion,
        folder: RecordingFolder,
        room: RoomKeeper,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
    ) -> None:
        self._options = options
        self._session, self._drain = source.session, source.drain
        self._spool, self._command = source.spool, source.command
        self._conversion = conversion
        self._folder = folder
        self._room = room
        self._on_progress = on_progress
        self._stop = stop
        self._counted = 0.0
        self._history = LossHistory(time.time_ns())
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="falcotrace-conversion")
        self._step: Future[bool] | None = None
        self._started = time.monotonic()
        self._shown = (self._started, 0)

    def run(self) -> str:
        """Run until it is time to end; returns why it is.

        Conversion has a thread of its own, so that the end comes when it is due.
        """
        while not (reason := self._reason_to_end()):
            waiting = self._spool.written_count - self._conversion.sample_count
            is_due = waiting >= ROW_GROUP_EVENTS and not self._drain.is_pressed
            if self._step is None and is_due:
                self._step = self._worker.submit(self._conversion.step)
            elif self._step is not None and self._step.done():
                self._step.result()
                self._step = None
                continue
            self._stop.wait(TICK_SECONDS)
            self._show()
            if time.monotonic() - self._counted >= SYNC_SECONDS:
                self._counted = time.monotonic()
                self.keep_counters()
                self._session.renew_files(self._conversion.file_epoch)
        return reason

    def convert_rest(self) -> None:
        """Convert what waits when recording has ended; what was on no disk comes last."""
        goes_on = True
        while goes_on:
            step = self._step or self._worker.submit(self._conversion.step)
            self._step = None
            while not step.done():
                wait([step], SHOW_SECONDS)
                self._show()
            goes_on = step.result()
        self._conversion.add(self._spool.unwritten.batches)

    def keep_counters(self, *, is_final: bool = False) -> Losses:
        """Read the account of losses, and keep it for whoever has to recover the recording."""
        kernel, now_ns = self._session.read_losses(), time.time_ns()
        losses = loss_account(kernel, self._history.note(kernel, now_ns))
        raw = msgspec.Raw(msgspec.json.encode(losses))
        self._folder.write_counters(Counters(time_ns=now_ns, is_final=is_final, losses=raw))
        return losses

    def close(self) -> None:
        """End the thread; what it does now is done to its end."""
        self._worker.shutdown(cancel_futures=True)

    def _reason_to_end(self) -> str:
        limit = self._options.duration_s
        if self._stop.is_set():
            return "signal"
        if not self._drain.is_alive:
            return "failure"
        if self._spool.failure is not None:
            return f"disk: {self._spool.failure.strerror}"
        if limit is not None and time.monotonic() - self._started >= limit:
            return "duration"
        if self._command is not None and self._command.has_ended():
            return "command"
        return self._room.reason_to_end()

    def _show(self) -> None:
        now = time.monotonic()
        then, before = self._shown
        count = self._drain.taken_count
        if now - then < SHOW_SECONDS:
            return
        self._shown = (now, count)
        waiting = count - self._conversion.sample_count
        self._on_progress(
            Progress(
                elapsed_s=now - self._started,
                event_count=count,
                events_per_s=(count - before) / (now - then),
                lost_count=self._session.read_losses().lost_events,
                file_bytes=self._conversion.writer.bytes_written,
                waiting_count=waiting,
            )
        )


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set while the block runs."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _start(options: RecordOptions, session: KernelSession, started_ns: int) -> Start:
    accounts = Accounts.of_host()
    settings = {
        "ring_bytes": str(options.ring_bytes),
        "argv_bytes": str(options.argv_bytes),
        "env_bytes": str(options.env_bytes),
    }
    if options.command:
        settings["command"] = " ".join(options.command)
    recording = Recording(
        tool=f"falcotrace {__version__}",
        settings=settings,
        started_ns=started_ns,
        boot_to_epoch_ns=boot_to_epoch_ns(),
        left_out_pids=[os.getpid()],
        event_names=sorted(_recorded(options)),
    )
    return Start(
        data_bytes=max(options.data_bytes, options.socket_data_bytes or 0),
        magic=session.magic,
        arch=session.arch,
        interfaces=Interfaces.of_host().texts,
        footer=Footer(
            host=describe_host(),
            recording=recording,
            users=accounts.users,
            groups=accounts.groups,
        ),
    )


def _recorded(options: RecordOptions) -> frozenset[str]:
    every = recorded_events()
    return every if options.event_names is None else every & (options.event_names | {"procexit"})


def _check_ring(ring_bytes: int) -> None:
    if ring_bytes < 1 << 16 or ring_bytes & (ring_bytes - 1):
        raise RecordError(
            f"the buffer must be a power of two of at least 64 KiB, found {ring_bytes} bytes"
        )
