"""Heads of requests and responses, whole, cut and hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.protocols.http import HttpRequest, HttpResponse, decode_http

REQUEST = (
    b"POST /login?next=%2F HTTP/1.1\r\nHost: shop.example:8080\r\nuser-agent:  shopper/1 \r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


def test_request() -> None:
    """Names of fields count in any case, blanks around values do not."""
    assert decode_http(REQUEST) == HttpRequest(
        "POST", "shop.example:8080", "/login?next=%2F", "shopper/1", "application/json", False
    )


def test_response() -> None:
    """The status is a number; what follows the head is not looked at."""
    data = b"HTTP/1.1 404 Not Found\nServer: lighttpd\nContent-Type: text/html\n\nServer: other"
    assert decode_http(data) == HttpResponse(404, "Not Found", "text/html", "lighttpd", False)


def test_whole_address() -> None:
    """What is asked of a proxy names the host in its target."""
    found = decode_http(b"GET http://shop.example:81/x HTTP/1.0\r\n\r\n")
    assert isinstance(found, HttpRequest)
    assert (found.host, found.path) == ("shop.example:81", "http://shop.example:81/x")


def test_cut_anywhere() -> None:
    """A field that is cut is left out: half a host is another host."""
    whole = decode_http(REQUEST)
    assert isinstance(whole, HttpRequest)
    for size in range(REQUEST.index(b"\r\n\r\n")):
        found = decode_http(REQUEST[:size])
        if found is not None:
            assert isinstance(found, HttpRequest)
            assert found.is_cut
            assert found.host in {"", whole.host}
            assert found.user_agent in {"", whole.user_agent}
            assert whole.path.startswith(found.path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET",
        b"GETS / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"HTTP/2 200\r\n",
        b"SSH-2.0-x\r\n",
    ],
)
def test_what_is_no_http(data: bytes) -> None:
    """Other protocols are not taken for HTTP."""
    assert decode_http(data) is None


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"GET ", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 "]),
)
def test_any_bytes(data: bytes, start: bytes) -> None:
    """No bytes raise, and no text of the result is obeyed by a terminal."""
    found = decode_http(start + data)
    if isinstance(found, HttpRequest):
        texts = [found.host, found.path, found.user_agent, found.content_type]
        assert all(text.isprintable() for text in texts)
    elif found is not None:
        assert f"{found.reason}{found.content_type}{found.server}".isprintable()


def test_long_heads_are_bounded() -> None:
    """Fields behind the limits are not looked at, and nothing is said about them."""
    many = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000 + b"Host: shop.example\r\n\r\n"
    found = decode_http(many)
    assert isinstance(found, HttpRequest)
    assert (found.host, found.is_cut) == ("", True)
