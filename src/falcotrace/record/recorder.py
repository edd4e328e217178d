"""Records this host: kernel session, drain, conversion and capture file brought together.

In: options. Out: one capture, and numbers about it. The recorder leaves its own process out.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from falcotrace.capture.footer import Footer, Losses, Recording
from falcotrace.capture.writer import CaptureWriter
from falcotrace.errors import RecordError
from falcotrace.events.columns import COLUMNS
from falcotrace.record.accounts import Accounts
from falcotrace.record.converter import ROW_GROUP_EVENTS, Converter
from falcotrace.record.coverage import recorded_columns, recorded_events
from falcotrace.record.drain import Drain
from falcotrace.record.followed import FollowedCommand, start_command
from falcotrace.record.host import boot_to_epoch_ns, describe_host
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.losses import loss_account
from falcotrace.record.session import KernelSession, SessionSettings
from falcotrace.version import __version__

TICK_SECONDS = 0.05
"""How often the recorder looks whether it is time to convert or to end."""

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
    """

    output: Path
    overwrite: bool = False
    duration_s: float | None = None
    ring_bytes: int = 256 << 20
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording stands."""

    elapsed_s: float
    event_count: int
    events_per_s: float
    lost_count: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recording came to; `exit_code` is the followed command's, 0 without one."""

    path: Path
    elapsed_s: float
    event_count: int
    size_bytes: int
    losses: Losses
    exit_code: int


def record_host(
    options: RecordOptions, on_progress: Callable[[Progress], None] = lambda _: None
) -> Outcome:
    """Record until the time is over, the command ends, or SIGINT or SIGTERM comes.

    Raises:
        RecordError: the kernel cannot be recorded; says what to do.
        CaptureError: the file cannot be written.
    """
    _check_ring(options.ring_bytes)
    started_ns = time.time_ns()
    with CaptureWriter(options.output, overwrite=options.overwrite) as writer:
        try:
            return _record(options, writer, started_ns, on_progress)
        except BaseException:
            if not writer.row_group_count:
                options.output.unlink(missing_ok=True)
            raise


def _record(
    options: RecordOptions,
    writer: CaptureWriter,
    started_ns: int,
    on_progress: Callable[[Progress], None],
) -> Outcome:
    clock_ns = boot_to_epoch_ns()
    accounts = Accounts.of_host()
    command = start_command(options.command)
    settings = SessionSettings(
        ring_bytes=options.ring_bytes, follow_pid=command.pid if command else 0
    )
    with KernelSession(settings) as session:
        converter = Converter(
            writer, accounts, session.arch, clock_ns, interfaces=Interfaces.of_host()
        )
        drain = Drain(session.ring)
        drain.start()
        session.start()
        if command:
            command.release()
        with _stop_signal() as stop:
            loop = _Loop(options, session, drain, converter, writer, on_progress, command)
            loop.run(stop)
        session.stop()
        time.sleep(GRACE_SECONDS)
        drain.stop()
        converter.convert(drain.take().batches)
        losses = loss_account(session.read_losses())
    columns = recorded_columns(with_containers=converter.saw_container)
    footer = _footer(options, accounts, losses, started_ns, clock_ns)
    footer = msgspec.structs.replace(footer, unrecorded=sorted(COLUMNS.keys() - columns))
    elapsed_s = (time.time_ns() - started_ns) / 1e9
    writer.close(footer)
    return Outcome(
        path=options.output,
        elapsed_s=elapsed_s,
        event_count=converter.event_count,
        size_bytes=options.output.stat().st_size,
        losses=losses,
        exit_code=(command.exit_status or 0) if command else 0,
    )


class _Loop:
    """The recorder's main loop: converts what gathers, shows progress, knows when to end."""

    def __init__(
        self,
        options: RecordOptions,
        session: KernelSession,
        drain: Drain,
        converter: Converter,
        writer: CaptureWriter,
        on_progress: Callable[[Progress], None],
        command: FollowedCommand | None,
    ) -> None:
        self._options = options
        self._session = session
        self._drain = drain
        self._converter = converter
        self._writer = writer
        self._on_progress = on_progress
        self._command = command
        self._started = time.monotonic()
        self._shown = (self._started, 0)

    def run(self, stop: threading.Event) -> None:
        """Run until it is time to end."""
        while not self._is_over(stop):
            if self._drain.waiting_count >= ROW_GROUP_EVENTS:
                self._converter.convert(self._drain.take().batches)
            else:
                stop.wait(TICK_SECONDS)
            self._show()

    def _is_over(self, stop: threading.Event) -> bool:
        limit = self._options.duration_s
        return (
            stop.is_set()
            or not self._drain.is_alive
            or (limit is not None and time.monotonic() - self._started >= limit)
            or (self._command is not None and self._command.has_ended())
        )

    def _show(self) -> None:
        now = time.monotonic()
        then, before = self._shown
        count = self._drain.taken_count
        if now - then < 0.2:
            return
        self._shown = (now, count)
        self._on_progress(
            Progress(
                elapsed_s=now - self._started,
                event_count=count,
                events_per_s=(count - before) / (now - then),
                lost_count=self._session.read_losses().lost_events,
                file_bytes=self._writer.bytes_written,
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


def _footer(
    options: RecordOptions, accounts: Accounts, losses: Losses, started_ns: int, clock_ns: int
) -> Footer:
    settings = {"ring_bytes": str(options.ring_bytes)}
    if options.command:
        settings["command"] = " ".join(options.command)
    return Footer(
        host=describe_host(),
        recording=Recording(
            tool=f"falcotrace {__version__}",
            settings=settings,
            started_ns=started_ns,
            ended_ns=time.time_ns(),
            boot_to_epoch_ns=clock_ns,
            left_out_pids=[os.getpid()],
            event_names=sorted(recorded_events()),
            cpu_time_ns=time.process_time_ns(),
        ),
        losses=losses,
        users=accounts.users,
        groups=accounts.groups,
    )


def _check_ring(ring_bytes: int) -> None:
    if ring_bytes < 1 << 16 or ring_bytes & (ring_bytes - 1):
        raise RecordError(
            f"the buffer must be a power of two of at least 64 KiB, found {ring_bytes} bytes"
        )
