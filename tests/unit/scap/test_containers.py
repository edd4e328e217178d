"""Metadata of containers: what events say becomes columns, whatever the JSON holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.capture.containers import (
    HOST_COLUMNS,
    ContainerMetadata,
    container_values,
    parse_container_event,
)
from falcotrace.capture.schema import flat_type
from falcotrace.events.columns import PROCESS_COLUMNS
from falcotrace.scap.container_table import ContainerTable, read_container
from small_captures import array_of

FULL = {
    "id": "32a1026ccb88",
    "full_id": "32a1026ccb88a551e2a38eb8f260b4700aefec7e8c007344057e58a9fa302374",
    "type": 0,
    "name": "web",
    "image": "registry/fedora:38",
    "imageid": "0ca0fed353fb",
    "imagerepo": "registry/fedora",
    "imagetag": "38",
    "imagedigest": "sha256:b9",
    "ip": "172.17.0.2",
    "privileged": True,
    "host_pid": False,
    "host_network": True,
    "labels": {
        "maintainer": "somebody",
        "empty": "",
        "long": "x" * 101,
        "io.kubernetes.pod.name": "web-1",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": "u-1",
        "annotation.a": "b",
    },
    "Mounts": [
        {
            "Source": "/home",
            "Destination": "/h",
            "Mode": "z",
            "RW": True,
            "Propagation": "rprivate",
        },
        {"Source": "/etc"},
    ],
    "pod_sandbox_id": "4ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e",
    "pod_sandbox_labels": None,
}


def parsed(container: object) -> ContainerMetadata:
    """The metadata of an event about a container."""
    found = parse_container_event(json.dumps({"container": container}).encode() + b"\n\0")
    assert found is not None
    return found


def test_a_container_that_is_known_shows_all_that_the_event_says() -> None:
    """Names, image, truths, mounts, labels, what Kubernetes hides in labels; ids are shortened."""
    metadata = parsed(FULL)
    columns = container_values("32a1026ccb88", metadata)
    assert metadata.address == bytes([172, 17, 0, 2])
    assert {path: columns[path] for path in columns if path.startswith("container.")} == {
        "container.id": "32a1026ccb88",
        "container.full_id": FULL["full_id"],
        "container.name": "web",
        "container.type": "docker",
        "container.image.name": "registry/fedora:38",
        "container.image.id": "0ca0fed353fb",
        "container.image.repository": "registry/fedora",
        "container.image.tag": "38",
        "container.image.digest": "sha256:b9",
        "container.ip": "172.17.0.2",
        "container.cni.json": "",
        "container.privileged": True,
        "container.host_pid": False,
        "container.host_network": True,
        "container.host_ipc": False,
        "container.labels": "empty, maintainer:somebody",
        "container.label": [
            "annotation.a=b",
            "empty=",
            "io.kubernetes.pod.name=web-1",
            "io.kubernetes.pod.namespace=shop",
            "io.kubernetes.pod.uid=u-1",
            "maintainer=somebody",
        ],
        "container.mounts": "/home:/h:z:true:rprivate,/etc:::false:",
        "container.mount.source": ["/home", "/etc"],
        "container.mount.dest": ["/h", ""],
        "container.mount.mode": ["z", ""],
        "container.mount.rdwr": ["true", "false"],
        "container.mount.propagation": ["rprivate", ""],
    }
    assert [columns[f"k8s.{name}"] for name in ("pod.name", "ns.name", "pod.id", "pod.uid")] == [
        *("web-1", "shop", "u-1", "u-1")
    ]
    assert columns["k8s.pod.sandbox_id"] == "4ad7b26ded6d"


def test_an_old_event_leaves_the_rest_empty() -> None:
    """Captures of before the plugin name id, image, address and name; texts are empty then."""
    old = {"id": "5ea733068030", "image": "sysdig/falco:latest", "name": "falco", "type": 0}
    columns = container_values("5ea733068030", parsed(old))
    assert columns["container.image.repository"] == ""
    assert columns["container.full_id"] == ""
    assert columns["container.privileged"] is False
    assert columns["k8s.pod.name"] is None
    assert columns["k8s.pod.sandbox_id"] == ""


def test_on_the_host_and_without_metadata() -> None:
    """The host is called `host`, other texts are empty; of an unknown container only the id is."""
    assert container_values("", None) is HOST_COLUMNS
    assert HOST_COLUMNS["container.name"] == HOST_COLUMNS["container.id"] == "host"
    assert HOST_COLUMNS["container.image.repository"] == HOST_COLUMNS["k8s.pod.labels"] == ""
    assert HOST_COLUMNS["container.privileged"] is False
    assert "k8s.pod.name" not in HOST_COLUMNS
    assert container_values("5ea733068030", None) == {"container.id": "5ea733068030"}


def told(inner: dict[str, Any]) -> ContainerMetadata:
    """What an event with this JSON says."""
    found = read_container("container", json.dumps({"container": inner}).encode())
    assert found is not None
    return found


def test_a_pod_is_known_through_its_sandbox() -> None:
    """Labels, address and network of the pod are those of the sandbox's container."""
    table = ContainerTable()
    sandbox = {"id": "4ad7b26ded6d", "ip": "10.0.0.9", "cni_json": "{}"}
    sandbox["pod_sandbox_labels"] = {"app": "shop"}  # type: ignore[assignment]
    table.add(told(FULL))
    before = table.columns("32a1026ccb88")
    assert (before["k8s.pod.ip"], before["k8s.pod.labels"]) == (None, "")
    table.add(told(sandbox))
    assert table.shown_with("4ad7b26ded6d") == {"4ad7b26ded6d", "32a1026ccb88"}
    after = table.columns("32a1026ccb88")
    assert (after["k8s.pod.ip"], after["k8s.pod.cni.json"]) == ("10.0.0.9", "{}")
    assert (after["k8s.pod.labels"], after["k8s.pod.label"]) == ("app:shop", ["app=shop"])
    assert after["container.ip"] == "172.17.0.2"
    table.remove("4ad7b26ded6d")
    assert table.columns("32a1026ccb88") == before


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"[]", b"null", b'{"container": 5}', b'{"container": {}}', b"\xff\xfe"),
        *(b'{"container": {"id": 5}}', b"[" * 100_000, b'{"container": {"id": "\\u0000x"}}'),
        b'{"container": {"id": "x", "cpu": ' + b"9" * 5000 + b"}}",
    ],
)
def test_what_names_no_container_is_ignored(raw: bytes) -> None:
    """JSON that is broken, of another form or too deep is no metadata and no error."""
    assert parse_container_event(raw) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(sorted(FULL)), JSON))
def test_values_of_other_types_can_be_stored(container: dict[str, object]) -> None:
    """Whatever stands behind the keys, each column gets a value of its type or none."""
    metadata = parsed({**container, "id": "x"})
    columns = container_values("x", metadata)
    types = {column.path: flat_type(column.path) for column in PROCESS_COLUMNS}
    for path, value in columns.items():
        assert path in types
        assert len(array_of(path, [value])) == 1
