"""Captures of other hosts and other times, made from real ones."""

from pathlib import Path

import msgspec
import pyarrow.compute as pc

from falcotrace.capture.reader import open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, Scope

_EVENT_COLUMNS = tuple(
    path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS
)


def restamp(source: Path, path: Path, hostname: str, shift_ns: int) -> None:
    """Write a capture anew as if another host had been recorded at another time.

    Args:
        source: a capture.
        path: the file to write.
        hostname: the other host.
        shift_ns: what is added to the times of events.
    """
    with open_capture(source) as capture, CaptureWriter(path) as writer:
        for group in capture.row_groups:
            columns = capture.read(group.index, _EVENT_COLUMNS)
            events = {p: a for p, a in columns.items() if a.null_count < len(a)}
            events["evt.time"] = pc.add(events["evt.time"], shift_ns)
            writer.write_row_group(events, capture.process_table(group.index))
        footer = capture.footer
        started = footer.recording.started_ns
        recording = msgspec.structs.replace(
            footer.recording,
            started_ns=started and started + shift_ns,
            ended_ns=footer.recording.ended_ns and footer.recording.ended_ns + shift_ns,
            first_event_ns=footer.recording.first_event_ns
            and footer.recording.first_event_ns + shift_ns,
        )
        host = msgspec.structs.replace(footer.host, hostname=hostname)
        writer.close(msgspec.structs.replace(footer, host=host, recording=recording))
