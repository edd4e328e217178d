"""First messages of TLS clients, as OpenSSL makes them, cut, split and hostile."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.protocols.tls import ClientHello, decode_client_hello


def _hello(name: str | None = "pay.shop.example", newest: ssl.TLSVersion | None = None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    if newest is not None:
        context.maximum_version = newest
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = _hello()
WHOLE = ClientHello("pay.shop.example", ("h2", "http/1.1"), "TLS 1.3", False)


def test_hello() -> None:
    """Name, protocols and the newest version that is offered."""
    assert decode_client_hello(HELLO) == WHOLE


def test_older_version_without_name() -> None:
    """What a client does not say is not made up."""
    hello = decode_client_hello(_hello(None, ssl.TLSVersion.TLSv1_2))
    assert hello == ClientHello("", ("h2", "http/1.1"), "TLS 1.2", False)


def test_split_over_records() -> None:
    """A hello may come in several records, which hides its name from who looks at the first."""
    body = HELLO[5:]
    pieces = [body[start : start + 50] for start in range(0, len(body), 50)]
    split = b"".join(HELLO[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)
    assert decode_client_hello(split) == WHOLE


def test_cut_anywhere() -> None:
    """A cut hello has what is whole: the name or none, never half of it."""
    names = set()
    for size in range(len(HELLO)):
        found = decode_client_hello(HELLO[:size])
        if found is not None:
            assert found.is_cut
            names.add(found.server_name)
    assert names == {"", WHOLE.server_name}


@pytest.mark.parametrize(
    "data",
    [b"", b"\x16\x03", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x03\0\x04\x02\0\0\0", bytes(99)],
)
def test_what_is_no_hello(data: bytes) -> None:
    """Other messages are not taken for a hello."""
    assert decode_client_hello(data) is None


@given(st.binary(max_size=100), st.integers(0, len(HELLO)))
def test_any_bytes(data: bytes, size: int) -> None:
    """No bytes raise, at the beginning or behind a sound part, nor do texts reach a terminal."""
    for hello in (decode_client_hello(data), decode_client_hello(HELLO[:size] + data)):
        if hello is not None:
            assert hello.server_name.isprintable()
            assert all(name.isprintable() for name in hello.alpn)
