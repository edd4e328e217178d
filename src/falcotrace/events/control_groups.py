"""From control group paths to a container id, as Falco's container plugin does it.

In: the paths of a thread's control groups. Out: the first twelve digits of a container id, or
    `host`; and for whoever looks the container up, the whole id and whose form the path has. Names
    and images are known to the container runtimes alone (`falcotrace.record.runtimes`).

Source: falcosecurity/plugins 0b3cbd8d, plugins/container/src/matchers/*.cpp.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

HOST = "host"
"""`container.id` of a process outside containers."""

ID_LENGTH = 12
"""Characters of a container id that rules see."""

_ID = r"[0-9a-f]{64}"
# The last component of a path, with the prefix and suffix that each runtime gives it, in the
# plugin's order: podman, docker, CRI (cri-o, containerd), containerd, and the bare id that docker
# and kubelet use on the cgroupfs driver.
_MATCHERS = (
    ("podman", re.compile(rf"/libpod-({_ID})(?:\.scope)?(?:/container)?$")),
    ("docker", re.compile(rf"/docker-({_ID})\.scope$")),
    ("docker", re.compile(rf"/docker/({_ID})$")),
    ("cri-o", re.compile(rf"/crio-({_ID})(?:\.scope)?$")),
    ("containerd", re.compile(rf"/(?:cri-containerd-|.*:cri-containerd:)({_ID})(?:\.scope)?$")),
    ("containerd", re.compile(rf"/nerdctl-({_ID})\.scope$")),
    ("", re.compile(rf"/({_ID})$")),
)
_LXC = re.compile(r"/lxc(?:\.payload)?[./]([^/]+)")


@dataclass(frozen=True, slots=True)
class ContainerGroup:
    """A control group of a container.

    Attributes:
        full_id: the container's whole id.
        engine: whose form the path has; empty where several write it so.
        path: the path.
    """

    full_id: str
    engine: str
    path: str


@lru_cache(maxsize=4096)
def container_of(control_groups: tuple[str, ...]) -> str:
    """The short id of the container of a thread with these `subsystem=path` texts."""
    return container_id(item.partition("=")[2] for item in control_groups)


def container_id(paths: Iterable[str]) -> str:
    """The short id of the container that these control groups belong to; `host` outside."""
    found = container_group(paths)
    if found is None:
        return HOST
    return found.full_id if found.engine == "lxc" else found.full_id[:ID_LENGTH]


def container_group(paths: Iterable[str]) -> ContainerGroup | None:
    """The first of these control groups that is a container's."""
    for path in paths:
        for engine, matcher in _MATCHERS:
            if found := matcher.search(path):
                return ContainerGroup(found.group(1), engine, path)
        if found := _LXC.search(path):
            return ContainerGroup(found.group(1), "lxc", path)
    return None
