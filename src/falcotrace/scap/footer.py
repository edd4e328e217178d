"""What an imported capture says about itself.

In: metadata of the first section, and warnings. Out: a footer.
"""

import numpy as np

from falcotrace.capture.footer import Footer, Group, Host, Losses, Recording, User
from falcotrace.events.columns import COLUMNS
from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.events.text import to_text
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.blocks_warnings import ScapWarning
from falcotrace.scap.metadata import Metadata
from falcotrace.version import __version__

UNRECORDED = frozenset(
    {
        "evt.compat",
        "evt.io_uring",
        "evt.truncated",
        "evt.cut",
        "proc.cut",
        "fd.is_cut",
        "proc.start",
        "proc.comm",
        "proc.pidns",
        "proc.mntns",
    }
    | {"proc.netns", "proc.userns", "fd.path", "fd.types"}
) & frozenset(COLUMNS)
"""Columns that the format has nothing for."""


_META_CODES = [event.code for event in EVENT_TYPES if event.origin == "meta"]


def first_event_ns(batch: EventBatch) -> int:
    """The time of the first event of a batch that happened, and was not made up by a reader.

    0 without. Source: libs 48dfd53c, userspace/libsinsp/sinsp.cpp, `next`.
    """
    is_own = (batch.nums > 0) & (batch.times_ns != 0) & ~np.isin(batch.codes, _META_CODES)
    places = np.flatnonzero(is_own)
    return int(batch.times_ns[places[0]]) if len(places) else 0


def footer_of(metadata: Metadata, warnings: tuple[ScapWarning, ...], started_ns: int = 0) -> Footer:
    """The footer of a capture."""
    machine = metadata.machine
    incomplete: dict[str, int] = {}
    for warning in warnings:
        incomplete[warning.message] = incomplete.get(warning.message, 0) + warning.count
    return Footer(
        host=Host(
            hostname=to_text(machine.hostname.split(b"\0", 1)[0]),
            cpu_count=machine.cpu_count,
            boot_time_ns=machine.boot_time_ns,
        ),
        recording=Recording(tool=f"falcotrace {__version__} import", first_event_ns=started_ns),
        losses=Losses(is_told=False, incomplete=incomplete),
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
        unrecorded=sorted(UNRECORDED),
    )
