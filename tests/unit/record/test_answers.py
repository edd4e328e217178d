"""Names of addresses, from answers that programs received."""

import socket
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from falcotrace.record.layout import FileKind, PartFlag, PartKind, Role
from made_answers import QUESTION, address, answer, framed
from unit.record.made_samples import Conversion, Part, Row, Stream, started

SERVER, C2 = "127.0.0.53", "192.0.2.9"
SNAPLEN = 512


def packed(text: str) -> np.ndarray:
    """An address as a sample has it."""
    return np.frombuffer(socket.inet_aton(text).ljust(16, b"\0"), "u1")


def connection(stream: Stream, file_id: int, remote: str, port: int, **members: Any) -> None:
    """A socket that is connected."""
    values = {
        "family": socket.AF_INET,
        "socket_type": socket.SOCK_DGRAM,
        "local": packed("10.0.0.1"),
        "local_port": 4000 + file_id,
        "remote": packed(remote),
        "remote_port": port,
        "role": Role.CLIENT,
        "state": 1,
        **members,
    }
    stream.file(file_id, kind=FileKind.SOCKET, **values)


def received(stream: Stream, file_id: int, payload: bytes, ret: int | None = None) -> None:
    """A datagram of a connected socket."""
    parts: list[Part] = [(PartKind.SOCKADDR, b"", PartFlag.NULL), (PartKind.BYTES, payload)]
    size = len(payload) if ret is None else ret
    stream.call("recvfrom", 3, 0, 512, 0, 0, 0, ret=size, file_id=file_id, parts=parts)


def named(name: str = "c2.example", text: str = C2) -> bytes:
    """An answer with one address."""
    return answer(name, address(name, text))


def conversion() -> Conversion:
    """With contents."""
    return Conversion(data_bytes=SNAPLEN)


def server_names(rows: list[Row]) -> list[object]:
    """`fd.sip.name` of the events about the socket that is connected there."""
    return [row["fd.sip_name"] for row in rows if row["fd.sip"] == C2]


def test_as_of_event_time() -> None:
    """An answer counts for events behind it, of whoever is connected to the address."""
    stream = started()
    connection(stream, 5, SERVER, 53)
    connection(stream, 6, C2, 443)
    stream.process(2, 200)
    stream.call("sendto", 4, ret=1, file_id=6)
    received(stream, 5, named())
    stream.call("sendto", 4, ret=1, file_id=6, process_id=2)
    rows = conversion().of(stream)
    assert server_names(rows) == [None, ["c2.example"]]
    last = rows[-1]
    assert (last["fd.rip_name"], last["fd.cip_name"], last["fd.lip_name"]) == (
        ["c2.example"],
        None,
        None,
    )
    assert rows[1]["fd.sip_name"] is None


def test_answers_are_learnt_from_every_receiving_call() -> None:
    """Of connected sockets `read` will do; messages have their own calls and structs."""
    calls: dict[str, list[Part]] = {
        "read": [(PartKind.BYTES, named("read.example"))],
        "readv": [(PartKind.VECTOR_DATA, named("readv.example"))],
        "recvmsg": [
            (PartKind.MSG_NAME, b"", PartFlag.NULL),
            (PartKind.MSG_CONTROL, b"", PartFlag.NULL),
            (PartKind.MSG_DATA, named("recvmsg.example")),
        ],
        "recvmmsg": [
            (PartKind.MSG_NAME, b"", PartFlag.NULL),
            (PartKind.MSG_CONTROL, b"", PartFlag.NULL),
            (PartKind.BYTES, bytes(64)),
            (PartKind.MSG_DATA, named("recvmmsg.example")),
        ],
    }
    stream = started()
    connection(stream, 5, SERVER, 53)
    connection(stream, 6, C2, 443)
    for name, parts in calls.items():
        stream.call(name, 3, 0, 64, ret=50, file_id=5, parts=parts)
    stream.call("sendto", 4, ret=1, file_id=6)
    (names,) = server_names(conversion().of(stream))
    assert names == [f"{name}.example" for name in reversed(calls)]


def test_a_socket_that_is_not_connected() -> None:
    """The message names its sender."""
    stream = started()
    connection(stream, 5, "0.0.0.0", 0)
    connection(stream, 6, C2, 443)
    sender = struct.pack("<H", 2) + struct.pack(">H", 53) + socket.inet_aton(SERVER) + bytes(8)
    parts = [(PartKind.SOCKADDR, sender), (PartKind.BYTES, named())]
    stream.call("recvfrom", 3, 0, 512, 0, 1, 1, ret=60, file_id=5, parts=parts)
    stream.call("sendto", 4, ret=1, file_id=6)
    assert server_names(conversion().of(stream)) == [["c2.example"]]


@pytest.mark.parametrize("frames", [[2], [], [1]], ids=["length first", "at once", "torn"])
def test_streams(frames: list[int]) -> None:
    """Over TCP, read at once or the length before it; what is torn elsewhere tells nothing."""
    stream = started()
    connection(stream, 5, SERVER, 53, socket_type=socket.SOCK_STREAM)
    connection(stream, 6, C2, 443)
    whole = framed(named())
    for begin, end in pairwise([0, *frames, len(whole)]):
        received(stream, 5, whole[begin:end])
    stream.call("sendto", 4, ret=1, file_id=6)
    wanted = None if frames == [1] else ["c2.example"]
    assert server_names(conversion().of(stream)) == [wanted]


def test_what_is_no_answer_of_a_name_server() -> None:
    """Other ports, questions that were received, calls that failed, files, what was sent."""
    stream = started()
    connection(stream, 5, SERVER, 5353)
    connection(stream, 6, C2, 443)
    connection(stream, 7, SERVER, 53)
    connection(stream, 8, SERVER, 53, local_port=53, remote_port=999, role=Role.SERVER)
    stream.file(9, path=b"/53")
    received(stream, 5, named("port.example"))
    received(stream, 7, answer("question.example", address("question.example", C2), flags=QUESTION))
    received(stream, 7, named("failed.example"), ret=-11)
    received(stream, 8, named("client.example"))
    received(stream, 9, named("file.example"))
    parts: list[Part] = [
        (PartKind.BYTES, named("sent.example")),
        (PartKind.SOCKADDR, b"", PartFlag.NULL),
    ]
    stream.call("sendto", 3, ret=9, file_id=7, parts=parts)
    stream.call("sendto", 4, ret=1, file_id=6)
    assert server_names(conversion().of(stream)) == [None]


def test_without_contents_nothing_is_known() -> None:
    """As most recordings are."""
    stream = started()
    connection(stream, 5, SERVER, 53)
    connection(stream, 6, C2, 443)
    stream.call("recvfrom", 3, ret=50, file_id=5)
    stream.call("sendto", 4, ret=1, file_id=6)
    assert server_names(Conversion().of(stream)) == [None]


def test_later_row_groups() -> None:
    """Know what was answered before, and which events came first."""
    converted = conversion()
    stream = started()
    connection(stream, 5, SERVER, 53)
    connection(stream, 6, C2, 443)
    received(stream, 5, named())
    converted.of(stream)
    stream.call("sendto", 4, ret=1, file_id=6)
    received(stream, 5, named("other.example"))
    stream.call("sendto", 4, ret=1, file_id=6)
    assert server_names(converted.of(stream)) == [
        ["c2.example"],
        ["other.example", "c2.example"],
    ]


def test_events_that_are_not_asked_for_count() -> None:
    """Rules while recording see names though no rule asks for answers."""
    from falcotrace.record.converter import Converter
    from unit.record.made_samples import ACCOUNTS, ARCH, BOOT_NS, NUMBERS

    wanted = frozenset({NUMBERS["sendto"]})
    converter = Converter(ACCOUNTS, ARCH, BOOT_NS, data_bytes=SNAPLEN, numbers=wanted)
    stream = started()
    connection(stream, 5, SERVER, 53)
    connection(stream, 6, C2, 443)
    stream.call("sendto", 4, ret=1, file_id=6)
    received(stream, 5, named())
    stream.call("sendto", 4, ret=1, file_id=6)
    (converted,) = converter.convert([stream.batch()])
    assert converted.columns is not None
    names = converted.columns["fd.sip_name"]
    assert names.array(2).to_pylist() == [None, ["c2.example"]]
