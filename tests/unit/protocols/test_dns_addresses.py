"""Which addresses an answer gives, and to which names."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers import dns as scapy_dns

from falcotrace.protocols.dns import decode_dns
from falcotrace.protocols.dns_addresses import CHAIN_MAX, answered_addresses
from made_answers import (
    QUESTION,
    REFUSED,
    TXT,
    A,
    address,
    alias,
    answer,
    framed,
    name_bytes,
)

ONE, TWO = (socket.inet_aton(text) for text in ("192.0.2.1", "192.0.2.2"))


def test_a_name_has_addresses() -> None:
    """Each address has the name that was asked for, in lower case."""
    message = answer("C2.Example", address("c2.example", "192.0.2.1"), address("C2.example", "::5"))
    six = bytes(15) + b"\x05"
    assert answered_addresses(message) == {ONE: ("c2.example",), six: ("c2.example",)}


def test_aliases_are_names_too() -> None:
    """In the order from the one that was asked for; where records stand does not matter."""
    records = (
        address("edge.example", "192.0.2.1"),
        alias("www.example", "cdn.example"),
        alias("cdn.example", "edge.example"),
        address("cdn.example", "192.0.2.2"),
    )
    assert answered_addresses(answer("www.example", *records)) == {
        TWO: ("www.example", "cdn.example"),
        ONE: ("www.example", "cdn.example", "edge.example"),
    }


def test_what_nobody_asked_for_is_not_believed() -> None:
    """Who answers for one name cannot name the addresses of others."""
    records = (address("bank.example", "192.0.2.1"), alias("bank.example", "c2.example"))
    message = answer("c2.example", *records, behind=[address("c2.example", "192.0.2.2")])
    assert answered_addresses(message) == {}


@pytest.mark.parametrize("flags", [QUESTION, REFUSED, 0x8580 | 5 << 11, 0x81C0])
def test_what_is_no_granted_answer(flags: int) -> None:
    """Questions, refusals and updates tell nothing."""
    assert (
        answered_addresses(answer("a.example", address("a.example", "192.0.2.1"), flags=flags))
        == {}
    )


def test_other_classes_and_kinds() -> None:
    """Only addresses of the Internet count; a text that is as long as an address is none."""
    record = address("a.example", "192.0.2.1")
    assert answered_addresses(answer("a.example", record, kind_class=3)) == {}
    assert answered_addresses(answer("a.example", ("a.example", TXT, ONE))) == {}
    assert answered_addresses(answer("a.example", ("a.example", A, ONE + b"\0"))) == {}


def test_an_ipv4_address_as_ipv6() -> None:
    """Is the IPv4 address, as it is in the columns of addresses."""
    message = answer("a.example", address("a.example", "::ffff:192.0.2.1"))
    assert answered_addresses(message) == {ONE: ("a.example",)}


def test_streams() -> None:
    """The length stands in front, or was read before by itself."""
    message = answer("a.example", address("a.example", "192.0.2.1"))
    wanted = {ONE: ("a.example",)}
    assert answered_addresses(framed(message), is_stream=True) == wanted
    assert answered_addresses(framed(message) + b"more", is_stream=True) == wanted
    assert answered_addresses(message, is_stream=True) == wanted
    assert answered_addresses(framed(message)) == {}


def test_cut() -> None:
    """What came whole counts."""
    message = answer(
        "a.example", address("a.example", "192.0.2.1"), address("a.example", "192.0.2.2")
    )
    assert answered_addresses(message[:-1]) == {ONE: ("a.example",)}
    assert [answered_addresses(message[:end]) for end in range(52)] == [{}] * 52


def test_loops_and_long_chains() -> None:
    """End where they come back, or are longer than anybody's."""
    records = [alias("a.example", "b.example"), alias("b.example", "a.example")]
    message = answer("a.example", *records, address("b.example", "192.0.2.1"))
    assert answered_addresses(message) == {ONE: ("a.example", "b.example")}
    chain = [alias(f"{number}.example", f"{number + 1}.example") for number in range(CHAIN_MAX + 1)]
    ends = [
        address(f"{number}.example", text)
        for number, text in ((15, "192.0.2.1"), (16, "192.0.2.2"))
    ]
    (names,) = answered_addresses(answer("0.example", *chain, *ends)).values()
    assert len(names) == CHAIN_MAX


def test_names_are_bounded() -> None:
    """A message of 64 KiB that is all names is read as far as an answer can need."""
    long = ".".join(["x" * 63] * 3)
    records = [alias(f"{number}.{long}", long) for number in range(200)]
    message = answer(long, *records, address(long, "192.0.2.1"))
    assert answered_addresses(message) == {}
    assert answered_addresses(answer(long, *records[:20], address(long, "192.0.2.1"))) == {
        ONE: (long,)
    }


def test_special_characters_are_spelt() -> None:
    """As zone files have them; a name can hold any byte."""
    owner = b"\x05a.b\n\xff\x00"
    message = answer("x", ("x", A, ONE)).replace(name_bytes("x"), owner)
    assert answered_addresses(message) == {ONE: (r"a\.b\010\255",)}


LABELS = st.sampled_from(["a", "b", "www", "example"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
RECORDS = st.one_of(
    st.builds(alias, NAMES, NAMES),
    st.builds(address, NAMES, st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"])),
)


@given(NAMES, st.lists(RECORDS, max_size=8))
def test_agrees_with_the_decoder_of_whole_messages(
    asked: str, records: list[tuple[str, int, bytes]]
) -> None:
    """The names are those of a walk through what `decode_dns` reads."""
    message = answer(asked, *records)
    decoded = decode_dns(message)
    assert decoded is not None
    aliases: dict[str, str] = {}
    for record in decoded.records:
        if record.kind == "CNAME":
            aliases.setdefault(record.name, record.value)
    chain = [asked]
    while (following := aliases.get(chain[-1])) and following not in chain:
        chain.append(following)
    wanted: dict[str, set[str]] = {}
    for place, name in enumerate(chain):
        for record in decoded.records:
            if record.name == name and record.kind in {"A", "AAAA"}:
                wanted.setdefault(record.value, set(chain[: place + 1]))
    found = {
        socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed): set(
            names
        )
        for packed, names in answered_addresses(message).items()
    }
    assert found == wanted


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(raw: bytes, is_stream: bool) -> None:  # noqa: FBT001 - drawn
    """Nothing raises, whatever it is given, also behind a good header."""
    answered_addresses(raw, is_stream=is_stream)
    head = answer("a.example", *[address("a.example", "192.0.2.1")] * 9)[:21]
    answered_addresses(head + raw, is_stream=is_stream)


def test_compressed_names() -> None:
    """Name servers point back to the question instead of writing its name again."""
    records = [
        scapy_dns.DNSRR(rrname="www.example", type="CNAME", rdata="edge.example"),
        scapy_dns.DNSRR(rrname="edge.example", rdata="192.0.2.1"),
    ]
    question = scapy_dns.DNSQR(qname="www.example")
    message = scapy_dns.DNS(id=7, qr=1, qd=[question], an=records)
    compressed = scapy_dns.dns_compress(message)  # type: ignore[no-untyped-call]
    assert len(bytes(compressed)) < len(bytes(message))
    assert answered_addresses(bytes(compressed)) == {ONE: ("www.example", "edge.example")}
