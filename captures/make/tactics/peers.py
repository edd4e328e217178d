# ruff: noqa: INP001 - a script beside others
"""The "internet" of the tactics: a resolver, a server of pages, and whom intruders talk to."""

import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from internet import serve_names, serve_pages
from sandboxes import drain
from stage import COLLECTOR, CONTAINER_GATEWAY, HOST_GATEWAY, INTRUDER, MIRROR

NAMES: Mapping[str, str] = {
    "packages.example.org": MIRROR,
    "cdn.example.net": INTRUDER,
    "collect.example.net": COLLECTOR,
    # Names that rules know; in here they are the intruder's.
    "api.telegram.org": COLLECTOR,
    "pool.supportxmr.com": COLLECTOR,
}
LISTENING: Mapping[str, tuple[int, ...]] = {
    MIRROR: (22, 443),
    INTRUDER: (22, 443, 3333, 8443),
    COLLECTOR: (443, 8080),
}
"""Where everything is taken and nothing answered."""

SHELL_PORT = 4444
SHELL_LINES = "id\nuname -n -s -m\nexit\n"
"""Where shells connect to, and what the intruder types into them."""

_PAGES: Mapping[str, bytes] = {"/": b"nothing to see\n"}


def serve_internet() -> None:
    """Start everything that the machines may ask; files in `files/` are pages everywhere."""
    files = sorted((Path(__file__).parent / "files").glob("*"))
    pages = _PAGES | {f"/{path.name}": path.read_bytes() for path in files}
    for gateway in (HOST_GATEWAY, CONTAINER_GATEWAY):
        serve_names(gateway, NAMES)
    for address in (MIRROR, INTRUDER, COLLECTOR):
        serve_pages(address, 80, pages)
    for address, ports in LISTENING.items():
        for port in ports:
            _listen(address, port, drain)
    _listen(INTRUDER, SHELL_PORT, _type)


def _type(shell: socket.socket) -> None:
    shell.sendall(SHELL_LINES.encode())
    drain(shell)


def _listen(address: str, port: int, answer: Callable[[socket.socket], None]) -> None:
    listener = socket.create_server((address, port))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
