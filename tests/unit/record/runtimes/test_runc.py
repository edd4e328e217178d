"""States of runc and crun."""

import pytest

from falcotrace.record.runtimes.sighting import Host
from falcotrace.record.runtimes.table import look_up
from unit.record.runtimes.state_files import ID, bind, oci_spec, put, runc_state, sighted


def test_a_container_with_a_name(host: Host) -> None:
    """Mounts with their propagation, labels, namespaces; images are not runc's business."""
    put(host.root / "run/runc/box/state.json", runc_state("box", "/box"))
    container = look_up(host, sighted("/box")).container
    assert container is not None
    assert (container.container_id, container.name, container.type) == ("box", "box", "runc")
    assert container.labels == {"bundle": "/bundle", "owner": "a=b"}
    etc, srv = container.mounts
    assert (etc.source, etc.destination, etc.is_writable) == ("/etc", "/host-etc", False)
    assert (etc.propagation, srv.propagation) == ("rslave" if 0x84000 & 1 << 19 else "", "rprivate")
    truths = (container.is_host_pid, container.is_host_network, container.is_host_ipc)
    assert truths == (False, False, True)
    assert not container.is_privileged
    assert {"container.image.repository", "container.ip"} <= set(container.unknown)
    assert "container.labels" not in container.unknown


@pytest.mark.parametrize("path", ["/other/box", "/box/box", "/"])
def test_only_the_name_is_the_same(host: Host, path: str) -> None:
    """A group that is not the container's does not become one by its name."""
    put(host.root / "run/runc/box/state.json", runc_state("box", "/mine/box"))
    assert look_up(host, sighted(path)).container is None


def test_a_scope_of_systemd(host: Host) -> None:
    """Its name has a prefix and an end."""
    path = "/system.slice/runc-my-box.scope"
    put(host.root / "run/runc/my-box/state.json", runc_state("my-box", path))
    container = look_up(host, sighted(path)).container
    assert container is not None
    assert container.full_id == "my-box"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, True),
        ({"seccomp": {}}, False),
        ({"mask_paths": ["/proc/kcore"]}, False),
        ({"readonly_paths": ["/proc/sys"]}, False),
        ({"apparmor_profile": "docker-default"}, False),
        ({"process_label": "system_u"}, False),
        ({"capabilities": {"Bounding": ["CAP_KILL"]}}, False),
        ({"capabilities": None}, False),
    ],
)
def test_privileged(host: Host, config: dict[str, object], *, expected: bool) -> None:
    """CAP_SYS_ADMIN and nothing that confines it."""
    state = runc_state("box", "/box", confined=False, **config)
    put(host.root / "run/runc/box/state.json", state)
    container = look_up(host, sighted("/box")).container
    assert container is not None
    assert container.is_privileged is expected


def test_the_state_comes_after_the_group(host: Host) -> None:
    """The folder is made, then the group, then the state: it is asked again."""
    (host.root / "run/runc/box").mkdir(parents=True)
    assert not look_up(host, sighted("/box")).is_final
    assert look_up(host, sighted("/other")).is_final


@pytest.mark.parametrize(
    ("folder", "path", "kind"),
    [
        ("run/docker/runtime-runc/moby", f"/docker/{ID}", "docker"),
        ("run/containerd/runc/k8s.io", f"/kubepods/cri-containerd-{ID}.scope", "runc"),
        ("run/runc", f"/libpod_parent/libpod-{ID}", "podman"),
    ],
)
def test_below_an_engine_that_is_out_of_reach(
    host: Host, folder: str, path: str, kind: str
) -> None:
    """What the runtime knows is better than nothing."""
    put(host.root / folder / ID / "state.json", runc_state(ID, path))
    container = look_up(host, sighted(path)).container
    assert container is not None
    assert (container.container_id, container.type) == (ID[:12], kind)


def test_crun(host: Host) -> None:
    """Its state has the specification; the control group is in another file."""
    folder = host.root / "run/crun/box"
    put(folder / "config.json", oci_spec(confined=False, mounts=(bind("/etc", "/e", "ro"),)))
    put(folder / "status", {"pid": 812, "cgroup-path": "/mine/box"})
    container = look_up(host, sighted("/mine/box")).container
    assert container is not None
    assert (container.type, [mount.source for mount in container.mounts]) == ("crun", ["/etc"])
    assert not container.is_privileged
    assert look_up(host, sighted("/box")).container is None
