"""Calls about sockets: tuples, roles, names and addresses against what was done."""

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from live.behaviours.calls.observing import Event, Observed

pytestmark = pytest.mark.live

Observe = Callable[[Callable[[], object]], Observed]
LOCAL = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
FAMILIES = [
    pytest.param(socket.AF_INET, "ipv4", id="IPv4"),
    pytest.param(socket.AF_INET6, "ipv6", id="IPv6"),
]


def _ends(event: Event) -> tuple[object, ...]:
    return tuple(event[f"fd.{name}"] for name in ("cip", "cport", "sip", "sport"))


@pytest.mark.parametrize(("family", "kind"), FAMILIES)
def test_tcp_from_socket_to_close(observe: Observe, family: int, kind: str) -> None:
    """Both sides of a connection show client and server in this order; each knows its own role."""
    address = LOCAL[socket.AddressFamily(family)]
    ports: list[int] = []

    def talk() -> None:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind((address, 0))
        listener.listen(7)
        client = socket.socket(family, socket.SOCK_STREAM)
        client.connect(listener.getsockname()[:2])
        server, _ = listener.accept()
        client.sendall(b"question")
        server.recv(100)
        server.sendmsg([b"ans", b"wer"])
        client.recvmsg(100)
        os.dup2(client.fileno(), 960)
        server.shutdown(socket.SHUT_WR)
        client.close()

    got = observe(talk)
    event = got.last("connect", fd__type=kind)
    ports = [event["fd.cport"], event["fd.sport"]]
    name = f"{address}:{ports[0]}->{address}:{ports[1]}"
    back = f"{address}:{ports[1]}->{address}:{ports[0]}"
    assert _ends(event) == (address, ports[0], address, ports[1])
    assert event["fd.name"] == event["evt.arg.tuple"] == name
    assert event["evt.arg.addr"] == f"{address}:{ports[1]}"
    assert event["evt.arg.fd"] == f"<{kind[-1]}t>{name}"
    assert (event["fd.lport"], event["fd.rport"]) == (ports[0], ports[1])
    assert event["fd.l4proto"] == "tcp"
    assert event["fd.connected"] is True
    assert event["fd.name_changed"] is True
    assert event["fd.is_server"] is False
    assert event["fd.sip_bytes"] == socket.inet_pton(family, address)
    event = got.last("accept4", fd__type=kind)
    assert event["fd.name"] == event["evt.arg.tuple"] == name
    assert event["fd.num"] == event["evt.rawres"]
    assert event["fd.is_server"] is True
    assert (event["fd.lport"], event["fd.rport"]) == (ports[1], ports[0])
    assert (event["evt.arg.queuelen"], event["evt.arg.queuemax"]) == (0, 7)
    assert event["evt.arg.queuepct"] == 0
    sent, received = got.last("sendto"), got.last("recvfrom")
    assert (sent["evt.arg.tuple"], received["evt.arg.tuple"]) == (name, name)
    assert (sent["evt.arg.size"], received["evt.arg.size"]) == (8, 100)
    answered, read = got.last("sendmsg"), got.last("recvmsg")
    assert (answered["evt.arg.tuple"], read["evt.arg.tuple"]) == (back, back)
    assert answered["fd.name"] == read["fd.name"] == name
    assert got.last("dup2", "dup3", fd__num=960)["fd.name"] == name
    assert got.last("shutdown")["evt.arg.how"] == "SHUT_WR"
    assert got.last("close", fd__is_server=False, fd__connected=True)["fd.name"] == name


def test_socket_before_it_has_an_address(observe: Observe) -> None:
    """A fresh socket has no name and no role; domain, type and flags are in the arguments."""
    event = observe(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)).last("socket")
    assert (event["fd.type"], event["fd.name"], event["fd.l4proto"]) == ("ipv4", "", "<NA>")
    assert event["evt.arg.domain"] == "AF_INET"
    assert event["evt.rawarg.domain"] == 2
    assert event["evt.arg.type"] == str(socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    assert event["evt.arg.flags"] == "O_CLOEXEC"
    assert event["evt.arg.fd"] == "<4>"
    assert _ends(event) == (None, None, None, None)


def test_bind_and_listen(observe: Observe) -> None:
    """A bound socket is a server with an address and no client."""

    def go() -> None:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        listener = socket.socket()
        listener.bind(("127.0.0.1", port))
        listener.listen(3)

    got = observe(go)
    bound, listening = got.last("bind"), got.last("listen")
    port = bound["fd.sport"]
    assert bound["evt.arg.addr"] == bound["fd.name"] == f"127.0.0.1:{port}"
    assert _ends(bound) == (None, None, "127.0.0.1", port)
    assert (bound["fd.is_server"], bound["fd.name_changed"]) == (True, True)
    assert (listening["fd.name"], listening["fd.name_changed"]) == (bound["fd.name"], False)
    assert listening["evt.arg.backlog"] == 3
    assert got.all("bind")[0]["evt.arg.addr"] == "127.0.0.1:0"


def test_refused_connection_has_no_addresses(observe: Observe) -> None:
    """Nothing came about: the tuple is missing, what was asked for is in the address."""

    def fail() -> None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.socket().connect(("127.0.0.1", 1))

    event = observe(fail).last("connect")
    assert (event["evt.res"], event["evt.rawres"]) == ("ECONNREFUSED", -errno.ECONNREFUSED)
    assert event["evt.arg.addr"] == "127.0.0.1:1"
    assert event["evt.arg.tuple"] is None
    assert (event["fd.type"], event["fd.name"]) == ("ipv4", "")
    assert event["fd.connected"] is False


def test_connection_in_progress_has_its_addresses(observe: Observe) -> None:
    """A connect that does not wait counts as outbound: rules ask for EINPROGRESS."""

    def go() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.socket()
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(listener.getsockname())

    event = observe(go).last("connect")
    assert event["evt.res"] == "EINPROGRESS"
    assert event["fd.name"] == event["evt.arg.tuple"]
    assert event["fd.name"].startswith("127.0.0.1:")
    assert event["fd.sip"] == "127.0.0.1"
    assert event["fd.connected"] is True


@pytest.mark.parametrize(("family", "kind"), FAMILIES)
def test_datagrams_between_unconnected_sockets(observe: Observe, family: int, kind: str) -> None:
    """Each message names its peer; the socket goes on showing it, on both sides client first."""
    address = LOCAL[socket.AddressFamily(family)]

    def talk() -> None:
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((address, 0))
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.sendto(b"question", server.getsockname()[:2])
        _, peer = server.recvfrom(100)
        server.sendmsg([b"answer"], [], 0, peer)
        client.recvmsg(100)
        client.close()

    got = observe(talk)
    event = got.last("sendto")
    name = event["fd.name"]
    assert name == f"{address}:{event['fd.cport']}->{address}:{event['fd.sport']}"
    assert _ends(event)[::2] == (address, address)
    assert (event["fd.type"], event["fd.l4proto"]) == (kind, "udp")
    assert (event["fd.connected"], event["fd.name_changed"]) == (True, True)
    assert event["evt.arg.tuple"] == name
    received = got.last("recvfrom")
    assert (received["fd.name"], received["evt.arg.tuple"]) == (name, name)
    assert (received["fd.is_server"], received["fd.name_changed"]) == (True, True)
    back = "->".join(reversed(name.split("->")))
    answered, read = got.last("sendmsg"), got.last("recvmsg")
    assert (answered["fd.name"], answered["evt.arg.tuple"]) == (name, back)
    assert (read["fd.name"], read["evt.arg.tuple"]) == (name, back)
    assert answered["fd.name_changed"] is False
    assert got.last("close", fd__l4proto="udp")["fd.name"] == name


def test_datagram_socket_with_several_peers(observe: Observe) -> None:
    """Every other peer is another name, and the change is said."""

    def talk() -> None:
        first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for peer in (first, second, second, first):
            client.sendto(b"x", peer.getsockname())

    events = observe(talk).all("sendto")
    servers = [event["fd.sport"] for event in events]
    assert servers[0] == servers[3] != servers[1] == servers[2]
    assert [event["fd.name_changed"] for event in events] == [True, True, False, True]


def test_datagram_socket_that_connects(observe: Observe) -> None:
    """A connected datagram socket is like any other connection."""

    def talk() -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect(server.getsockname())
        client.send(b"x")

    got = observe(talk)
    connected, sent = got.last("connect"), got.last("sendto")
    assert connected["fd.name"] == sent["fd.name"] == sent["evt.arg.tuple"]
    assert connected["fd.cip"] == "127.0.0.1"
    assert sent["fd.name_changed"] is False


def test_unix_sockets(observe: Observe, tmp_path: Path) -> None:
    """A path for the listener, kernel addresses and the path for both ends of a connection."""
    path = str(tmp_path / "s.sock")

    def talk() -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        listener.accept()

    got = observe(talk)
    bound, connected, accepted = got.last("bind"), got.last("connect"), got.last("accept4")
    assert bound["evt.arg.addr"] == bound["fd.name"] == path
    assert connected["fd.type"] == "unix"
    assert connected["evt.arg.addr"] == path
    assert connected["fd.name"] == connected["evt.arg.tuple"] == accepted["fd.name"]
    addresses, _, named = connected["fd.name"].partition(" ")
    assert named == path
    client, server = (int(part, 16) for part in addresses.split("->"))
    assert client
    assert server
    assert client != server
    assert connected["fd.connected"] is accepted["fd.connected"] is True


def test_unix_socket_of_the_abstract_namespace(observe: Observe) -> None:
    """Its name is shown without the NUL that begins it."""

    def go() -> None:
        socket.socket(socket.AF_UNIX).bind("\0falcotrace-test")

    event = observe(go).last("bind")
    assert event["evt.arg.addr"] == event["fd.name"] == "falcotrace-test"


def test_unix_socket_that_nobody_listens_at(observe: Observe) -> None:
    """The path that was tried is in the address, and nothing else changes."""

    def fail() -> None:
        with contextlib.suppress(FileNotFoundError):
            socket.socket(socket.AF_UNIX).connect("/no/such/socket")

    event = observe(fail).last("connect")
    assert (event["evt.res"], event["evt.arg.addr"]) == ("ENOENT", "/no/such/socket")
    assert (event["evt.arg.tuple"], event["fd.name"]) == (None, "")


def test_socketpair(observe: Observe) -> None:
    """Two descriptors of two sockets that know each other."""
    event = observe(socket.socketpair).last("socketpair")
    assert event["evt.rawarg.fd1"] != event["evt.rawarg.fd2"] == event["fd.num"]
    assert event["evt.arg.domain"] == "AF_LOCAL|AF_UNIX"
    assert event["fd.type"] == "unix"
    assert event["evt.arg.source"] != event["evt.arg.peer"]


def test_other_families(observe: Observe) -> None:
    """Netlink has a type, packet sockets have none: text `<NA>`, as Falco's rules expect it."""

    def go() -> None:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)

    netlink, packet, raw = observe(go).all("socket")[-3:]
    assert (netlink["fd.type"], netlink["evt.arg.domain"]) == ("netlink", "AF_ROUTE|AF_NETLINK")
    assert (packet["fd.type"], packet["evt.arg.domain"]) == ("<NA>", "AF_PACKET")
    assert (raw["fd.type"], raw["fd.l4proto"], raw["fd.name"]) == ("ipv4", "raw", "")


def test_ipv4_through_an_ipv6_socket(observe: Observe) -> None:
    """Mapped addresses are IPv4's: rules compare 127.0.0.1 and not ::ffff:127.0.0.1."""

    def go() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        client.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))

    event = observe(go).last("connect")
    assert event["fd.type"] == "ipv4"
    assert event["fd.sip"] == "127.0.0.1"
    assert event["fd.sip_bytes"] == bytes([127, 0, 0, 1])
    assert event["fd.name"].startswith("127.0.0.1:")


def test_options(observe: Observe) -> None:
    """Level and name of an option."""

    def go() -> None:
        socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    event = observe(go).last("setsockopt")
    assert event["evt.arg.level"] == "SOL_SOCKET"
    assert event["evt.arg.optname"] == "SO_REUSEADDR"
    assert event["evt.arg.optlen"] == ctypes.sizeof(ctypes.c_int)
