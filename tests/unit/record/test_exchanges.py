"""Datagram sockets and their peers."""

import ipaddress
import socket
import struct
from typing import Any

import numpy as np

from falcotrace.record.interfaces import Interfaces
from falcotrace.record.layout import FileKind, HeaderFlag, PartKind, Role
from unit.record.made_samples import Conversion, Row, Stream, started

HOME = Interfaces((ipaddress.ip_interface("127.0.0.1/8"), ipaddress.ip_interface("10.0.0.1/8")))


def _address(text: str, port: int) -> bytes:
    if ":" in text:
        packed = socket.inet_pton(socket.AF_INET6, text)
        return struct.pack("<H", 10) + struct.pack(">H", port) + bytes(4) + packed + bytes(4)
    return struct.pack("<H", 2) + struct.pack(">H", port) + socket.inet_aton(text) + bytes(8)


def _socket(stream: Stream, file_id: int, **members: Any) -> None:
    values = {"family": 2, "socket_type": socket.SOCK_DGRAM, "local_port": 5000, **members}
    stream.file(file_id, kind=FileKind.SOCKET, **values)


def _send(stream: Stream, file_id: int, peer: tuple[str, int] | None, ret: int = 1) -> None:
    parts = [(PartKind.SOCKADDR, _address(*peer))] if peer else None
    stream.call("sendto", 3, 0, 1, 0, 1 if peer else 0, ret=ret, file_id=file_id, parts=parts)


def _receive(stream: Stream, file_id: int, peer: tuple[str, int]) -> None:
    parts = [(PartKind.SOCKADDR, _address(*peer))]
    stream.call("recvfrom", 3, 0, 9, 0, 1, 1, ret=1, file_id=file_id, parts=parts)


def _names(rows: list[Row]) -> list[object]:
    return [row["fd.name"] for row in rows]


def test_client() -> None:
    """The first message names the peer; the socket keeps it until another is named."""
    stream = started()
    _socket(stream, 5, role=Role.CLIENT)
    _send(stream, 5, ("192.0.2.7", 53))
    stream.call("getsockname", 3, file_id=5)
    _receive(stream, 5, ("192.0.2.7", 53))
    _send(stream, 5, ("192.0.2.8", 53))
    stream.call("close", 3, file_id=5, flags=HeaderFlag.CLOSED)
    rows = [row for row in Conversion(interfaces=HOME).of(stream) if row["fd.num"] is not None]
    first, second = "10.0.0.1:5000->192.0.2.7:53", "10.0.0.1:5000->192.0.2.8:53"
    assert _names(rows) == [first, first, second, second]
    assert [row["fd.name_changed"] for row in rows] == [True, False, True, False]
    assert [row["fd.connected"] for row in rows] == [True, True, True, True]
    assert [row["evt.arg.tuple"] for row in rows[:2]] == [first, "192.0.2.7:53->10.0.0.1:5000"]
    assert rows[0]["fd.sip"] == "192.0.2.7"


def test_server() -> None:
    """The peer is the client, the server counts as connected when it has answered."""
    stream = started()
    _socket(stream, 5, role=Role.SERVER, local=np.frombuffer(bytes([10, 0, 0, 1] + [0] * 12), "u1"))
    _receive(stream, 5, ("192.0.2.7", 6000))
    _send(stream, 5, ("192.0.2.7", 6000))
    received, answered = Conversion(interfaces=HOME).of(stream)
    assert received["fd.name"] == answered["fd.name"] == "192.0.2.7:6000->10.0.0.1:5000"
    assert (received["fd.connected"], answered["fd.connected"]) == (False, True)
    assert (received["fd.is_server"], received["fd.cip"]) == (True, "192.0.2.7")
    assert (received["fd.name_changed"], answered["fd.name_changed"]) == (True, False)


def test_peer_is_remembered_across_row_groups() -> None:
    """A socket's next event may come much later."""
    conversion = Conversion(interfaces=HOME)
    stream = started()
    _socket(stream, 5, role=Role.CLIENT)
    _send(stream, 5, ("192.0.2.7", 53))
    conversion.of(stream)
    stream.call("read", 3, ret=1, file_id=5)
    _send(stream, 5, ("192.0.2.7", 53))
    later = conversion.of(stream)
    assert _names(later) == ["10.0.0.1:5000->192.0.2.7:53"] * 2
    assert [row["fd.name_changed"] for row in later] == [False, False]


def test_sockets_do_not_mix() -> None:
    """Messages of several sockets come interleaved."""
    stream = started()
    _socket(stream, 5, role=Role.CLIENT, local_port=1)
    _socket(stream, 6, role=Role.CLIENT, local_port=2)
    _send(stream, 5, ("127.0.0.5", 50))
    _send(stream, 6, ("127.0.0.6", 60))
    stream.call("read", 3, ret=1, file_id=5)
    stream.call("read", 4, ret=1, file_id=6)
    assert _names(Conversion(interfaces=HOME).of(stream)) == [
        "127.0.0.1:1->127.0.0.5:50",
        "127.0.0.1:2->127.0.0.6:60",
        "127.0.0.1:1->127.0.0.5:50",
        "127.0.0.1:2->127.0.0.6:60",
    ]


def test_what_names_no_peer() -> None:
    """Failed messages, addresses on stream sockets, and what is no IP address change nothing."""
    stream = started()
    _socket(stream, 5)
    _send(stream, 5, ("192.0.2.7", 53), ret=-1)
    stream.call(
        "sendto", 3, ret=1, file_id=5, parts=[(PartKind.SOCKADDR, struct.pack("<H", 1) + b"/x")]
    )
    _socket(stream, 6, socket_type=socket.SOCK_STREAM)
    _send(stream, 6, ("192.0.2.7", 53))
    assert _names(Conversion(interfaces=HOME).of(stream)) == ["0.0.0.0:5000"] * 3


def test_message_calls_and_ipv6() -> None:
    """Sendmsg's address lies in its struct; IPv6 sockets may talk IPv4."""
    stream = started()
    _socket(stream, 5, family=10, role=Role.CLIENT)
    for peer in ("2001:db8::7", "::ffff:192.0.2.7"):
        part = (PartKind.MSG_NAME, _address(peer, 53))
        stream.call("sendmsg", 3, ret=1, file_id=5, parts=[part])
    six, four = Conversion(interfaces=HOME).of(stream)
    assert (six["fd.type"], six["fd.name"]) == ("ipv6", ":::5000->2001:db8::7:53")
    assert (four["fd.type"], four["fd.name"]) == ("ipv4", "10.0.0.1:5000->192.0.2.7:53")
