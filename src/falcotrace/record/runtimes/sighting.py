"""What is looked up: a container that a set of control groups names, and where its runtime may be.

In: the paths of a set. Out: whole ids or names to look for. A container with a 64-digit id is known
by it; runc and containerd also take names, which the last component of a path may be.

DIFFERS: a name is that of a container only where the runtime's state says so; Falco takes what
follows the first folder of any path for the id of a container of containerd.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from falcotrace.events.control_groups import container_group
from falcotrace.record.runtimes.document import Place

_OWNER: Final = re.compile(r"^/user\.slice/user-(\d{1,10})\.slice/")
_NAME: Final = re.compile(r"^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,127}$")
_SCOPE: Final = re.compile(r"^[^-]+-(.+)\.scope$")


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a set of control groups tells of a container.

    Attributes:
        full_id: the whole id; empty where the container has a name only.
        engine: whose form the path has; empty where several write it so.
        names: what it may be called, with the folder before it (containerd's namespace).
        paths: the paths of the set.
        owner: the user below whose slice it is; None for the host's own.
    """

    full_id: str
    engine: str
    names: tuple[tuple[str, str], ...]
    paths: tuple[str, ...]
    owner: int | None


@dataclass(frozen=True, slots=True)
class Host:
    """Where runtimes keep what they know.

    Attributes:
        root: the root of the file system.
        homes: homes of users by uid.
    """

    root: Path = Path("/")
    homes: Mapping[int, str] = field(default_factory=dict)

    def place(self, path: str) -> Place:
        """A folder that only root can write."""
        return Place(self.root / path)

    def home(self, owner: int | None, path: str) -> Place | None:
        """A folder in a user's home."""
        home = "" if owner is None else self.homes.get(owner, "")
        if not home.startswith("/"):
            return None
        return Place(self.root / home.lstrip("/"), tuple(path.split("/")), owner)


def sighting_of(control_groups: tuple[str, ...]) -> Sighting:
    """What `subsystem=path` texts tell."""
    paths = tuple(dict.fromkeys(item.partition("=")[2] for item in control_groups))
    owners = [int(found.group(1)) for path in paths if (found := _OWNER.match(path))]
    owner = owners[0] if owners and owners[0] else None
    group = container_group(paths)
    if group is not None:
        return Sighting(group.full_id, group.engine, (), paths, owner)
    return Sighting("", "", _names(paths), paths, owner)


def _names(paths: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = dict.fromkeys(map(_name_of, paths))
    return tuple((folder, name) for folder, name in found if name)


def _name_of(path: str) -> tuple[str, str]:
    """What a container may be called whose group this is, and the folder before it."""
    *_, folder, name = f"//{path}".split("/")
    if scope := _SCOPE.match(name):
        name = scope.group(1)
    return folder if _NAME.match(folder) else "", name if _NAME.match(name) else ""
