"""Talks DNS, HTTP and TLS over loopback: a server process, and a client process that asks it.

Names and addresses are those of documentation; nothing leaves the machine. Prints what was said, as
JSON, so that a test need not guess.
"""

import contextlib
import http.client
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import threading

ADDRESS = "127.0.0.9"
ANSWER = "192.0.2.80"
NAME = "shop.example"
PAGE = b"<p>prices</p>\n" * 400
"""Longer than what is recorded of one call with a small --snaplen."""


class Page(http.server.BaseHTTPRequestHandler):
    """A page of a shop."""

    def do_GET(self) -> None:
        """Answer with the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Shop(http.server.HTTPServer):
    """A server that asks nobody for its own name."""

    def server_bind(self) -> None:
        """Bind, and no more."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = NAME, 80


def dns_name(name: str) -> bytes:
    """A name as messages have it."""
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def serve_dns(server: socket.socket) -> None:
    """Answer two questions with one address."""
    for _ in range(2):
        question, peer = server.recvfrom(512)
        head = question[:2] + bytes.fromhex("8180 0001 0001 0000 0000")
        record = bytes.fromhex("c00c 0001 0001 0000003c 0004") + socket.inet_aton(ANSWER)
        server.sendto(head + question[12:] + record, peer)


def serve_tls(server: socket.socket) -> None:
    """Read what the client says first, and hang up."""
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)


def ask() -> None:
    """Ask for the address of a name, a page, and a TLS connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        for number in (1, 2):
            head = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)
            question = head + dns_name(NAME) + struct.pack("!2H", 1, 1)
            resolver.sendto(question, (ADDRESS, 53))
            resolver.recvfrom(512)
    connection = http.client.HTTPConnection(ADDRESS, 80)
    connection.request("GET", "/prices", headers={"Host": NAME, "User-Agent": "shopper/1"})
    assert connection.getresponse().read() == PAGE
    connection.close()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection((ADDRESS, 443))
    with plain, contextlib.suppress(OSError, ssl.SSLError):
        context.wrap_socket(plain, server_hostname=f"pay.{NAME}")


def main() -> None:
    """Serve in this process, ask in another."""
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((ADDRESS, 53))
    tls = socket.create_server((ADDRESS, 443))
    web = Shop((ADDRESS, 80), Page)
    threads = [
        threading.Thread(target=serve_dns, args=(dns,)),
        threading.Thread(target=serve_tls, args=(tls,)),
        threading.Thread(target=web.handle_request),
    ]
    for thread in threads:
        thread.start()
    client = os.fork()
    if client == 0:
        ask()
        os._exit(0)
    os.waitpid(client, 0)
    for thread in threads:
        thread.join()
    print(json.dumps({"server": os.getpid(), "client": client}))


if __name__ == "__main__":
    main()
