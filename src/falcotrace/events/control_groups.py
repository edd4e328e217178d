"""From control group paths to a container id, as Falco's container plugin does it.

In: the paths of a thread's control groups. Out: the first twelve digits of a container id, or
    `host`. Names and images need the container runtimes and are not known here.

Source: falcosecurity/plugins 0b3cbd8d, plugins/container/src/matchers/*.cpp.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

HOST = "host"
"""`container.id` of a process outside containers."""

_ID = r"[0-9a-f]{64}"
# The last component of a path, with the prefix and suffix that each runtime gives it, in the
# plugin's order: podman, docker, CRI (cri-o, containerd), containerd, and the bare id that docker
# and kubelet use on the cgroupfs driver.
_MATCHERS = (
    re.compile(rf"/libpod-({_ID})(?:\.scope)?(?:/container)?$"),
    re.compile(rf"/docker-({_ID})\.scope$"),
    re.compile(rf"/crio-({_ID})(?:\.scope)?$"),
    re.compile(rf"/(?:cri-containerd-|.*:cri-containerd:)({_ID})(?:\.scope)?$"),
    re.compile(rf"/nerdctl-({_ID})\.scope$"),
    re.compile(rf"/({_ID})$"),
)
_LXC = re.compile(r"/lxc(?:\.payload)?[./]([^/]+)")


@lru_cache(maxsize=4096)
def container_of(control_groups: tuple[str, ...]) -> str:
    """The short id of the container of a thread with these `subsystem=path` texts."""
    return container_id(item.partition("=")[2] for item in control_groups)


def is_contained(control_groups: tuple[str, ...]) -> bool:
    """Whether a thread with these `subsystem=path` texts runs in a container."""
    return container_of(control_groups) != HOST


def container_id(paths: Iterable[str]) -> str:
    """The short id of the container that these control groups belong to; `host` outside."""
    for path in paths:
        for matcher in _MATCHERS:
            if found := matcher.search(path):
                return found.group(1)[:12]
        if found := _LXC.search(path):
            return found.group(1)
    return HOST
