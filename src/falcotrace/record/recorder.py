"""Records this host: kernel session, drain, conversion and capture file brought together.

In: options. Out: one capture, and numbers about it. The recorder leaves its own process out.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from falcotrace.alerts import Alert
from falcotrace.capture.footer import Footer, Recording
from falcotrace.errors import CaptureError, RecordError
from falcotrace.record.accounts import Accounts
from falcotrace.record.alert_seals import AlertSeals
from falcotrace.record.answers import RECEIVING_CALLS
from falcotrace.record.conversion import Conversion, Ending
from falcotrace.record.coverage import check_event_names, numbers_of, recorded_events
from falcotrace.record.drain import Drain
from falcotrace.record.folder import RecordingFolder, Start
from falcotrace.record.followed import start_command
from falcotrace.record.host import boot_to_epoch_ns, describe_host
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.journal import Journal, segments
from falcotrace.record.live import LiveCapture, Watch
from falcotrace.record.loop import Account, Loop, Running, signals_taken
from falcotrace.record.options import Observer, Outcome, RecordOptions
from falcotrace.record.parts import stamped
from falcotrace.record.rights import keep_only
from falcotrace.record.runtimes.watch import ContainerWatch, watch_containers
from falcotrace.record.session import KernelSession, SessionSettings
from falcotrace.record.spool import Spool
from falcotrace.record.upkeep import window_start_ns
from falcotrace.version import __version__

GRACE_SECONDS = 0.02
"""What samples of other CPUs may need to be finished after the end was called."""


def record_host(options: RecordOptions, observer: Observer | None = None) -> Outcome:
    """Record until the time is over, the command ends, a limit is reached, or a signal comes.

    What is recorded lies in a folder beside the output until it is complete (`folder.py`).

    Raises:
        RecordError: the kernel cannot be recorded, or the output cannot be made; says what to do.
        CaptureError: the file cannot be written.
    """
    options.check()
    check_event_names(options.event_names or ())
    if options.output.exists() and not options.overwrite and not options.rotates:
        raise CaptureError(options.output, "exists already; --force overwrites it")
    with RecordingFolder.create(options.output) as folder:
        try:
            return _record(options, folder, observer or Observer())
        except BaseException as error:
            _explain(folder, error)
            raise


def _explain(folder: RecordingFolder, error: BaseException) -> None:
    """Remove a folder in which nothing is; say what to do with one in which something is."""
    if not segments(folder.path):
        folder.remove()
    else:
        error.add_note(f"What was recorded is kept: falcotrace recover {folder.path}")


def _record(options: RecordOptions, folder: RecordingFolder, observer: Observer) -> Outcome:
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
        containers = watch_containers(folder.path, start.footer.users, options.folder_rights)
        with containers, Conversion(folder, start, containers.wait) as conversion:
            drain = Drain(session.ring, see=containers.see)
            alert_seals = AlertSeals(options)
            running = Running(
                folder=folder,
                session=session,
                drain=drain,
                spool=Spool(drain, Journal(folder.path, session.magic), options.folder_rights),
                conversion=conversion,
                account=Account(session, folder),
                observer=observer,
                command=command,
                watch=_watch(options, folder, start, observer, alert_seals, containers),
                alert_seals=alert_seals,
            )
            with _flowing(running):
                session.start()
                if options.gives_up_rights:
                    keep_only(options.needed_rights)
                if command:
                    command.release()
                ended = _run(options, running)
            found = conversion.finish(ended, window_start_ns(options, ended.time_ns))
    output = stamped(options.output, conversion.parts.newest_began_ns) if options.rotates else None
    path = folder.finish(found.path, overwrite=options.overwrite, to=output)
    return Outcome(
        path=path,
        elapsed_s=(ended.time_ns - started_ns) / 1e9,
        event_count=found.event_count,
        size_bytes=found.size_bytes,
        losses=found.losses,
        ended_by=ended.reason,
        exit_code=(command.exit_status or 0) if command else 0,
    )


def _watch(
    options: RecordOptions,
    folder: RecordingFolder,
    start: Start,
    observer: Observer,
    alert_seals: AlertSeals,
    containers: ContainerWatch,
) -> Watch | None:
    """Whoever asks rules meanwhile, if any are to be asked."""
    if options.plan is None:
        return None

    def take(alert: Alert) -> None:
        alert_seals.note(alert)
        observer.alerted(alert)

    capture = LiveCapture(folder, start, containers.wait)
    watch = Watch(capture, options.plan, take, options.folder_rights)
    for note in watch.notes:
        observer.noted(note)
    return watch


@contextmanager
def _flowing(running: Running) -> Iterator[None]:
    """Have samples go from the ring to the journal; after an error all that came are there."""
    watch = running.watch
    running.drain.start()
    running.spool.start()
    if watch is not None:
        running.conversion.other_readers.append(watch.reader)
        watch.start()
    try:
        yield
    except BaseException:
        running.session.stop()
        with suppress(RecordError):
            running.drain.stop()
        running.spool.stop()
        raise
    finally:
        if watch is not None:
            watch.cancel()


def _run(options: RecordOptions, running: Running) -> Ending:
    """Record until it is time to end, and convert what is left."""
    with signals_taken() as signals:
        loop = Loop(options, running, signals)
        try:
            reason = loop.run()
            running.session.stop()
            time_ns = time.time_ns()
            time.sleep(GRACE_SECONDS)
            running.drain.stop()
            running.spool.stop()
            losses = running.account.keep(is_final=True)
            loop.watch_rest()
            loop.convert_rest()
        finally:
            loop.close()
    cost = loop.cost
    return Ending(time_ns, reason, losses, cost.cpu_time_ns, cost.peak_memory_bytes, is_last=True)


def _start(options: RecordOptions, session: KernelSession, started_ns: int) -> Start:
    accounts = Accounts.of_host()
    settings = {
        "ring_bytes": str(options.ring_bytes),
        "argv_bytes": str(options.argv_bytes),
        "env_bytes": str(options.env_bytes),
    }
    if options.window_s:
        settings["window_s"] = f"{options.window_s:g}"
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
        rotates=options.rotates,
        series=secrets.token_hex(8) if options.rotates else "",
        data_bytes=max(options.data_bytes, options.socket_data_bytes or 0),
        has_answers=has_answers(options),
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


def has_answers(options: RecordOptions) -> bool:
    """Whether what programs receive from name servers is recorded."""
    sockets_bytes = options.socket_data_bytes
    has_contents = options.data_bytes if sockets_bytes is None else sockets_bytes
    return has_contents > 0 and not _recorded(options).isdisjoint(RECEIVING_CALLS)


def _recorded(options: RecordOptions) -> frozenset[str]:
    every = recorded_events()
    return every if options.event_names is None else every & (options.event_names | {"procexit"})
