"""Container ids from control groups."""

import pytest

from falcotrace.events.control_groups import (
    HOST,
    ContainerGroup,
    container_group,
    container_id,
    container_of,
)

ID = "3f1e9a7c5b2d4860fedcba98765432100123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "path",
    [
        f"/docker/{ID}",
        f"/system.slice/docker-{ID}.scope",
        f"/machine.slice/libpod-{ID}.scope",
        f"/machine.slice/libpod-{ID}.scope/container",
        f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope",
        f"/kubepods-burstable.slice:cri-containerd:{ID}",
        f"/kubepods/besteffort/pod1/{ID}",
        f"/kubepods.slice/crio-{ID}.scope",
        f"/user.slice/nerdctl-{ID}.scope",
    ],
)
def test_runtimes_are_recognised(path: str) -> None:
    """Each runtime puts the id into the last component in its own way; twelve digits are shown."""
    assert container_id([path]) == ID[:12]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/user.slice/user-0.slice/session-1.scope",
        "/docker",
        f"/docker/{ID[:-1]}",
        f"/docker/{ID}x",
        f"/docker/{ID.upper()}",
        f"/docker/{ID}/child",
        f"/docker-{ID}.scope2",
    ],
)
def test_others_are_the_host(path: str) -> None:
    """What only resembles a container's group is none: a wrong id would hide the host's events."""
    assert container_id([path]) == HOST


@pytest.mark.parametrize(
    ("path", "engine"),
    [
        (f"/docker/{ID}", "docker"),
        (f"/system.slice/docker-{ID}.scope", "docker"),
        (f"/machine.slice/libpod-{ID}.scope", "podman"),
        (f"/kubepods.slice/cri-containerd-{ID}.scope", "containerd"),
        (f"/kubepods.slice/crio-{ID}.scope", "cri-o"),
        (f"/kubepods/besteffort/pod1/{ID}", ""),
        ("/lxc/web/init.scope", "lxc"),
    ],
)
def test_the_form_tells_the_engine(path: str, engine: str) -> None:
    """Who is asked for the rest; a bare id may be anybody's."""
    group = container_group(["/", path])
    assert group == ContainerGroup("web" if engine == "lxc" else ID, engine, path)
    assert container_group(["/", "/user.slice"]) is None


def test_lxc_has_names_and_no_numbers() -> None:
    """The container's name is its id."""
    assert container_id(["/lxc/web/init.scope"]) == "web"
    assert container_id(["/lxc.payload.web"]) == "web"


def test_any_controller_may_tell() -> None:
    """With version 1 only some controllers may have a group for the container."""
    groups = ("cpuset=/", f"memory=/docker/{ID}", "=/system.slice/docker.service")
    assert container_of(groups) == ID[:12]
    assert container_of(("cpuset=/", "=/")) == HOST
    assert container_of(()) == HOST
