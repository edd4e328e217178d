"""Socket addresses: parts and texts, and nothing but None for what cannot be read."""

import pytest

from falcotrace.scap.addresses import (
    is_mapped_address,
    parse_address,
    parse_tuple,
    sockaddr_text,
    socktuple_text,
)
from unit.scap.made_sockets import packed, pair, sockaddr, unix_pair

SOCKADDRS = [
    (sockaddr("127.0.0.1:18443"), "127.0.0.1:18443"),
    (sockaddr("::1:0"), "::1:0"),
    (sockaddr("2001:db8::5:443"), "2001:db8::5:443"),
    (sockaddr(":::80"), ":::80"),
    (sockaddr("::ffff:10.0.0.1:80"), "::ffff:10.0.0.1:80"),
    (sockaddr("/run/x.sock"), "/run/x.sock"),
    (b"\x01/cut at\0the NUL", "/cut at"),
    (b"\x01/no NUL", "/no NUL"),
    (b"\x01/b\xffd\0", "/b\U0010feffd"),
    (b"", "<NA>"),
    (b"\x02\x7f\0\0\x01\x50", "INVALID IPv4"),
    (sockaddr("127.0.0.1:1") + b"x", "INVALID IPv4"),
    (b"\x0a" + bytes(17), "INVALID IPv6"),
    (b"\x01", "INVALID unix"),
    (b"\x10abc", "family 16"),
    (b"\xc8", "family -56"),
]
SOCKTUPLES = [
    (pair("127.0.0.1:18999->127.0.0.1:18443"), "127.0.0.1:18999->127.0.0.1:18443"),
    (pair("::1:54715->::1:37878"), "::1:54715->::1:37878"),
    (pair(":::54715->::1:37878"), ":::54715->::1:37878"),
    (pair("::ffff:10.0.0.1:1->::ffff:10.0.0.2:2"), "10.0.0.1:1->10.0.0.2:2"),
    (pair(":::1->::ffff:10.0.0.2:2"), "0.0.0.0:1->10.0.0.2:2"),
    (
        unix_pair(0xFFFF888104432D00, 0xFFFF888104433180, "/u"),
        "ffff888104432d00->ffff888104433180 /u",
    ),
    (unix_pair(0, 0xAB), "0->ab "),
    (b"", "NULL"),
    (b"\x02" + bytes(11), "INVALID IPv4"),
    (b"\x0a" + bytes(37), "INVALID IPv6"),
    (b"\x01" + bytes(16), "INVALID unix"),
    (b"\x00", "family 0"),
]


@pytest.mark.parametrize(("raw", "text"), SOCKADDRS)
def test_text_of_an_address(raw: bytes, text: str) -> None:
    """SOCKADDR parameters show what Falco shows."""
    assert sockaddr_text(raw) == text


@pytest.mark.parametrize(("raw", "text"), SOCKTUPLES)
def test_text_of_a_tuple(raw: bytes, text: str) -> None:
    """SOCKTUPLE parameters show what Falco shows; two mapped ends are IPv4."""
    assert socktuple_text(raw) == text


def test_every_cut_is_read_or_refused() -> None:
    """Whatever the length, there is a text, and parts only where all of them are there."""
    whole = [raw for raw, _ in SOCKADDRS + SOCKTUPLES]
    for raw in whole:
        for length in range(len(raw)):
            assert isinstance(sockaddr_text(raw[:length]), str)
            assert isinstance(socktuple_text(raw[:length]), str)
            address, both = parse_address(raw[:length]), parse_tuple(raw[:length])
            assert address is None or address.family == raw[0]
            assert both is None or len(both.source) == len(both.destination)


@pytest.mark.parametrize(
    ("address", "is_mapped"),
    [
        ("::ffff:1.2.3.4", True),
        ("::", True),
        ("::1", False),
        ("::1.2.3.4", False),
        ("fe80::", False),
    ],
)
def test_mapped_addresses(address: str, *, is_mapped: bool) -> None:
    """`::` counts as IPv4 too, as in libs."""
    assert is_mapped_address(packed(address)) is is_mapped
