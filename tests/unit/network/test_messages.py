"""Messages found in what moved through sockets: whole, split over calls, cut, hostile."""

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from scapy.layers import dns as scapy_dns
from scapy.layers.inet import TCP
from scapy.utils import rdpcap

from falcotrace.network.model import Endpoint
from falcotrace.network.network import NO_CONTENTS, Network
from falcotrace.network.traffic import MOVES_PER_BATCH
from falcotrace.protocols.http import HttpRequest, HttpResponse
from small_captures import write_capture
from unit.network.made_traffic import CLIENT, SERVER, End, Row, both_ends, numbered

QUESTION = bytes(scapy_dns.DNS(id=3, qd=[scapy_dns.DNSQR(qname="shop.example")]))
ANSWER = bytes(
    scapy_dns.DNS(
        id=3,
        qr=1,
        qd=[scapy_dns.DNSQR(qname="shop.example")],
        an=[scapy_dns.DNSRR(rrname="shop.example", rdata="192.0.2.80", ttl=60)],
    )
)
REQUEST = b"GET /prices HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: shopper/1\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n"


def _network(tmp_path: Path, rows: Sequence[Row]) -> Network:
    return Network([write_capture(tmp_path / "made.parquet", [numbered(rows)])])


def _resolver(**settings: object) -> End:
    ends = {"client": Endpoint("192.0.2.10", 5353), "server": Endpoint("192.0.2.53", 53)}
    return End(**{**ends, "transport": "udp", "process": "resolver", **settings})  # type: ignore[arg-type]


def test_dns_question_and_answer(tmp_path: Path) -> None:
    """Each message cites its event and its process."""
    end = _resolver()
    network = _network(tmp_path, [end.sends(QUESTION), end.receives(ANSWER)])
    question, answer = network.dns
    assert (question.place.num, question.is_from_client) == (1, True)
    assert (answer.place.num, answer.is_from_client) == (2, False)
    assert answer.socket.process.name == "resolver"
    assert [record.value for record in answer.body.records] == ["192.0.2.80"]
    (conversation,) = network.conversations
    assert network.protocol(conversation) == "dns"
    assert network.names(conversation) == ("shop.example",)


def test_dns_on_another_port(tmp_path: Path) -> None:
    """Who tunnels through DNS need not use its port."""
    end = _resolver(server=Endpoint("192.0.2.53", 9999))
    assert len(_network(tmp_path, [end.sends(QUESTION)]).dns) == 1


def test_dns_over_tcp_in_pieces(tmp_path: Path) -> None:
    """Length and message come in several calls, and a second message in the same as the first."""
    end = _resolver(transport="tcp")
    stream = b"".join(len(part).to_bytes(2, "big") + part for part in (ANSWER, ANSWER))
    cuts = [0, 2, 20, len(ANSWER) + 2 + 10, len(stream)]
    rows = [end.receives(stream[start:stop], "read") for start, stop in itertools.pairwise(cuts)]
    found = _network(tmp_path, rows).dns
    assert [message.place.num for message in found] == [1, 3]
    assert found[0].body == found[1].body


def test_message_lists_of_datagrams(tmp_path: Path) -> None:
    """A call that moves several datagrams counts as messages, and has the first one's contents."""
    end = _resolver()
    sent = end.sends(QUESTION, "sendmmsg", **{"evt.rawres": 2, "evt.arg.size": len(QUESTION)})
    network = _network(tmp_path, [sent, end.receives(ANSWER)])
    assert len(network.dns) == 2
    assert network.conversations[0].bytes_to_server == len(QUESTION)
    (first, _) = network.stream(event=1).chunks
    assert (first.data, first.missing_bytes, first.missing_datagrams) == (QUESTION, 0, 1)


def test_http_over_a_kept_connection(tmp_path: Path) -> None:
    """Each request and each response of a connection is found, with the bodies between them."""
    end = End(CLIENT, SERVER)
    exchange = [end.sends(REQUEST), end.receives(RESPONSE), end.receives(b"hello", "read")]
    network = _network(tmp_path, exchange * 2)
    bodies = [message.body for message in network.http]
    assert [type(body) for body in bodies] == [HttpRequest, HttpResponse] * 2
    assert [message.place.num for message in network.http] == [1, 2, 4, 5]


def test_head_in_several_calls(tmp_path: Path) -> None:
    """A head that was written line by line is put together."""
    end = End(CLIENT, SERVER)
    lines = REQUEST.splitlines(keepends=True)
    (message,) = _network(tmp_path, [end.sends(line, "write") for line in lines]).http
    assert isinstance(message.body, HttpRequest)
    assert (message.body.host, message.body.is_cut) == ("shop.example", False)


def test_messages_over_batches(tmp_path: Path) -> None:
    """Where one batch ends and the next begins, no message is lost, cut or found twice."""
    end = End(CLIENT, SERVER)
    stream = REQUEST * 100
    rows = [end.sends(stream[place : place + 1], "write") for place in range(len(stream))]
    network = _network(tmp_path, rows)
    assert len(rows) > 3 * MOVES_PER_BATCH
    places = [message.place.num for message in network.http]
    assert places == [1 + len(REQUEST) * number for number in range(100)]
    assert not any(message.body.is_cut for message in network.http)
    network.write_pcap(tmp_path / "made.pcapng")
    packets = [packet[TCP] for packet in rdpcap(str(tmp_path / "made.pcapng"))]
    assert b"".join(bytes(packet.payload) for packet in packets) == stream
    numbers = [packet.seq for packet in packets if packet.payload]
    assert numbers == list(range(1, len(stream) + 1))


def test_nothing_is_joined_over_a_gap(tmp_path: Path) -> None:
    """What stands behind bytes that were not recorded does not complete a head."""
    end = End(CLIENT, SERVER)
    first = {**end.sends(REQUEST), "evt.buffer": REQUEST[:25]}
    (message,) = _network(tmp_path, [first, end.sends(b"Host: evil.example\r\n\r\n")]).http
    assert isinstance(message.body, HttpRequest)
    assert (message.body.host, message.body.is_cut) == ("", True)


def test_both_ends_recorded(tmp_path: Path) -> None:
    """A conversation over loopback is one; its messages are there once, its processes both."""
    client, server = both_ends()
    rows = [
        *(client.event("connect"), server.event("accept4", 4)),
        *(client.sends(REQUEST), server.receives(REQUEST)),
        *(server.sends(RESPONSE), client.receives(RESPONSE)),
        *(server.event("close"), client.event("close")),
    ]
    network = _network(tmp_path, rows)
    (conversation,) = network.conversations
    assert [end.process.name for end in conversation.sockets] == ["curl", "httpd"]
    assert [message.place.num for message in network.http] == [3, 5]
    assert (conversation.bytes_to_server, conversation.bytes_to_client) == (
        len(REQUEST),
        len(RESPONSE),
    )


def test_contents_of_one_end_only(tmp_path: Path) -> None:
    """Where only the receiver's contents were recorded, they are looked at."""
    client, server = both_ends()
    silent = {**client.sends(REQUEST), "evt.buffer": None}
    (message,) = _network(tmp_path, [silent, server.receives(REQUEST)]).http
    assert (message.place.num, message.socket.process.name) == (2, "httpd")


def test_ports_are_used_again(tmp_path: Path) -> None:
    """The same two ends are another conversation where the socket is another."""
    rows = [
        row
        for ino in (1, 2)
        for end in [End(CLIENT, SERVER, ino=ino, pid=ino)]
        for row in (end.event("connect"), end.sends(REQUEST), end.event("close"))
    ]
    first, second = _network(tmp_path, rows).conversations
    assert [end.process.pid for end in (*first.sockets, *second.sockets)] == [1, 2]


def test_server_that_comes_late(tmp_path: Path) -> None:
    """A client may have closed a connection before its server takes it."""
    client, server = both_ends()
    rows = [client.sends(REQUEST), client.event("close"), server.receives(REQUEST)]
    (conversation,) = _network(tmp_path, rows).conversations
    assert len(conversation.sockets) == 2


def test_loopback_of_two_containers(tmp_path: Path) -> None:
    """Loopback addresses of different containers are different machines."""
    client, server = both_ends()
    other = End(**{**_fields(server), "container": "5d4c9e0f1b7a"})  # type: ignore[arg-type]
    rows = [client.sends(REQUEST), other.receives(REQUEST), client.event("close")]
    assert len(_network(tmp_path, rows).conversations) == 2


def _fields(end: End) -> dict[str, object]:
    return {name: getattr(end, name) for name in end.__dataclass_fields__}


def test_recording_without_contents(tmp_path: Path) -> None:
    """Conversations and sizes are there, messages are not, and it is said what to do."""
    end = End(CLIENT, SERVER, contents_max=None)
    network = _network(tmp_path, [end.sends(REQUEST), end.receives(RESPONSE)])
    (conversation,) = network.conversations
    assert conversation.bytes_to_server == len(REQUEST)
    assert not network.messages
    capture = network._captures[0]
    expected = () if "evt.buffer" not in capture.unrecorded else (NO_CONTENTS,)
    assert network.notes == expected


def test_failed_calls_move_nothing(tmp_path: Path) -> None:
    """Of a call that failed, or moved less than it was given, only what was moved counts."""
    end = End(CLIENT, SERVER)
    failed = {**end.sends(REQUEST), "evt.rawres": -11}
    partly = {**end.sends(REQUEST), "evt.rawres": 10}
    network = _network(tmp_path, [failed, partly, end.sends(REQUEST[10:])])
    assert network.stream(event=1).sent == REQUEST
    (message,) = network.http
    assert message.place.num == 2


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_hostile_contents(tmp_path: Path, transport: str) -> None:
    """Random and damaged contents in calls of every size end in messages or in nothing."""
    dice = random.Random(7)
    end = End(CLIENT, Endpoint("198.51.100.53", 53), transport=transport)
    sound = [QUESTION, ANSWER, REQUEST, RESPONSE, bytes.fromhex("1603010200010001fc0303")]
    rows = []
    for _ in range(3_000):
        data = bytearray(dice.choice(sound))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        whole = bytes(data) + dice.randbytes(dice.randrange(40))
        claimed = dice.choice([len(whole), len(whole) + 5, 1 << 40, 3, 0, -1])
        rows.append({**end.sends(whole), "evt.rawres": claimed})
    network = _network(tmp_path, rows)
    shown = network._repr_html_() + network.dns._repr_html_() + network.http._repr_html_()
    assert "\x1b" not in shown
    assert len(network.stream(event=1).chunks) > 1_000


def test_text_in_notebooks_is_escaped(tmp_path: Path) -> None:
    """Names that look like HTML or control a terminal do neither."""
    end = End(CLIENT, SERVER, process="<script>\x1b[2J")
    request = b"GET /<script>alert(1)</script> HTTP/1.1\r\nHost: <b>\r\n\r\n"
    network = _network(tmp_path, [end.sends(request)])
    for shown in (
        network._repr_html_(),
        network.http._repr_html_(),
        network.stream(1)._repr_html_(),
    ):
        assert "<script" not in shown
        assert "\x1b" not in shown
        assert "&lt;" in shown
