"""Sees containers come in the runtimes' own folders, before the kernel's samples are read.

In: the folders in which runtimes keep what they know. Out: what has come into them. On a busy
machine a sample waits its turn in the ring, and a short container may be gone by then. Looking is
cheap: one call for each folder, and its list only when the folder has changed.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from falcotrace.record.runtimes import containerd, docker, runc
from falcotrace.record.runtimes.document import Place
from falcotrace.record.runtimes.sighting import Host, Sighting
from falcotrace.record.runtimes.storage import GRAPH_ROOT

MOST_ENTRIES: Final = 1 << 16
"""Of a folder; what comes into one with more of them is left to the samples."""

TICK_NS: Final = 20_000_000
"""Longer than a tick of any kernel's clock."""

_WHOLE_ID: Final = re.compile(r"^[0-9a-f]{64}$")


@dataclass(slots=True)
class _Folder:
    """A folder, and what was in it.

    Attributes:
        namespace: containerd's; empty in others.
        has_namespaces: whether its entries are such folders.
        takes_ids: whether containers with a whole id are looked up by it; runc's are by engines.
    """

    place: Place
    engine: str = ""
    namespace: str = ""
    has_namespaces: bool = False
    takes_ids: bool = True
    changed_ns: int = 0
    entries: set[str] = field(default_factory=set)


class StateFolders:
    """The folders of a host; what is in them at first is not told.

    Args:
        host: where runtimes keep what they know.
    """

    def __init__(self, host: Host) -> None:
        self._folders = list(_folders(host))
        self.take()

    def take(self) -> list[Sighting]:
        """What has come since the last time."""
        found: list[Sighting] = []
        for folder in list(self._folders):
            for name in _new_entries(folder):
                if folder.has_namespaces:
                    inner = _Folder(
                        folder.place.inside(name),
                        folder.engine,
                        namespace=name,
                        takes_ids=folder.takes_ids,
                    )
                    path = inner.place.path
                    self._folders = [one for one in self._folders if one.place.path != path]
                    self._folders.append(inner)
                    found += _sightings(inner, _new_entries(inner))
                else:
                    found += _sightings(folder, [name])
        return found


def _folders(host: Host) -> Iterator[_Folder]:
    for root in docker.data_roots(host, None):
        yield _Folder(root.inside("containers"), "docker")
    yield _Folder(host.place(GRAPH_ROOT).inside("overlay-containers"))
    for path in containerd.TASKS:
        yield _Folder(host.place(path), "containerd", has_namespaces=True)
    for path in (*runc.RUNC_STATES, *runc.CRUN_STATES):
        yield _Folder(host.place(path), takes_ids=False)


def _new_entries(folder: _Folder) -> list[str]:
    with suppress(OSError):
        changed_ns = folder.place.path.stat().st_mtime_ns
        if changed_ns == folder.changed_ns:
            return []
        # Within a tick of the kernel's clock more may come without another time of change.
        is_over = time.time_ns() - changed_ns > TICK_NS
        folder.changed_ns = changed_ns if is_over else 0
        entries = set(folder.place.names(MOST_ENTRIES))
        new = sorted(entries - folder.entries)
        folder.entries = entries
        return new
    return []


def _sightings(folder: _Folder, names: list[str]) -> Iterator[Sighting]:
    for name in names:
        if _WHOLE_ID.match(name):
            if folder.takes_ids:
                yield Sighting(name, folder.engine, (), (), None)
        elif folder.engine != "docker" and (folder.namespace or not folder.takes_ids):
            yield Sighting("", "", ((folder.namespace, name),), (), None)
