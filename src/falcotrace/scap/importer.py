"""Turns a `.scap` capture into one of our own.

In: a file. Out: a capture with a row for each event that rules would see, and a report of what was
read, cut or damaged.
"""

from dataclasses import dataclass
from pathlib import Path

from falcotrace.capture.footer import Footer, Group, Host, Losses, Recording, User
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.text import to_text
from falcotrace.scap.batch_columns import BatchColumns
from falcotrace.scap.blocks_warnings import ScapWarning
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.reader import open_scap
from falcotrace.scap.state import StateEngine
from falcotrace.version import __version__


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        event_count: events written.
        warnings: what was skipped, cut or damaged.
    """

    event_count: int
    warnings: tuple[ScapWarning, ...]


def import_scap(path: Path, out: Path, *, overwrite: bool = False) -> ImportReport:
    """Write the events of a `.scap` file as a capture.

    Args:
        path: the file, compressed or not.
        out: the capture.
        overwrite: replace `out` if it exists.

    Raises:
        CaptureError: the file cannot be read or is no capture; `out` exists or cannot be written.
    """
    written = 0
    first: Metadata | None = None
    next_key = 1
    with open_scap(path) as file, CaptureWriter(out, overwrite=overwrite) as writer:
        for section in file:
            first = first or section.metadata
            engine = StateEngine(section.metadata, first_key=next_key)
            interfaces = Interfaces.of(section.metadata.interfaces)
            for batch in section:
                columns = BatchColumns(batch, engine.run(batch), interfaces)
                if len(columns):
                    writer.write_row_group(columns.arrays(), columns.processes())
                    written += len(columns)
            next_key = engine.next_key
        warnings = file.warnings
        writer.close(_footer(first or Metadata(), warnings))
    return ImportReport(written, warnings)


def _footer(metadata: Metadata, warnings: tuple[ScapWarning, ...]) -> Footer:
    machine = metadata.machine
    return Footer(
        host=Host(
            hostname=to_text(machine.hostname),
            cpu_count=machine.cpu_count,
            boot_time_ns=machine.boot_time_ns,
        ),
        recording=Recording(tool=f"falcotrace {__version__} import"),
        losses=Losses(incomplete={warning.message: 1 for warning in warnings}),
        users=[
            User(
                uid=user.uid,
                name=to_text(user.name),
                gid=user.gid,
                home=to_text(user.home),
                shell=to_text(user.shell),
            )
            for user in metadata.users
        ],
        groups=[Group(gid=group.gid, name=to_text(group.name)) for group in metadata.groups],
    )
