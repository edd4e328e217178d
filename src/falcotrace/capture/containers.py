"""Metadata of containers: what is said about them, and the columns that follow.

In: a description as the container plugin writes it into `container` events, from a `.scap` file or
from the recorder's own look-ups. Out: metadata, and values of the process columns `container.*` and
`k8s.*` for a thread of that container. JSON that is no object, lacks things or has other types
gives what can be had.

Source: plugins 0b3cbd8d, plugins/container/src/container_info_json.cpp and plugin.cpp; libs
48dfd53c for captures of before the plugin.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TypeAlias

from falcotrace.events.columns import COLUMNS
from falcotrace.events.control_groups import HOST, ID_LENGTH
from falcotrace.events.text import storable, to_text

Value: TypeAlias = "str | int | bool | list[str] | list[int] | None"

LABEL_LIMIT = 100
"""Longer labels are left out of lists (the plugin's default)."""

MOST_ITEMS = 512
"""Labels and mounts of a container; each of them stands in each state of its processes."""

HIDDEN_LABELS = ("annotation.", "io.kubernetes.")
"""Labels that begin so are left out of lists."""

_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "docker",
        1: "lxc",
        2: "libvirt-lxc",
        3: "mesos",
        4: "rkt",
        6: "cri",
        7: "containerd",
        8: "cri-o",
        9: "bpm",
        11: "podman",
        0xFFFE: HOST,
    }
)

_MOUNT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "container.mount.source": "Source",
        "container.mount.dest": "Destination",
        "container.mount.mode": "Mode",
        "container.mount.rdwr": "RW",
        "container.mount.propagation": "Propagation",
    }
)
_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "container.full_id": "full_id",
        "container.name": "name",
        "container.image.name": "image",
        "container.image.id": "imageid",
        "container.image.repository": "imagerepo",
        "container.image.tag": "imagetag",
        "container.image.digest": "imagedigest",
        "container.ip": "ip",
        "container.cni.json": "cni_json",
    }
)
_TRUTHS: Mapping[str, str] = MappingProxyType(
    {
        "container.privileged": "privileged",
        "container.host_pid": "host_pid",
        "container.host_network": "host_network",
        "container.host_ipc": "host_ipc",
    }
)
_NAMED_HOST = frozenset({"container.id", "container.full_id", "container.name", "container.type"})

_POD_NAME = "io.kubernetes.pod.name"
_POD_NAMESPACE = "io.kubernetes.pod.namespace"
_POD_UID = "io.kubernetes.pod.uid"


_OF_SANDBOX = ("k8s.pod.labels", "k8s.pod.ip", "k8s.pod.cni.json")
_FROM_LABELS = frozenset({"k8s.pod.name", "k8s.ns.name", "k8s.pod.id", "k8s.pod.uid"})


def _host_columns() -> Mapping[str, Value]:
    """The plugin knows the host as a container without metadata but for its name."""
    columns: dict[str, Value] = dict.fromkeys(_NAMED_HOST, HOST)
    for path, column in COLUMNS.items():
        if path.startswith(("container.", "k8s.")) and path not in _NAMED_HOST | _FROM_LABELS:
            if column.type == "string":
                columns[path] = ""
            elif column.type == "bool":
                columns[path] = False
    return MappingProxyType(columns)


HOST_COLUMNS = _host_columns()
"""Values for threads outside containers."""


@dataclass(frozen=True, slots=True)
class ContainerMetadata:
    """What is known of a container.

    Attributes:
        container_id: as rules see it.
        address: its IPv4 address, 4 bytes; empty while not known.
        columns: values of the process columns; those about the pod come from its sandbox where
            `sandbox_id` is given.
        sandbox_id: the container that knows more of the pod; None if this one does itself.
    """

    container_id: str
    address: bytes
    columns: Mapping[str, Value]
    sandbox_id: str | None = None


def parse_container_event(raw: bytes) -> ContainerMetadata | None:
    """Read the JSON of an event; None where it names no container."""
    try:
        document = json.loads(to_text(raw.split(b"\0", 1)[0]))
    except (ValueError, RecursionError):
        return None
    found = document.get("container") if isinstance(document, dict) else None
    return container_metadata(found) if isinstance(found, dict) else None


def container_metadata(found: dict[str, object]) -> ContainerMetadata | None:
    """Metadata from the inner object of an event; None where it names no container."""
    container_id = storable(found.get("id"))[:ID_LENGTH]
    if not container_id:
        return None
    has_network = bool(storable(found.get("cni_json")))
    return ContainerMetadata(
        container_id,
        _address(storable(found.get("ip"))),
        _columns(container_id, found),
        None if has_network else storable(found.get("pod_sandbox_id"))[:ID_LENGTH],
    )


def container_values(
    container_id: str,
    metadata: ContainerMetadata | None,
    sandbox: ContainerMetadata | None = None,
) -> Mapping[str, Value]:
    """Values of the columns for a thread.

    Args:
        container_id: of the thread; empty on the host.
        metadata: what is known of its container. Without any, only the id has a value.
        sandbox: what is known of the container that `metadata.sandbox_id` names.
    """
    if not container_id:
        return HOST_COLUMNS
    if metadata is None:
        return {"container.id": container_id}
    if metadata.sandbox_id is None:
        return metadata.columns
    if not metadata.sandbox_id:
        # The plugin finds the host under the empty id; it has no address and no network.
        return {**metadata.columns, "k8s.pod.ip": "", "k8s.pod.cni.json": ""}
    if sandbox is None:
        return {**metadata.columns, "k8s.pod.ip": None, "k8s.pod.cni.json": None}
    of_pod = {path: sandbox.columns[path] for path in (*_OF_SANDBOX, "k8s.pod.label")}
    of_pod |= {
        "k8s.pod.ip": sandbox.columns["container.ip"],
        "k8s.pod.cni.json": sandbox.columns["container.cni.json"],
    }
    return {**metadata.columns, **of_pod}


def _columns(container_id: str, found: dict[str, object]) -> Mapping[str, Value]:
    labels = _labels(found.get("labels"))
    mounts = _mounts(found.get("Mounts"))
    columns: dict[str, Value] = {"container.id": container_id, **_kubernetes(found, labels)}
    columns |= {path: storable(found.get(key)) for path, key in _TEXTS.items()}
    columns |= {path: found.get(key) is True for path, key in _TRUTHS.items()}
    kind = None if isinstance(found.get("type"), bool) else found.get("type")
    columns["container.type"] = _TYPES.get(kind, "") if isinstance(kind, int) else storable(kind)
    columns["container.labels"] = _joined_labels(labels)
    columns["container.label"] = _label_items(labels)
    columns["container.mounts"] = ",".join(":".join(mount.values()) for mount in mounts)
    for path, key in _MOUNT_COLUMNS.items():
        columns[path] = [mount[key] for mount in mounts]
    return MappingProxyType(columns)


def _kubernetes(found: dict[str, object], labels: Mapping[str, str]) -> dict[str, Value]:
    pod_labels = _labels(found.get("pod_sandbox_labels"))
    sandbox = storable(found.get("pod_sandbox_id"))
    return {
        "k8s.pod.name": labels.get(_POD_NAME),
        "k8s.ns.name": labels.get(_POD_NAMESPACE),
        "k8s.pod.id": labels.get(_POD_UID),
        "k8s.pod.uid": labels.get(_POD_UID),
        "k8s.pod.sandbox_id": sandbox[:ID_LENGTH],
        "k8s.pod.full_sandbox_id": sandbox,
        "k8s.pod.labels": _joined_labels(pod_labels),
        "k8s.pod.label": _label_items(pod_labels),
        "k8s.pod.ip": storable(found.get("ip")),
        "k8s.pod.cni.json": storable(found.get("cni_json")),
    }


def _labels(value: object) -> dict[str, str]:
    """Labels by name, sorted, but for those that are too long."""
    if not isinstance(value, dict):
        return {}
    found = {storable(key): storable(text) for key, text in value.items() if isinstance(text, str)}
    short = [(key, text) for key, text in sorted(found.items()) if len(text) <= LABEL_LIMIT]
    return dict(short[:MOST_ITEMS])


def _joined_labels(labels: Mapping[str, str]) -> str:
    shown = (item for item in labels.items() if not item[0].startswith(HIDDEN_LABELS))
    return ", ".join(f"{key}:{text}" if text else key for key, text in shown)


def _label_items(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={text}" for key, text in labels.items()]


def _mounts(value: object) -> list[dict[str, str]]:
    listed: Iterable[object] = value if isinstance(value, list) else ()
    return [
        {key: _mount_text(key, mount.get(key)) for key in _MOUNT_COLUMNS.values()}
        for mount in islice(listed, MOST_ITEMS)
        if isinstance(mount, dict)
    ]


def _mount_text(key: str, value: object) -> str:
    return str(value is True).lower() if key == "RW" else storable(value)


def _address(text: str) -> bytes:
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError:
        return b""
