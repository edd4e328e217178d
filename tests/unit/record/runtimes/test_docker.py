"""Docker's files and its API."""

import http.server
import json
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from falcotrace.record.runtimes import docker, docker_socket
from falcotrace.record.runtimes.document import DocumentError
from falcotrace.record.runtimes.reading import Reading
from falcotrace.record.runtimes.sighting import Host, Sighting
from falcotrace.record.runtimes.table import look_up
from unit.record.runtimes.state_files import DIGEST, ID, IMAGE, SANDBOX, Docker, put, sighted

SIGHTED = sighted(f"/docker/{ID}")


def read(host: Host, sighting: Sighting = SIGHTED) -> Reading:
    """What the files say; they must say something."""
    found = docker.read(host, sighting)
    assert found is not None
    return found


def test_a_running_container(host: Host) -> None:
    """Names, image, truths, labels, address and mounts are those of `docker inspect`."""
    Docker(host).write()
    found = read(host)
    container = found.container
    assert found.is_final
    assert (container.container_id, container.full_id) == (ID[:12], ID)
    assert (container.type, container.name) == ("docker", "web")
    assert container.image == "registry:5000/shop/web:1.2"
    assert container.image_repository == "registry:5000/shop/web"
    assert (container.image_tag, container.image_digest) == ("1.2", DIGEST)
    assert container.image_id == IMAGE
    assert container.ip == "172.17.0.2"
    truths = (container.is_privileged, container.is_host_pid)
    assert (*truths, container.is_host_network, container.is_host_ipc) == (True, True, False, False)
    assert container.labels["maintainer"] == "somebody"
    data, etc = container.mounts
    assert (data.source, data.is_writable) == ("/var/lib/docker/volumes/v/_data", True)
    assert (etc.source, etc.destination, etc.mode) == ("/etc", "/host-etc", "z")
    assert (etc.is_writable, etc.propagation) == (False, "rprivate")
    assert container.unknown == ()


def test_an_image_without_names(host: Host) -> None:
    """Its name is the one that the container was made with."""
    made = Docker(host)
    made.names.clear()
    made.write()
    container = read(host).container
    assert (container.image_repository, container.image_tag) == ("", "")
    made.config["Image"] = IMAGE
    made.write()
    assert read(host).container.image_id == ""


def test_images_that_containerd_keeps(host: Host) -> None:
    """Docker has no store of names then: what was asked for has to do."""
    Docker(host).write()
    (host.root / "var/lib/docker/image/overlay2/repositories.json").unlink()
    container = read(host).container
    names = (container.image_repository, container.image_tag, container.image_digest)
    assert names == ("registry:5000/shop/web", "1.2", "")


def test_before_it_runs_the_answer_may_change(host: Host) -> None:
    """Docker writes the address only once the container runs."""
    made = Docker(host)
    made.config["State"]["Running"] = False
    made.write()
    assert not read(host).is_final


def test_the_network_of_another_container(host: Host) -> None:
    """Its address counts."""
    made = Docker(host)
    made.config["ID"] = SANDBOX
    made.write()
    made = Docker(host)
    made.config["NetworkSettings"] = {}
    made.host_config["NetworkMode"] = f"container:{SANDBOX}"
    made.write()
    assert read(host).container.ip == "172.17.0.2"
    made.host_config["NetworkMode"] = "container:../../../etc"
    made.write()
    assert read(host).container.ip == ""


def test_another_data_root(host: Host) -> None:
    """The daemon's settings say where it is."""
    put(host.root / "etc/docker/daemon.json", {"data-root": "/srv/docker"})
    Docker(host, "srv/docker").write()
    assert read(host).container.name == "web"


def test_without_root(host: Host) -> None:
    """A user's own Docker keeps its files in the home, and only its containers are there."""
    Docker(host, "home/ann/.local/share/docker").write()
    path = f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope"
    assert read(host, sighted(path)).container.name == "web"
    assert docker.read(host, SIGHTED) is None


def test_broken_settings(host: Host) -> None:
    """Files that cannot be used are a problem that is told, and no description."""
    Docker(host).write()
    folder = host.root / "var/lib/docker/containers" / ID
    (folder / "config.v2.json").write_text('{"ID": ')
    with pytest.raises(DocumentError, match="no JSON"):
        docker.read(host, SIGHTED)
    answer = look_up(host, SIGHTED)
    assert (answer.container, answer.problem) == (None, "no JSON: JSONDecodeError")


class Daemon(socketserver.ThreadingUnixStreamServer):
    """A daemon that answers with what is in `answers`, or as a test wants it."""

    daemon_threads = True
    answers: dict[str, Any]
    asked: list[str]


@contextmanager
def daemon(host: Host, answers: dict[str, Any]) -> Iterator[Daemon]:
    """A daemon behind the usual socket."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.server, Daemon)
            self.server.asked.append(self.path)
            answer = self.server.answers.get(self.path)
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(404 if answer is None else 200)
            if raw != b"slow":
                self.end_headers()
                self.wfile.write(raw)
                return
            self.end_headers()
            for _ in range(40):
                self.wfile.write(b" ")
                time.sleep(0.05)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            return

        def address_string(self) -> str:
            return ""

    path = host.root / docker_socket.SOCKET
    path.parent.mkdir(parents=True, exist_ok=True)
    with Daemon(os.fspath(path), Handler) as server:
        server.answers, server.asked = answers, []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


INSPECTED = {
    "Id": ID,
    "Name": "/web",
    "Image": f"sha256:{IMAGE}",
    "State": {"Running": True},
    "Config": {"Image": "web", "Labels": {"a": "b"}},
    "HostConfig": {"Privileged": False, "NetworkMode": "host"},
    "NetworkSettings": {"IPAddress": ""},
    "Mounts": [{"Source": "/etc", "Destination": "/e", "Mode": "ro", "RW": False}],
}


@pytest.fixture
def short_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A root with a short name: a socket's path has 107 bytes."""
    folder = Path(f"/tmp/falcotrace-test-{os.getpid()}")
    folder.mkdir()
    yield Host(folder)
    (folder / docker_socket.SOCKET).unlink(missing_ok=True)
    (folder / "run").rmdir()
    folder.rmdir()


def test_the_api_where_there_are_no_files(short_root: Host) -> None:
    """Two requests, and the same description as from the files."""
    image = {"RepoDigests": [f"web@{DIGEST}"], "RepoTags": ["web:3"]}
    answers = {f"/containers/{ID}/json": INSPECTED, f"/images/sha256:{IMAGE}/json": image}
    with daemon(short_root, answers) as server:
        answer = look_up(short_root, SIGHTED)
        assert len(server.asked) == 2
    container = answer.container
    assert container is not None
    assert (container.name, container.image_repository, container.image_tag) == ("web", "web", "3")
    assert (container.is_host_network, container.labels) == (True, {"a": "b"})
    assert [mount.mode for mount in container.mounts] == ["ro"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b"x" * (5 << 20), b'"text"', b""])
def test_answers_of_any_kind(short_root: Host, body: bytes) -> None:
    """Too deep, too long, of another form, empty: no description without an id, no crash."""
    with daemon(short_root, {f"/containers/{ID}/json": body}):
        container = look_up(short_root, SIGHTED).container
    assert container is None


def test_a_daemon_that_drips(short_root: Host) -> None:
    """It is given up after the time limit, and not asked again for a while."""
    with daemon(short_root, {f"/containers/{ID}/json": b"slow"}) as server:
        began = time.monotonic()
        assert docker_socket.read(short_root, SIGHTED) is None
        assert time.monotonic() - began < 5
        assert docker_socket.read(short_root, SIGHTED) is None
        assert len(server.asked) == 1
    docker_socket.forget_silence()
