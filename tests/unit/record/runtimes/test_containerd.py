"""containerd's tasks, of Kubernetes and of others."""

import pytest

from falcotrace.record.runtimes import containerd
from falcotrace.record.runtimes.description import Container
from falcotrace.record.runtimes.reading import NotYetError
from falcotrace.record.runtimes.sighting import Host
from falcotrace.record.runtimes.table import look_up
from unit.record.runtimes.state_files import (
    ID,
    POD_UID,
    SANDBOX,
    bind,
    oci_spec,
    sighted,
    write_address,
    write_pod,
    write_task,
)

POD = sighted(f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope")


def read(host: Host, path: str) -> Container:
    """What the files say of the container of a control group."""
    found = containerd.read(host, sighted(path))
    assert found is not None
    return found.container


def test_a_container_of_kubernetes(host: Host) -> None:
    """Pod, namespace, image and volumes as the plugin has them from CRI."""
    write_pod(host)
    write_address(host, SANDBOX, "10.0.0.9")
    container = look_up(host, POD).container
    assert container is not None
    assert (container.type, container.name) == ("containerd", "web")
    assert container.image == "docker.io/library/nginx:1.25"
    assert container.image_repository == "docker.io/library/nginx"
    assert (container.image_tag, container.sandbox_id) == ("1.25", SANDBOX)
    assert container.labels == {
        "io.kubernetes.container.name": "web",
        "io.kubernetes.pod.name": "web-1",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": POD_UID,
        "io.kubernetes.sandbox.id": SANDBOX,
    }
    (mount,) = container.mounts
    assert (mount.source, mount.destination) == ("/etc", "/host-etc")
    assert (mount.mode, mount.is_writable, mount.propagation) == ("", False, "rslave")
    assert container.ip == "10.0.0.9"
    truths = (container.is_privileged, container.is_host_pid, container.is_host_network)
    assert truths == (False, False, True)
    assert set(container.unknown) >= {"k8s.pod.labels", "container.image.id"}
    assert "container.ip" not in container.unknown


def test_its_sandbox(host: Host) -> None:
    """The container that holds the pod's namespaces is described too, without an image."""
    write_pod(host)
    path = f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{SANDBOX}.scope"
    container = read(host, path)
    assert (container.name, container.image) == ("", "")
    assert container.labels["io.kubernetes.pod.name"] == "web-1"
    assert "container.image.name" in container.unknown


def test_without_its_sandbox(host: Host) -> None:
    """What only the sandbox would tell is unknown, not false."""
    write_pod(host, with_sandbox=False)
    container = look_up(host, POD).container
    assert container is not None
    assert {"container.host_pid", "container.ip"} <= set(container.unknown)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"linux": {"seccomp": {}}}, False),
        ({"linux": {"maskedPaths": []}}, False),
        ({"process": {"apparmorProfile": "cri-containerd.apparmor.d"}}, False),
        ({"process": {"apparmorProfile": "unconfined"}}, True),
        ({"process": {"selinuxLabel": "system_u"}}, False),
    ],
)
def test_privileged(host: Host, change: dict[str, dict[str, object]], *, expected: bool) -> None:
    """A container is privileged where nothing at all confines it, as the plugin judges."""
    spec = oci_spec(confined=False)
    for part, members in change.items():
        spec[part] = {**spec[part], **members}
    write_pod(host, spec=spec)
    container = look_up(host, POD).container
    assert container is not None
    assert container.is_privileged is expected


def test_a_read_only_sysfs_is_not_privileged(host: Host) -> None:
    """As everywhere where nobody asked for privileges."""
    spec = oci_spec(confined=False)
    spec["mounts"][1]["options"] = ["ro"]
    write_pod(host, spec=spec)
    container = look_up(host, POD).container
    assert container is not None
    assert not container.is_privileged


def test_a_container_of_ctr(host: Host) -> None:
    """It has a name in a namespace, all mounts, and an image that only the database knows."""
    spec = oci_spec(mounts=(bind("/etc", "/e", "ro", "mode=755"),), shares=("network",))
    spec["linux"]["rootfsPropagation"] = "rslave"
    write_task(host, "default", "box", spec)
    container = read(host, "/default/box")
    assert (container.container_id, container.full_id) == ("box", "box")
    assert (container.type, container.name) == ("containerd", "box")
    assert [mount.destination for mount in container.mounts] == ["/proc", "/sys", "/e"]
    assert container.mounts[2].mode == "755"
    assert {mount.propagation for mount in container.mounts} == {"rslave"}
    assert (container.is_host_network, container.is_host_pid) == (True, False)
    assert {"container.image.name", "container.labels"} <= set(container.unknown)


def test_names_of_other_groups(host: Host) -> None:
    """A service of the host is no container because a container has the same name."""
    write_task(host, "default", "box", oci_spec())
    for path in ("/system.slice/box", "/box", "/default/other", "/", "/default"):
        assert containerd.read(host, sighted(path)) is None
    assert containerd.read(host, sighted("/../default/../box")) is None


def test_the_bundle_comes_before_the_specification(host: Host) -> None:
    """A task's folder without one is asked again."""
    write_task(host, "default", "box", oci_spec()).unlink()
    with pytest.raises(NotYetError):
        containerd.read(host, sighted("/default/box"))
    answer = look_up(host, sighted("/default/box"))
    assert (answer.container, answer.is_final) == (None, False)
    assert look_up(host, sighted("/default/other")).is_final


def test_docker_over_containerd(host: Host) -> None:
    """Where Docker's own files are out of reach its containers are at least of its type."""
    write_task(host, "moby", ID, oci_spec(confined=False))
    container = look_up(host, sighted(f"/system.slice/docker-{ID}.scope")).container
    assert container is not None
    assert (container.type, container.is_privileged) == ("docker", True)
    assert "container.name" in container.unknown
