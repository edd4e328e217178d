"""A description of a container, in the form that the container plugin gives to its events.

In: what a reader found. Out: JSON that `falcotrace.capture.containers` turns into columns.

Source: falcosecurity/plugins 0b3cbd8d, plugins/container/go-worker/pkg/event/event.go and
pkg/container/engine.go (references of images).
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

TEXT_BUDGET: Final = 16 << 10
"""Characters of all mounts, or all labels, of a container: they stand in each state of each of its
processes, so a container with more of them is described by the first ones."""

POD_LABELS: Final = ("k8s.pod.labels", "k8s.pod.label")
LABELS: Final = ("container.labels", "container.label")
IMAGE: Final = (
    *("container.image.name", "container.image.id", "container.image.digest"),
    *("container.image.repository", "container.image.tag"),
)
MOUNTS: Final = (
    "container.mounts",
    *(f"container.mount.{part}" for part in ("source", "dest", "mode", "rdwr", "propagation")),
)
ADDRESS: Final = ("container.ip", "k8s.pod.ip")
CNI: Final = ("container.cni.json", "k8s.pod.cni.json")
HOST_NAMESPACES: Final = tuple(f"container.host_{name}" for name in ("pid", "network", "ipc"))


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One mount of a container."""

    source: str = msgspec.field(default="", name="Source")
    destination: str = msgspec.field(default="", name="Destination")
    mode: str = msgspec.field(default="", name="Mode")
    is_writable: bool = msgspec.field(default=True, name="RW")
    propagation: str = msgspec.field(default="", name="Propagation")


class Container(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a runtime says of a container.

    Attributes:
        container_id: as rules see it.
        full_id: the whole id.
        type: docker, podman, containerd, cri-o, runc ...
        image: its name as it was asked for, with tag or digest.
        sandbox_id: the container that holds the pod's namespaces; empty outside pods.
        unknown: columns that nothing at hand tells: their null says nothing.
    """

    container_id: str = msgspec.field(name="id")
    full_id: str = ""
    type: str = ""
    name: str = ""
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageid")
    image_repository: str = msgspec.field(default="", name="imagerepo")
    image_tag: str = msgspec.field(default="", name="imagetag")
    image_digest: str = msgspec.field(default="", name="imagedigest")
    ip: str = ""
    cni_json: str = ""
    is_privileged: bool = msgspec.field(default=False, name="privileged")
    is_host_pid: bool = msgspec.field(default=False, name="host_pid")
    is_host_network: bool = msgspec.field(default=False, name="host_network")
    is_host_ipc: bool = msgspec.field(default=False, name="host_ipc")
    labels: dict[str, str] = {}
    mounts: list[Mount] = msgspec.field(default=[], name="Mounts")
    sandbox_id: str = msgspec.field(default="", name="pod_sandbox_id")
    pod_labels: dict[str, str] = msgspec.field(default={}, name="pod_sandbox_labels")
    unknown: tuple[str, ...] = ()


def split_reference(image: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image's name.

    A name with a digest has no tag, as with the plugin. DIFFERS: the plugin takes a registry's port
    for the tag of Docker's and CRI's images, or shows none.

    Example:
        >>> split_reference("registry:5000/shop/web:1.2")
        ('registry:5000/shop/web', '1.2', '')
        >>> split_reference("busybox@sha256:0a")
        ('busybox', '', 'sha256:0a')
    """
    name, _, digest = image.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, "", digest
    return head, "" if digest else tag, digest


def few_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels, in order, as far as there is room for them."""
    left = TEXT_BUDGET
    found: dict[str, str] = {}
    for name, text in sorted(labels.items()):
        left -= len(name) + len(text)
        if left < 0:
            break
        found[name] = text
    return found


def few_mounts(mounts: Iterable[Mount]) -> list[Mount]:
    """The mounts as far as there is room for them."""
    left = TEXT_BUDGET
    found: list[Mount] = []
    for mount in mounts:
        left -= sum(map(len, (mount.source, mount.destination, mount.mode, mount.propagation)))
        if left < 0:
            break
        found.append(mount)
    return found
