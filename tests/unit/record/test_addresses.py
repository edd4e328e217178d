"""Socket addresses."""

import socket
import struct

import pytest

from falcotrace.record.addresses import (
    NOBODY,
    Endpoint,
    address_text,
    parse_endpoint,
    unix_path,
)

INET = struct.pack("<H", socket.AF_INET) + struct.pack(">H", 443) + bytes([192, 0, 2, 7]) + bytes(8)
INET6 = (
    struct.pack("<H", socket.AF_INET6)
    + struct.pack(">H", 53)
    + bytes(4)
    + socket.inet_pton(socket.AF_INET6, "2001:db8::5")
    + bytes(4)
)
MAPPED = INET6[:8] + socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.7") + bytes(4)
UNIX = struct.pack("<H", socket.AF_UNIX)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (INET, "192.0.2.7:443"),
        (INET[:8], "192.0.2.7:443"),
        (INET6, "2001:db8::5:53"),
        (MAPPED, "192.0.2.7:53"),
        (UNIX + b"/run/x.sock\0rubbish", "/run/x.sock"),
        (UNIX + b"\0abstract", "abstract"),
        (UNIX, ""),
        (struct.pack("<H", socket.AF_NETLINK) + bytes(10), "family 16"),
        (INET[:6], "family 2"),
        (b"", "NULL"),
        (b"\x02", "NULL"),
    ],
)
def test_texts(raw: bytes, text: str) -> None:
    """Every family as Falco prints it; what is cut is not read beyond its end."""
    assert address_text(raw) == text


def test_endpoints() -> None:
    """Address and port of IP addresses; mapped ones are IPv4's."""
    assert parse_endpoint(INET) == Endpoint(bytes([192, 0, 2, 7]), 443)
    assert parse_endpoint(MAPPED) == Endpoint(bytes([192, 0, 2, 7]), 53)
    assert parse_endpoint(UNIX + b"/x") is None
    assert unix_path(INET) is None


def test_unknown_end() -> None:
    """An end that is not known has no text, and prints as zeros."""
    assert NOBODY.text is None
    assert NOBODY.is_any
    assert str(NOBODY) == "0.0.0.0:0"
    assert Endpoint(bytes(16)).is_any
    assert not Endpoint(bytes([1, 0, 0, 0])).is_any
