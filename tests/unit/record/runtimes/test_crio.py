"""CRI-O's annotations."""

import shutil

from falcotrace.record.runtimes.sighting import Host
from falcotrace.record.runtimes.table import look_up
from unit.record.runtimes.state_files import (
    DIGEST,
    ID,
    IMAGE,
    POD_UID,
    SANDBOX,
    sighted,
    write_crio,
)

SIGHTED = sighted(f"/kubepods.slice/crio-{ID}.scope")


def test_a_container_of_kubernetes(host: Host) -> None:
    """Pod and its labels, image, volumes, and the sandbox's network."""
    write_crio(host)
    container = look_up(host, SIGHTED).container
    assert container is not None
    assert (container.type, container.name) == ("cri-o", "web")
    assert (container.image, container.image_id) == ("quay.io/shop/web:2", IMAGE)
    assert (container.image_repository, container.image_tag) == ("quay.io/shop/web", "2")
    assert container.image_digest == DIGEST
    assert (container.ip, container.cni_json) == ("10.85.0.7", '{"cniVersion":"1.0.0"}')
    truths = (container.is_host_pid, container.is_host_network, container.is_host_ipc)
    assert (container.is_privileged, *truths) == (True, False, False, True)
    assert container.pod_labels["app"] == "shop"
    assert container.labels["io.kubernetes.pod.uid"] == POD_UID
    assert (container.sandbox_id, container.unknown) == (SANDBOX, ())
    (mount,) = container.mounts
    assert (mount.source, mount.destination, mount.propagation) == ("/etc", "/host-etc", "rslave")
    assert not mount.is_writable


def test_without_its_sandbox(host: Host) -> None:
    """What only the sandbox would tell is unknown."""
    write_crio(host)
    folder = host.root / "var/lib/containers/storage/overlay-containers" / SANDBOX
    shutil.rmtree(folder)
    container = look_up(host, SIGHTED).container
    assert container is not None
    assert {"k8s.pod.labels", "container.host_ipc", "container.ip"} <= set(container.unknown)
    assert container.labels["io.kubernetes.pod.name"] == "web-1"


def test_the_bare_id_of_the_cgroupfs_driver(host: Host) -> None:
    """Who it belongs to is found by asking all."""
    write_crio(host)
    container = look_up(host, sighted(f"/kubepods/besteffort/pod1/{ID}")).container
    assert container is not None
    assert container.type == "cri-o"
