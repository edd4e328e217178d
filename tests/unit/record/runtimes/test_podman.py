"""podman's stores, of root and of users."""

import pytest

from falcotrace.record.runtimes import podman
from falcotrace.record.runtimes.description import Container
from falcotrace.record.runtimes.document import DocumentError
from falcotrace.record.runtimes.sighting import Host
from falcotrace.record.runtimes.storage import GRAPH_ROOT
from falcotrace.record.runtimes.table import look_up
from unit.record.runtimes.state_files import (
    DIGEST,
    ID,
    IMAGE,
    Podman,
    oci_spec,
    put,
    sighted,
    write_address,
)

PATH = f"/machine.slice/libpod-{ID}.scope"


def described(host: Host, path: str = PATH) -> Container:
    """The description of the container of a control group."""
    found = look_up(host, sighted(path)).container
    assert found is not None
    return found


def test_a_container(host: Host) -> None:
    """Name, image with digest, privileges and the user's own mounts, as `podman inspect` says."""
    Podman(host.root / GRAPH_ROOT).write()
    write_address(host, ID, "10.88.0.2")
    container = described(host)
    assert (container.type, container.name, container.full_id) == ("podman", "vibrant", ID)
    assert (container.image, container.image_id) == ("localhost/tool:1.0", IMAGE)
    assert (container.image_repository, container.image_tag) == ("localhost/tool", "1.0")
    assert (container.image_digest, container.ip) == (DIGEST, "10.88.0.2")
    assert container.is_privileged
    (mount,) = container.mounts
    assert (mount.source, mount.destination, mount.propagation) == ("/root", "/x", "rshared")
    assert set(container.unknown) == {"container.labels", "container.label"}


def test_labels_from_the_database(host: Host) -> None:
    """Since version 4.8 they can be read; nothing is unknown then."""
    made = Podman(host.root / GRAPH_ROOT)
    made.write()
    made.write_database({"id": ID, "labels": {"who": "test"}})
    write_address(host, ID, "10.88.0.2")
    container = described(host)
    assert (container.labels, container.unknown) == ({"who": "test"}, ())


@pytest.mark.parametrize("content", ["no database", "", "SQLite format 3\0" + "x" * 100])
def test_a_database_that_is_none(host: Host, content: str) -> None:
    """It is a problem that is told; what the other files say is not guessed at."""
    made = Podman(host.root / GRAPH_ROOT)
    made.write()
    (made.root / "db.sql").write_text(content)
    with pytest.raises(DocumentError, match="podman's database"):
        podman.read(host, sighted(PATH))


def test_a_container_that_ends_with_its_process(host: Host) -> None:
    """It is listed in the passing store."""
    made = Podman(host.root / GRAPH_ROOT)
    made.write()
    (made.root / "overlay-containers/containers.json").write_text("[]")
    volatile = host.root / "run/containers/storage/overlay-containers/volatile-containers.json"
    put(volatile, [made.entry])
    assert described(host).name == "vibrant"


@pytest.mark.parametrize(
    "settings", ['[storage]\ngraphroot = "/srv/store"\n', "no = [toml", "\xff"]
)
def test_another_store(host: Host, settings: str) -> None:
    """The settings say where it is; settings that cannot be read name the usual place."""
    (host.root / "etc/containers").mkdir(parents=True)
    (host.root / "etc/containers/storage.conf").write_text(settings, "latin-1")
    Podman(host.root / ("srv/store" if "srv" in settings else GRAPH_ROOT)).write()
    assert described(host).name == "vibrant"


def test_privileges_without_a_word_of_podman(host: Host) -> None:
    """The specification decides."""
    made = Podman(host.root / GRAPH_ROOT)
    made.spec = oci_spec(confined=True, shares=("network",))
    made.write()
    container = described(host)
    assert (container.is_privileged, container.is_host_network) == (False, True)
    assert "container.ip" not in container.unknown


def test_a_container_of_a_user(host: Host) -> None:
    """Its files are in the home of the user below whose slice it runs, and nowhere else."""
    Podman(host.root / "home/ann/.local/share/containers/storage").write()
    path = f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"
    assert described(host, path).name == "vibrant"
    assert look_up(host, sighted(PATH)).container is None
    assert look_up(host, sighted(path.replace("1000", "1001"))).container is None


def test_a_users_database_is_left_alone(host: Host) -> None:
    """SQLite is not made for files that somebody wrote to hurt."""
    made = Podman(host.root / "home/ann/.local/share/containers/storage")
    made.write()
    made.write_database({"id": ID, "labels": {"who": "test"}})
    path = f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"
    assert described(host, path).labels == {}
