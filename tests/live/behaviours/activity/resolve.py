"""Connects to an address before and after a name server has named it; in a network of its own.

The name server is a thread of this program: it answers every question with the one address that it
has for the name, over UDP and TCP.
"""

import socket
import struct
import sys
import threading
from pathlib import Path

NAME_SERVER = ("127.0.0.53", 53)
ADDRESSES = {"c2.example": "127.0.0.9", "tcp.example": "127.0.0.10"}
PORT = 443


def answer_to(question: bytes) -> bytes:
    """An answer with one alias and its address."""
    name, place = [], 12
    while size := question[place]:
        name.append(question[place + 1 : place + 1 + size].decode())
        place += 1 + size
    address = socket.inet_aton(ADDRESSES[".".join(name).lower()])
    alias = b"\x04edge\x07example\x00"
    head = question[:2] + struct.pack("!5H", 0x8180, 1, 2, 0, 0) + question[12 : place + 5]
    named = struct.pack("!3HIH", 0xC00C, 5, 1, 60, len(alias)) + alias
    pointer = 0xC000 | len(head) + 12
    return head + named + struct.pack("!3HIH", pointer, 1, 1, 60, 4) + address


def serve_datagrams(server: socket.socket) -> None:
    """Answer until the program ends."""
    while True:
        question, peer = server.recvfrom(512)
        server.sendto(answer_to(question), peer)


def serve_stream(server: socket.socket) -> None:
    """Answer one question of one connection."""
    connection, _ = server.accept()
    question = connection.recv(514)[2:]
    answer = answer_to(question)
    connection.sendall(struct.pack("!H", len(answer)) + answer)


def connect(address: str) -> None:
    """A connection that somebody takes."""
    with socket.create_connection((address, PORT)) as connection:
        connection.sendall(b"x")


def ask_over_tcp(name: str) -> None:
    """As the C library does: the length is read before the message."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.create_connection(NAME_SERVER) as server:
        server.sendall(struct.pack("!H", len(question)) + question)
        (length,) = struct.unpack("!H", server.recv(2))
        server.recv(length)


def main() -> None:
    """Do everything once."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(NAME_SERVER)
    threading.Thread(target=serve_datagrams, args=(datagrams,), daemon=True).start()
    stream = socket.create_server(NAME_SERVER)
    threading.Thread(target=serve_stream, args=(stream,), daemon=True).start()
    services = [socket.create_server((address, PORT)) for address in ADDRESSES.values()]
    for address in ADDRESSES.values():
        connect(address)
    # The C library's own resolver: it reads /etc/resolv.conf, which is ours here.
    Path(sys.argv[1]).write_text(f"nameserver {NAME_SERVER[0]}\n")
    found = socket.getaddrinfo("c2.example", PORT, socket.AF_INET, socket.SOCK_STREAM)
    assert [item[4] for item in found] == [(ADDRESSES["c2.example"], PORT)]
    ask_over_tcp("tcp.example")
    for address in ADDRESSES.values():
        connect(address)
    for service in services:
        service.close()


if __name__ == "__main__":
    main()
