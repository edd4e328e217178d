# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""The other end of the container's network: a resolver, other people's servers, visitors.

All of it runs in the namespace that stands for the internet, in processes that are none of the
recorded machines. Nobody here can reach a real network.
"""

import http.client
import random
import subprocess
import threading
from pathlib import Path

from internet import serve_names, serve_pages
from names import (
    APPLICATION_ADDRESS,
    APPLICATION_PORT,
    GATEWAY,
    NEWS_ADDRESS,
    NEWS_HOST,
    RATES_ADDRESS,
    RATES_HOST,
    VISITORS,
    Names,
)


def make_certificate(output: Path) -> None:
    """A key and a certificate for the server of rates, in one file."""
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={RATES_HOST}"]
    files = ["-keyout", str(output), "-out", str(output) + ".crt"]
    subprocess.run(["openssl", "req", "-x509", *options, *files], check=True, capture_output=True)
    with output.open("ab") as both:
        both.write(Path(f"{output}.crt").read_bytes())


def serve_internet(folder: Path, names: Names) -> None:
    """Start everything that the container may ask."""
    certificate = folder / "rates.pem"
    make_certificate(certificate)
    serve_names(
        GATEWAY, {RATES_HOST: RATES_ADDRESS, NEWS_HOST: NEWS_ADDRESS, names.host: names.address}
    )
    serve_pages(RATES_ADDRESS, 443, {"/today": b"EUR 1.00\nUSD 1.08\n"}, certificate)
    serve_pages(NEWS_ADDRESS, 80, {"/shipping": b"no delays\n"})
    serve_pages(names.address, 80, {names.file: (folder / "tool").read_bytes()})


def ask(method: str, path: str, visitor: str, body: bytes | None = None) -> bytes:
    """Ask the application for something, from a visitor's address."""
    connection = http.client.HTTPConnection(
        APPLICATION_ADDRESS, APPLICATION_PORT, timeout=60, source_address=(visitor, 0)
    )
    connection.request(method, path, body)
    answer = connection.getresponse().read()
    connection.close()
    return answer


class Visitors(threading.Thread):
    """Ordinary users, until they are told to stop."""

    def __init__(self, interval_s: float) -> None:
        super().__init__(daemon=True)
        self._interval_s = interval_s
        self._stopped = threading.Event()

    def run(self) -> None:
        """Ask for one thing after the other."""
        draw = random.Random(0)  # noqa: S311 - visitors, not secrets
        while not self._stopped.wait(self._interval_s):
            month, customer = f"2026-{draw.randrange(1, 12):02}", f"customer{draw.randrange(17)}"
            requests = (
                ("GET", "/", None),
                ("GET", f"/orders?customer={customer}", None),
                ("GET", f"/report?month={month}", None),
                ("POST", "/orders", f"{month},{customer},lamp".encode()),
                ("POST", f"/report?month={month}", f"{month},{customer},match\n".encode()),
            )
            method, path, body = draw.choice(requests)
            ask(method, path, draw.choice(VISITORS), body)

    def stop(self) -> None:
        """Let the last one finish."""
        self._stopped.set()
        self.join()
