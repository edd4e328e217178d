"""One event with everything that its row says.

In: an open capture, an `evt.num`. Out: values by column, those that it has.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.errors import CaptureError
from falcotrace.events.fields import FIELDS, Storage


def event_fields(capture: Capture, num: int) -> dict[str, object]:
    """An event, by the paths of its columns; columns without a value are left out.

    Raises:
        CaptureError: there is no such event.
    """
    connection = connect_captures([capture], DatabaseOptions(is_confined=False))
    query = f"SELECT * EXCLUDE (filename) FROM events WHERE evt.num = {int(num)}"  # noqa: S608 - a whole number
    rows = connection.sql(query).to_arrow_table().to_pylist()
    if not rows:
        raise CaptureError(capture.path, f"has no event {num}")
    return dict(_flat(rows[0], ""))


def _flat(values: Mapping[str, object], before: str) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value is not None:
            yield f"{before}{name}", value


class About(StrEnum):
    """What a field of an event is about."""

    EVENT = "event"
    PROCESS = "process"
    ANCESTORS = "ancestors"
    OBJECT = "file or connection"
    USER = "user"
    CONTAINER = "container"


_ABOUT: Mapping[str, About] = MappingProxyType(
    {
        "evt": About.EVENT,
        "proc": About.PROCESS,
        "thread": About.PROCESS,
        "fd": About.OBJECT,
        "fdlist": About.OBJECT,
        "fs": About.OBJECT,
        "user": About.USER,
        "group": About.USER,
        "container": About.CONTAINER,
        "k8s": About.CONTAINER,
    }
)
"""By the first word of a field."""

_DETAIL = re.compile(
    r"evt\.(rawarg\..*|buffer|cpu)|.*_bytes|.*raw|proc\.(key|env|argv|start|aenv|aargs|aexe)"
    r"|proc\.(pid|mnt|net|user)ns.*|proc\.exe_ino.*|proc\.v?(pgid|sid).*|proc\.sname|proc\.fdlimit"
    r"|thread\.cgroups|thread\.cap_(permitted|inheritable)|fd\.(dev|ino|types)|fd\.(ip|port)_.*"
)
"""What is seldom asked of an event: raw values, numbers of the kernel, environments."""


def is_detail(path: str) -> bool:
    """Whether a column is seldom asked of one event.

    Example:
        >>> is_detail("proc.env"), is_detail("proc.cmdline")
        (True, False)
    """
    return _DETAIL.fullmatch(path) is not None


def group_fields(fields: Mapping[str, object]) -> dict[About, dict[str, object]]:
    """The columns of an event under Falco's names, by what they are about.

    Args:
        fields: from `event_fields`.
    """
    found: dict[About, dict[str, object]] = {about: {} for about in About}
    for path, value in fields.items():
        about = _ABOUT.get(path.split(".", 1)[0], About.EVENT)
        if path in ANCESTRY:
            about = About.ANCESTORS
        found[about][_names().get(path, path)] = value
    return {about: members for about, members in found.items() if members}


ANCESTRY = frozenset(
    f"proc.{name}" for name in ("apid", "aname", "aexe", "aexepath", "acmdline", "aargs", "aenv")
)
"""Lists with an item for each ancestor, the parent first."""


@cache
def _names() -> Mapping[str, str]:
    return {field.path: field.name for field in FIELDS.values() if field.storage is Storage.COLUMN}
