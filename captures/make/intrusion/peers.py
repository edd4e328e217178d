# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""The other end of the container's network: a resolver, other people's servers, visitors.

All of it runs in the namespace that stands for the internet, in processes that are none of the
recorded machines. Nobody here can reach a real network.
"""

import http.client
import http.server
import random
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

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

_TYPE_A, _SUCCESS, _NO_SUCH_NAME = 1, 0x8180, 0x8183
_POINTER_TO_QUESTION, _SECONDS_TO_LIVE = 0xC00C, 60
_HEADER_BYTES = 12


def serve_names(addresses: Mapping[str, str]) -> None:
    """Answer questions about names on the gateway (RFC 1035)."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((GATEWAY, 53))

    def serve() -> None:
        while True:
            question, client = server.recvfrom(512)
            server.sendto(answer_question(question, addresses), client)

    threading.Thread(target=serve, daemon=True).start()


def answer_question(message: bytes, addresses: Mapping[str, str]) -> bytes:
    """The answer to a message with one question."""
    labels, at = [], _HEADER_BYTES
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii"))
        at += 1 + message[at]
    question = message[_HEADER_BYTES : at + 5]
    address = addresses.get(".".join(labels).lower())
    has_address = address is not None and question[-4:-2] == struct.pack("!H", _TYPE_A)
    flags = _NO_SUCH_NAME if address is None else _SUCCESS
    head = message[:2] + struct.pack("!5H", flags, 1, int(has_address), 0, 0)
    if address is None or not has_address:
        return head + question
    record = struct.pack("!3HIH", _POINTER_TO_QUESTION, _TYPE_A, 1, _SECONDS_TO_LIVE, 4)
    return head + question + record + socket.inet_aton(address)


def serve_pages(
    address: str, port: int, pages: Mapping[str, bytes], certificate: Path | None
) -> None:
    """Serve some pages, with TLS if there is a certificate; whatever is sent is taken."""

    class Handler(http.server.BaseHTTPRequestHandler):
        server_version, sys_version = "httpd", ""

        def do_GET(self) -> None:
            body = pages.get(self.path, b"nothing to do\n")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


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
    serve_names({RATES_HOST: RATES_ADDRESS, NEWS_HOST: NEWS_ADDRESS, names.host: names.address})
    serve_pages(RATES_ADDRESS, 443, {"/today": b"EUR 1.00\nUSD 1.08\n"}, certificate)
    serve_pages(NEWS_ADDRESS, 80, {"/shipping": b"no delays\n"}, None)
    serve_pages(names.address, 80, {names.file: (folder / "tool").read_bytes()}, None)


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
