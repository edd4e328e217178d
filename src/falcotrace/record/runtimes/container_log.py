"""The log of what was learnt of containers, in a recording's folder.

In: answers. Out: the same, for the conversion that runs beside the recording and for the one that
goes on after a crash. It only grows; what of it is whole counts.

A record is about one look-up: a container with an id of 64 digits is looked up once, one with a
name once for each set of control groups, for names come back.
"""

from pathlib import Path
from typing import Final

import msgspec

from falcotrace.record.framed_log import FRAME_BYTES, FramedLog, read_log
from falcotrace.record.runtimes.description import Container

FILE_NAME: Final = "containers.log"
_RECORD: Final = 1


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a look-up came to.

    Attributes:
        container_id: of the container, as rules see it.
        cgroups_id: the set of control groups that is this container's; 0: its id tells.
        container: the description; None if there is none.
        problem: why there is none.
    """

    container_id: str
    cgroups_id: int = 0
    container: Container | None = None
    problem: str = ""


class ContainerLog:
    """Takes records."""

    def __init__(self, folder: Path) -> None:
        self._log = FramedLog(folder / FILE_NAME)

    def append(self, record: Record) -> None:
        """Add a record and have it survive the recorder's end.

        Raises:
            OSError: it could not be written.
        """
        self._log.append(_RECORD, msgspec.json.encode(record))

    def close(self) -> None:
        """Let go of the file."""
        self._log.close()


class ContainerLogReader:
    """Reads records as they come."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._taken = 0

    def take(self) -> list[Record]:
        """The records that were added since the last time; those that are damaged are left out."""
        if not self._path.exists():
            return []
        found: list[Record] = []
        for kind, payload in read_log(self._path, start=self._taken):
            self._taken += len(payload) + FRAME_BYTES
            if kind == _RECORD:
                try:
                    found.append(msgspec.json.decode(payload, type=Record))
                except msgspec.MsgspecError:
                    continue
        return found
