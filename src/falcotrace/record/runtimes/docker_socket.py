"""Docker's API: asked where its files are not found, as with a data folder in an unusual place.

In: a whole id. Out: what `docker inspect` says. One request at a time over a Unix socket, with
limits of time and size; a daemon that does not answer is left alone for a while.

Source: Docker Engine API 1.24, `GET /containers/{id}/json`, `GET /images/{name}/json`.
"""

import http.client
import re
import socket
import time
from pathlib import Path
from typing import Final

from falcotrace.record.runtimes.description import split_reference
from falcotrace.record.runtimes.docker import container_of, names_of_image
from falcotrace.record.runtimes.document import MOST_BYTES, Document, DocumentError
from falcotrace.record.runtimes.reading import Reading
from falcotrace.record.runtimes.sighting import Host, Sighting

SOCKET: Final = "run/docker.sock"
TIMEOUT_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 10.0
"""How long a daemon that did not answer is not asked again."""

_CHUNK_BYTES: Final = 64 << 10
_IMAGE_ID: Final = re.compile(r"^sha256:[0-9a-f]{64}$")

_silent_until: dict[Path, float] = {}


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(str(self._path))


def read(host: Host, sighting: Sighting) -> Reading | None:
    """Ask the daemon for a container."""
    path = host.root / SOCKET
    if not path.is_socket() or _silent_until.get(path, 0.0) > time.monotonic():
        return None
    inspected = ask(path, f"/containers/{sighting.full_id}/json")
    if inspected is None or inspected.at("Id").text != sighting.full_id:
        return None
    asked_for = inspected.at("Config", "Image").text
    image_id = inspected.at("Image").text
    image = ask(path, f"/images/{image_id}/json") if _IMAGE_ID.match(image_id) else None
    if image is None:
        names = split_reference(asked_for)
    else:
        names = names_of_image(image.at("RepoDigests").texts, image.at("RepoTags").texts, asked_for)
    address = inspected.at("NetworkSettings", "IPAddress").text
    if not address:
        networks = inspected.at("NetworkSettings", "Networks")
        address = networks.at("bridge", "IPAddress").text
    is_running = inspected.at("State", "Running").is_true
    return Reading(container_of(inspected, names, address), is_final=is_running)


def ask(path: Path, request: str) -> Document | None:
    """One request; None where the daemon does not know it or does not answer.

    Raises:
        DocumentError: the answer cannot be used.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    connection = _Connection(path)
    try:
        connection.request("GET", request)
        answer = connection.getresponse()
        raw = _body(answer, deadline)
    except (OSError, http.client.HTTPException):
        _silent_until[path] = time.monotonic() + SILENCE_SECONDS
        return None
    finally:
        connection.close()
    return Document.parse(raw) if answer.status == http.client.OK else None


def _body(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := answer.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > MOST_BYTES:
            raise DocumentError(f"more than {MOST_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(chunks)


def forget_silence() -> None:
    """Ask again also those that did not answer."""
    _silent_until.clear()
