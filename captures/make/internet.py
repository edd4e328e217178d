# ruff: noqa: INP001 - a script beside others
"""Other people's servers: a resolver and servers of pages, in threads of their own.

All of it runs in the namespace that stands for the internet, in processes that are none of the
recorded machines. Nobody here can reach a real network.
"""

import http.server
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from pathlib import Path

_TYPE_A, _SUCCESS, _NO_SUCH_NAME = 1, 0x8180, 0x8183
_POINTER_TO_QUESTION, _SECONDS_TO_LIVE = 0xC00C, 60
_HEADER_BYTES = 12


def serve_names(resolver: str, addresses: Mapping[str, str]) -> None:
    """Answer questions about names at an address (RFC 1035)."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((resolver, 53))

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
    address: str, port: int, pages: Mapping[str, bytes], certificate: Path | None = None
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
