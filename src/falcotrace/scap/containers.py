"""Metadata of containers: what events about them say, and the columns that follow.

In: the JSON of a `container` event. Out: metadata, and values of the process columns `container.*`
and `k8s.*` for a thread of that container. JSON that is no object, lacks things or has other types
gives what can be had.

Source: plugins 0b3cbd8d, plugins/container/src/container_info_json.cpp and plugin.cpp; libs
48dfd53c for captures of before the plugin.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from falcotrace.events.columns import COLUMNS
from falcotrace.events.control_groups import HOST
from falcotrace.events.text import to_text

Value: TypeAlias = "str | int | bool | list[str] | list[int] | None"

ID_LENGTH = 12
"""Characters of a container id that rules see."""

LABEL_LIMIT = 100
"""Longer labels are left out of lists (the plugin's default)."""

_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "docker",
        1: "lxc",
        2: "libvirt-lxc",
        3: "mesos",
        4: "rkt",
        5: "custom",
        6: "cri",
        7: "containerd",
        8: "cri-o",
        9: "bpm",
        10: "static",
        11: "podman",
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


def _host_columns() -> Mapping[str, Value]:
    columns: dict[str, Value] = dict.fromkeys(_NAMED_HOST, HOST)
    for path, column in COLUMNS.items():
        if path.startswith("container.") and column.type == "string" and path not in columns:
            columns[path] = ""
    return MappingProxyType(columns)


HOST_COLUMNS = _host_columns()
"""Values for threads outside containers."""


@dataclass(frozen=True, slots=True)
class ContainerMetadata:
    """What is known of a container.

    Attributes:
        container_id: as rules see it.
        address: its IPv4 address, 4 bytes; empty while not known.
        columns: values of the process columns.
    """

    container_id: str
    address: bytes
    columns: Mapping[str, Value]


def parse_container_event(raw: bytes) -> ContainerMetadata | None:
    """Read the JSON of an event; None where it names no container."""
    try:
        document = json.loads(to_text(raw.split(b"\0", 1)[0]))
    except (ValueError, RecursionError):
        return None
    found = document.get("container") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        return None
    container_id = _text(found.get("id"))[:ID_LENGTH]
    if not container_id:
        return None
    return ContainerMetadata(
        container_id, _address(_text(found.get("ip"))), _columns(container_id, found)
    )


def container_values(container_id: str, metadata: ContainerMetadata | None) -> Mapping[str, Value]:
    """Values of the columns for a thread.

    Args:
        container_id: of the thread; empty on the host.
        metadata: what is known of its container. Without any, only the id has a value.
    """
    if not container_id:
        return HOST_COLUMNS
    return {"container.id": container_id} if metadata is None else metadata.columns


def _columns(container_id: str, found: dict[str, object]) -> Mapping[str, Value]:
    labels = _labels(found.get("labels"))
    sandbox = _text(found.get("pod_sandbox_id"))
    mounts = _mounts(found.get("Mounts"))
    columns: dict[str, Value] = {"container.id": container_id, **_kubernetes(found, labels)}
    columns |= {path: _text(found.get(key)) for path, key in _TEXTS.items()}
    columns |= {path: found.get(key) is True for path, key in _TRUTHS.items()}
    kind = found.get("type")
    columns["container.type"] = _TYPES.get(kind, "") if isinstance(kind, int) else _text(kind)
    columns["container.full_id"] = columns["container.full_id"] or _text(found.get("id"))
    columns["container.labels"] = _joined_labels(labels)
    columns["container.mounts"] = ",".join(":".join(mount.values()) for mount in mounts)
    for path, key in _MOUNT_COLUMNS.items():
        columns[path] = [mount[key] for mount in mounts]
    columns["k8s.pod.sandbox_id"] = sandbox[:ID_LENGTH] or None
    columns["k8s.pod.full_sandbox_id"] = sandbox or None
    return MappingProxyType(columns)


def _kubernetes(found: dict[str, object], labels: Mapping[str, str]) -> dict[str, Value]:
    pod_labels = _labels(found.get("pod_sandbox_labels"))
    return {
        "k8s.pod.name": labels.get(_POD_NAME),
        "k8s.ns.name": labels.get(_POD_NAMESPACE),
        "k8s.pod.id": labels.get(_POD_UID),
        "k8s.pod.uid": labels.get(_POD_UID),
        "k8s.pod.labels": _joined_labels(pod_labels) or None,
        "k8s.pod.ip": (_text(found.get("ip")) or None) if _POD_NAME in labels else None,
        "k8s.pod.cni.json": (_text(found.get("cni_json")) or None) if _POD_NAME in labels else None,
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _labels(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _joined_labels(labels: Mapping[str, str]) -> str:
    items = sorted(labels.items())
    return ",".join(f"{key}:{text}" for key, text in items if len(text) <= LABEL_LIMIT)


def _mounts(value: object) -> list[dict[str, str]]:
    listed: Iterable[object] = value if isinstance(value, list) else ()
    return [
        {key: _mount_text(mount.get(key)) for key in _MOUNT_COLUMNS.values()}
        for mount in listed
        if isinstance(mount, dict)
    ]


def _mount_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _address(text: str) -> bytes:
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError:
        return b""
