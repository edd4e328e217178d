"""DNS messages made by scapy, cut, damaged and hostile."""

from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers import dns as scapy_dns
from scapy.packet import Packet

from falcotrace.protocols import names
from falcotrace.protocols.dns import DnsMessage, DnsRecord, decode_dns, stream_messages

_HEADER = bytes.fromhex("1234 8180")


def _answer(*records: Packet, rcode: int = 0) -> bytes:
    question = scapy_dns.DNSQR(qname="www.shop.example")
    return bytes(scapy_dns.DNS(id=7, qr=1, rcode=rcode, qd=[question], an=list(records)))


_CHAIN = (
    scapy_dns.DNSRR(rrname="www.shop.example", type="CNAME", rdata="edge.example", ttl=30),
    scapy_dns.DNSRR(rrname="edge.example", rdata="192.0.2.7", ttl=60),
    scapy_dns.DNSRR(rrname="edge.example", type="AAAA", rdata="2001:db8::7", ttl=60),
)
_RECORDS = (
    DnsRecord("www.shop.example", "CNAME", "edge.example", 30),
    DnsRecord("edge.example", "A", "192.0.2.7", 60),
    DnsRecord("edge.example", "AAAA", "2001:db8::7", 60),
)
_QUESTIONS = (("www.shop.example", "A"),)


def test_question() -> None:
    """A question is none that answers, and has what is asked."""
    question = scapy_dns.DNSQR(qname="Mail.Example", qtype="MX")
    message = decode_dns(bytes(scapy_dns.DNS(id=9, rd=1, qd=[question])))
    assert message == DnsMessage(9, False, "NOERROR", (("Mail.Example", "MX"),), ())


def test_answer() -> None:
    """Aliases and addresses come in their order, with their time to live."""
    assert decode_dns(_answer(*_CHAIN)) == DnsMessage(7, True, "NOERROR", _QUESTIONS, _RECORDS)


def test_compression() -> None:
    """Names that point back mean the same as names that are written out."""
    plain = _answer(*_CHAIN)
    compressed = bytes(scapy_dns.DNS(plain).compress())  # type: ignore[no-untyped-call]
    assert len(compressed) < len(plain)
    assert decode_dns(compressed) == decode_dns(plain)


@pytest.mark.parametrize(
    ("record", "kind", "value"),
    [
        (scapy_dns.DNSRRMX(rrname="e", preference=5, exchange="mx.example"), "MX", "5 mx.example"),
        (scapy_dns.DNSRRSRV(rrname="e", port=80, target="h.example"), "SRV", "0 0 80 h.example"),
        (scapy_dns.DNSRRSOA(rrname="e", mname="a.e", rname="b.e"), "SOA", "a.e b.e 0 0 0 0 0"),
        (scapy_dns.DNSRR(rrname="e", type="PTR", rdata="h.example"), "PTR", "h.example"),
        (
            scapy_dns.DNSRR(rrname="e", type="TXT", rdata=['a "b"', "\n"]),
            "TXT",
            r'"a \"b\"" "\010"',
        ),
        (
            scapy_dns.DNSRRHTTPS(
                rrname="e",
                svc_priority=1,
                target_name="h.example",
                svc_params=[scapy_dns.SvcParam(key="alpn", value=["h2", "h3"])],
            ),
            "HTTPS",
            "1 h.example. alpn=h2,h3",
        ),
        (scapy_dns.DNSRR(rrname="e", type=65_400, rdata=b"\x01\x02"), "TYPE65400", r"\# 2 0102"),
    ],
)
def test_kinds_of_records(record: Packet, kind: str, value: str) -> None:
    """What a record holds is written as in zone files."""
    message = decode_dns(_answer(record))
    assert message is not None
    assert message.records == (DnsRecord("e", kind, value, 0),)


def test_codes_of_answers() -> None:
    """The result has its registered name, the one that takes the extension's bits too."""
    refused = decode_dns(_answer(rcode=5))
    assert refused is not None
    assert refused.rcode == "REFUSED"
    extended = scapy_dns.DNS(qr=1, rcode=0, ar=[scapy_dns.DNSRROPT(extrcode=1)])
    message = decode_dns(bytes(extended))
    assert message is not None
    assert (message.rcode, message.records) == ("BADVERS", ())


def test_cut_anywhere() -> None:
    """What is cut off gives the records that are whole, never half of one."""
    whole = _answer(*_CHAIN)
    seen = set()
    for size in range(len(whole)):
        message = decode_dns(whole[:size])
        if message is not None:
            assert message.questions == _QUESTIONS
            assert message.records == _RECORDS[: len(message.records)]
            seen.add(len(message.records))
    assert seen == {0, 1, 2}


def test_fault_behind_an_answer() -> None:
    """A damaged entry behind the answer does not hide the answer."""
    damaged = bytearray(_answer(*_CHAIN[1:], scapy_dns.DNSRR(rrname="x", rdata="192.0.2.9")))
    damaged[-15] = 0x80
    message = decode_dns(bytes(damaged))
    assert message is not None
    assert message.records == _RECORDS[1:]


def test_stream() -> None:
    """Messages of a TCP connection are found one behind the other; the last may be cut."""
    first, second = _answer(_CHAIN[1]), _answer(*_CHAIN)
    data = b"".join(len(part).to_bytes(2, "big") + part for part in (first, second))
    assert decode_dns(data, is_stream=True) == decode_dns(first)
    places = [(0, decode_dns(first)), (2 + len(first), decode_dns(second))]
    assert list(stream_messages(data)) == places
    cut = list(stream_messages(data[:-5]))
    assert [len(message.records) for _, message in cut] == [1, 2]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        bytes.fromhex("160301004a010000460303") + bytes(63),
        bytes(512),
        b"\xff" * 512,
        _HEADER + bytes.fromhex("0001 0000 0000 0000 c00c 0001 0001"),
        _HEADER + bytes.fromhex("0001 0000 0000 0000 c00e c00c 0001 0001"),
        _HEADER + bytes.fromhex("0001 0000 0000 0000") + b"\x3f" + b"a" * 63 * 5,
    ],
    ids=["empty", "http", "tls", "zeros", "ones", "loop", "loop of two", "long name"],
)
def test_what_is_no_dns(payload: bytes) -> None:
    """Other protocols and names without end are not taken for DNS."""
    assert decode_dns(payload) is None


def test_names_that_are_no_text() -> None:
    """Dots and control characters within a label cannot make another name of it."""
    name = b"\x07a.b\x1b[2J\x07example\x00"
    payload = _HEADER + bytes.fromhex("0001 0000 0000 0000") + name + bytes.fromhex("0001 0001")
    message = decode_dns(payload)
    assert message is not None
    assert message.questions == ((r"a\.b\027[2J.example", "A"),)


@given(st.binary(max_size=600), st.booleans())
@example(_HEADER + b"\0\1\xff\xff\xff\xff\xff\xff" + bytes.fromhex("0000010001") * 20, False)
def test_any_bytes(payload: bytes, is_stream: bool) -> None:  # noqa: FBT001
    """No bytes raise, whatever counts and lengths they claim."""
    decode_dns(payload, is_stream=is_stream)
    list(stream_messages(payload))


@given(st.data())
def test_damaged_messages(data: st.DataObject) -> None:
    """No damage to a sound message raises, nor does it make text that a terminal obeys."""
    payload = bytearray(_answer(*_CHAIN, scapy_dns.DNSRRHTTPS(rrname="e", target_name="h")))
    for _ in range(data.draw(st.integers(1, 8))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    message = decode_dns(bytes(payload))
    if message is not None:
        texts = [name for name, _ in message.questions]
        texts += [text for record in message.records for text in (record.name, record.value)]
        assert all(text.isprintable() and text.isascii() for text in texts)


def test_work_is_bounded() -> None:
    """A long name that thousands of names point back to is read once."""
    label = b"\x01a" * 120 + b"\x00"
    entry = bytes.fromhex("c00c 0002 0001 00000000 0002 c00c")
    counts = bytes.fromhex("0001 ffff 0000 0000")
    payload = _HEADER + counts + label + bytes.fromhex("0001 0001") + entry * 4_600
    with mock.patch.object(names, "spell", wraps=names.spell) as spell:
        message = decode_dns(payload)
    assert message is not None
    assert len(message.records) == 4_600
    assert message.records[-1].value == ".".join("a" * 120)
    # Once where it stands, once for all that point to it.
    assert spell.call_count == 240
