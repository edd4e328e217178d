"""The runtimes: by the form of a control group, who is asked for the container.

In: a sighting. Out: a description. Engines come before the runtimes below them, for they know more.

| form of the path | engine | asked in turn |
|---|---|---|
| `libpod-ID`, `libpod-ID.scope` | podman | podman, runc |
| `docker-ID.scope`, `docker/ID` | docker | Docker's files, its API, containerd, runc |
| `crio-ID`, `crio-ID.scope` | cri-o | CRI-O, runc |
| `cri-containerd-ID`, `nerdctl-ID` | containerd | containerd, runc |
| `ID` alone | any (cgroupfs driver) | all of them |
| `lxc/NAME` | lxc | nobody: Falco's plugin shows the id and the type |
| `NAMESPACE/NAME`, `NAME`, `runc-NAME.scope` | containerd, runc, crun | those, by name |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from falcotrace.record.runtimes import containerd, crio, docker, docker_socket, podman, runc
from falcotrace.record.runtimes.description import Container
from falcotrace.record.runtimes.document import DocumentError
from falcotrace.record.runtimes.reading import NotYetError, Reader
from falcotrace.record.runtimes.sighting import Host, Sighting
from falcotrace.record.runtimes.storage import GRAPH_ROOT

_DOCKER: Final = (docker.read, docker_socket.read)
_NAMED: Final = "named"
READERS: Final[Mapping[str, tuple[Reader, ...]]] = {
    "podman": (podman.read, runc.read),
    "docker": (*_DOCKER, containerd.read, runc.read),
    "cri-o": (crio.read, runc.read),
    "containerd": (containerd.read, runc.read),
    "": (*_DOCKER, crio.read, podman.read, containerd.read, runc.read),
    _NAMED: (containerd.read, runc.read),
    "lxc": (),
}

PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "podman": (GRAPH_ROOT, *runc.RUNC_STATES, *runc.CRUN_STATES),
    "docker": (docker.DEFAULT_ROOT, docker_socket.SOCKET, *containerd.TASKS, *runc.RUNC_STATES),
    "cri-o": (GRAPH_ROOT, *runc.RUNC_STATES, *runc.CRUN_STATES),
    "containerd": (*containerd.TASKS, *runc.RUNC_STATES_BY_NAMESPACE),
}
"""Without any of these a description will not come: nothing is waited for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a look-up came to.

    Attributes:
        container: the description; None if there is none.
        is_final: whether asking again is of no use.
        problem: why what was found could not be used.
        groups: control groups of a container that has a name only.
        name: whole id of a container that a runtime has, and has not described yet.
        awaited: the file that is missing then.
    """

    container: Container | None = None
    is_final: bool = True
    problem: str = ""
    groups: frozenset[str] = frozenset()
    name: str = ""
    awaited: Path | None = None


def look_up(host: Host, sighting: Sighting) -> Answer:
    """Ask the runtimes once."""
    if sighting.engine == "lxc":
        return Answer(Container(container_id=sighting.full_id, type="lxc"))
    problem, missing = "", NotYetError("")
    for reader in READERS[sighting.engine if sighting.full_id else _NAMED]:
        try:
            reading = reader(host, sighting)
        except NotYetError as error:
            missing = error
        except DocumentError as error:
            problem = str(error)
        else:
            if reading is not None:
                return Answer(reading.container, reading.is_final, groups=reading.groups)
    may_come = bool(missing.name or problem) or _may_come(host, sighting)
    return Answer(None, not may_come, problem, name=missing.name, awaited=missing.awaited)


def _may_come(host: Host, sighting: Sighting) -> bool:
    """Whether a runtime is there that may still write the container's files."""
    if not sighting.full_id:
        return False
    if sighting.owner is not None:
        return True
    places = PLACES.get(sighting.engine, tuple(path for some in PLACES.values() for path in some))
    return any((host.root / path).exists() for path in places)
