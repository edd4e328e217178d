# ruff: noqa: PTH104, PTH106, PTH109, PTH110, PTH116, PTH208, FBT001, RUF100
# System calls are made by their own names here.
"""Sockets: addresses, roles, and what changes them."""

import errno
import os
import socket
import struct
import threading
from collections.abc import Callable

import numpy as np
import pytest

from falcotrace.record.layout import BACKLOG, FileFlag, FileKind, PartKind, Role, SampleType
from live.kernel.recording import Recorder, Recording, Sample, part

pytestmark = pytest.mark.live

Record = Callable[[Callable[[], object]], Recording]
LOOPBACK4 = socket.inet_aton("127.0.0.1")
LOOPBACK6 = bytes(15) + b"\x01"


def _ends(file: Sample, size: int = 4) -> tuple[bytes, int, bytes, int]:
    return (
        bytes(file["local"][:size]),
        file["local_port"],
        bytes(file["remote"][:size]),
        file["remote_port"],
    )


def _connect_tcp(family: int, address: str) -> list[int]:
    """Make a TCP connection within this process; returns the ports of listener and client."""
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind((address, 0))
    server.listen(7)
    client = socket.socket(family, socket.SOCK_STREAM)
    client.connect(server.getsockname()[:2])
    accepted, _ = server.accept()
    client.send(b"hello")
    accepted.recv(5)
    return [server.getsockname()[1], client.getsockname()[1]]


@pytest.mark.parametrize(
    ("family", "address", "packed"),
    [(socket.AF_INET, "127.0.0.1", LOOPBACK4), (socket.AF_INET6, "::1", LOOPBACK6)],
)
def test_tcp_connection(record: Record, family: int, address: str, packed: bytes) -> None:
    """Connect makes a client, accept a server, and both tell both ends."""
    got = record(lambda: _connect_tcp(family, address))
    client = got.file(got.calls("connect")[-1]["file_id"])
    accepted = got.file((got.calls("accept4") or got.calls("accept"))[-1]["file_id"])
    size = len(packed)
    here, here_port, there, there_port = _ends(client, size)
    assert (here, there) == (packed, packed)
    assert _ends(accepted, size) == (there, there_port, here, here_port)
    assert here_port
    assert there_port
    assert (client["role"], accepted["role"]) == (Role.CLIENT, Role.SERVER)
    assert client["family"] == family
    assert (client["socket_type"], client["protocol"]) == (socket.SOCK_STREAM, socket.IPPROTO_TCP)
    assert client["kind"] == FileKind.SOCKET


def test_traffic_names_the_connection(record: Record) -> None:
    """Sends and receives carry the connected socket's description."""
    got = record(lambda: _connect_tcp(socket.AF_INET, "127.0.0.1"))
    accept = (got.calls("accept4") or got.calls("accept"))[-1]
    assert got.calls("sendto")[-1]["file_id"] == got.calls("connect")[-1]["file_id"]
    assert got.calls("recvfrom")[-1]["file_id"] == accept["file_id"]
    assert got.calls("sendto")[-1]["type"] == SampleType.EVENT


def test_names_change_with_the_calls(record: Record) -> None:
    """socket, bind, listen: each change of name is a new description that tells its predecessor."""
    got = record(lambda: _connect_tcp(socket.AF_INET, "127.0.0.1"))
    fresh = got.file(got.calls("socket")[-2]["file_id"])
    bound = got.file(got.calls("bind")[-1]["file_id"])
    listening = got.file(got.calls("listen")[-1]["file_id"])
    assert _ends(fresh) == (bytes(4), 0, bytes(4), 0)
    assert bound["previous_id"] == fresh["file_id"]
    assert listening["previous_id"] == bound["file_id"]
    assert bound["local_port"] == listening["local_port"] != 0
    assert not bound["file_flags"] & FileFlag.LISTENING
    assert listening["file_flags"] & FileFlag.LISTENING
    assert listening["role"] == Role.SERVER
    assert bound["role"] == Role.NONE  # the program asked for no port in particular


def test_bind_to_a_port_makes_a_server(record: Record) -> None:
    """A program that binds to a port of its choice offers a service."""

    def bind() -> None:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        first.close()
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second.bind(("127.0.0.1", port))

    got = record(bind)
    roles = [got.file(event["file_id"])["role"] for event in got.calls("bind")[-2:]]
    assert roles == [Role.NONE, Role.SERVER]


def test_addresses_as_given(record: Record) -> None:
    """connect, bind and sendto carry the address that the program gave, also when they fail."""

    def call() -> None:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        assert client.connect_ex(("127.0.0.1", 1)) == errno.ECONNREFUSED
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.sendto(b"x", ("127.0.0.1", 9))

    got = record(call)
    refused, sent = got.calls("connect")[-1], got.calls("sendto")[-1]
    assert refused["ret"] == -errno.ECONNREFUSED
    assert part(refused, PartKind.SOCKADDR)[:8] == struct.pack("<HH4s", 2, 0x0100, LOOPBACK4)
    assert part(sent, PartKind.SOCKADDR)[:8] == struct.pack("<HH4s", 2, 0x0900, LOOPBACK4)
    assert got.file(refused["file_id"])["role"] == Role.NONE


def test_connect_in_progress_is_a_client(record: Record) -> None:
    """A non-blocking connect that is still under way has its addresses and its role."""

    def call() -> None:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen()
        for _ in range(3):
            if client.connect_ex(server.getsockname()) in {0, errno.EISCONN}:
                break
        client.send(b"x")

    got = record(call)
    connecting = [
        event for event in got.calls("connect") if event["ret"] in (0, -errno.EINPROGRESS)
    ]
    file = got.file(got.calls("sendto")[-1]["file_id"])
    assert connecting
    assert file["role"] == Role.CLIENT
    assert file["remote_port"]


def test_udp_roles_come_from_the_first_traffic(record: Record) -> None:
    """Who sends first is the client, who receives first the server; assigned ports show."""

    def talk() -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.sendto(b"ask", server.getsockname())
        _, peer = server.recvfrom(10)
        server.sendto(b"answer", peer)
        client.recvfrom(10)

    got = record(talk)
    asked, answered = got.calls("sendto")[-2:]
    received, _ = got.calls("recvfrom")[-2:]
    client, server = got.file(asked["file_id"]), got.file(received["file_id"])
    assert (client["role"], server["role"]) == (Role.CLIENT, Role.SERVER)
    assert client["local_port"]
    assert answered["file_id"] == server["file_id"]
    family, port = struct.unpack_from("<HH", part(received, PartKind.SOCKADDR))
    assert family == socket.AF_INET
    assert socket.ntohs(port) == client["local_port"]


def test_messages_carry_their_address(record: Record) -> None:
    """Sendmsg and recvmsg tell the address in their struct msghdr."""

    def talk() -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.sendmsg([b"data"], [], 0, server.getsockname())
        server.recvmsg(10)

    got = record(talk)
    sent, received = got.calls("sendmsg")[-1], got.calls("recvmsg")[-1]
    port = struct.unpack_from("<HH", part(sent, PartKind.MSG_NAME))[1]
    assert socket.ntohs(port) == got.file(received["file_id"])["local_port"]
    port = struct.unpack_from("<HH", part(received, PartKind.MSG_NAME))[1]
    assert socket.ntohs(port) == got.file(sent["file_id"])["local_port"]


def test_backlog_of_accept(record: Record) -> None:
    """Accept tells how many connections wait, and how many may."""

    def serve() -> None:
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(9)
        clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
        server.accept()
        assert clients

    got = record(serve)
    event = (got.calls("accept4") or got.calls("accept"))[-1]
    backlog = np.frombuffer(part(event, PartKind.BACKLOG), BACKLOG)[0]
    assert backlog.tolist() == (2, 9)


@pytest.mark.parametrize("abstract", [False, True])
def test_unix_socket(record: Record, abstract: bool, tmp_path: object) -> None:
    """A unix socket's name is told at both ends, also in the abstract namespace."""
    name = b"\0falcotrace-test" if abstract else f"{tmp_path}/socket".encode()

    def talk() -> None:
        server = socket.socket(socket.AF_UNIX)
        server.bind(name)
        server.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect(name)
        server.accept()

    got = record(talk)
    bound = got.file(got.calls("bind")[-1]["file_id"])
    client = got.file(got.calls("connect")[-1]["file_id"])
    accepted = got.file((got.calls("accept4") or got.calls("accept"))[-1]["file_id"])
    shown = name.removeprefix(b"\0")
    assert [file["name"] for file in (bound, client, accepted)] == [shown] * 3
    assert [bool(file["file_flags"] & FileFlag.PEER_NAME) for file in (bound, client)] == [
        False,
        True,
    ]
    assert bool(bound["file_flags"] & FileFlag.ABSTRACT) is abstract
    assert (client["sock"], client["peer"]) == (accepted["peer"], accepted["sock"])
    assert (client["role"], accepted["role"]) == (Role.CLIENT, Role.SERVER)
    assert accepted["peer_pid"] == got.pid


def test_socket_pair(record: Record) -> None:
    """Socketpair makes two files that name each other as peers."""
    got = record(socket.socketpair)
    event = got.calls("socketpair")[-1]
    one, two = got.file(event["file_id"]), got.file(event["other_file_id"])
    assert (one["sock"], one["peer"]) == (two["peer"], two["sock"])
    assert one["family"] == socket.AF_UNIX


def test_netlink_socket(record: Record) -> None:
    """Other families tell family, type and protocol."""
    got = record(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15))
    file = got.file(got.calls("socket")[-1]["file_id"])
    assert (file["family"], file["socket_type"], file["protocol"]) == (16, socket.SOCK_RAW, 15)
    assert file["netns"] == os.stat("/proc/self/ns/net").st_ino


def test_threads_see_one_description(record: Record) -> None:
    """A thread that cached a socket sees the name that another thread gave it."""

    def talk() -> None:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind(("127.0.0.1", 0))
        udp.sendto(b"1", sink.getsockname())
        thread = threading.Thread(target=udp.connect, args=(sink.getsockname(),))
        thread.start()
        thread.join()
        udp.send(b"2")

    got = record(talk)
    first, second = got.calls("sendto")[-2:]
    assert first["file_id"] != second["file_id"]
    assert second["file_id"] == got.calls("connect")[-1]["file_id"]
    assert got.file(second["file_id"])["remote_port"]


def test_connection_that_existed_before(new_recorder: Callable[..., Recorder]) -> None:
    """An established connection is described by the iterator, both ends, without a role."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    with server, client, accepted:
        recorder = new_recorder(follow_only=False)
        found = {
            (file["local_port"], file["remote_port"]): file
            for file in recorder.existing.of(SampleType.FILE)
            if file["kind"] == FileKind.SOCKET
        }
        here, there = client.getsockname()[1], server.getsockname()[1]
        assert found[here, there]["role"] == found[there, here]["role"] == Role.NONE
        assert found[there, 0]["file_flags"] & FileFlag.LISTENING
