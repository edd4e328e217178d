"""Heads of HTTP/1 requests and responses, from one direction's bytes, which may be cut."""

import re
from dataclasses import dataclass

from falcotrace.errors import escape_controls

HEAD_BYTES_MAX = 16_384
LINES_MAX = 200
"""More than these servers refuse; what is behind them is not looked at."""

METHODS = (
    *("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
    *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"),
)
"""Of RFC 9110, RFC 5789 and RFC 4918."""

_REQUEST = re.compile(
    rb"(" + "|".join(METHODS).encode() + rb") ([^ \r\n]*)(?: (HTTP/1\.[01]))?\r?(?:\n|$)"
)
_RESPONSE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?(?:\n|$)")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The head of a request. What it does not say, or what was cut off, is "".

    Attributes:
        method: "GET" ...
        host: of the header `Host`, or of the target where that is a whole address.
        path: the target as it was sent.
        user_agent: the header.
        content_type: the header.
        is_cut: the end of the head is not there.
    """

    method: str
    host: str
    path: str
    user_agent: str
    content_type: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The head of a response. What it does not say, or what was cut off, is "".

    Attributes:
        status: three digits.
        reason: what stands behind them.
        content_type: the header.
        server: the header.
        is_cut: the end of the head is not there.
    """

    status: int
    reason: str
    content_type: str
    server: str
    is_cut: bool


def decode_http(data: bytes) -> HttpRequest | HttpResponse | None:
    r"""Decode the head at the beginning of some bytes; header lines that are cut are left out.

    Returns:
        The head; None where the bytes begin with none, or not even its first line is whole.

    Example:
        >>> decode_http(b"HTTP/1.1 404 Not Found\r\nServer: lighttpd\r\n\r\n").reason
        'Not Found'
    """
    head, is_whole = _head(data)
    request = _REQUEST.match(head)
    if request and (request[3] or _is_cut_line(request, head, is_whole=is_whole)):
        fields = _fields(head[request.end() :], is_whole=is_whole)
        return HttpRequest(
            method=_text(request[1]),
            host=fields.get("host") or _host_of(request[2]),
            path=_text(request[2]),
            user_agent=fields.get("user-agent", ""),
            content_type=fields.get("content-type", ""),
            is_cut=not is_whole,
        )
    response = _RESPONSE.match(head)
    if response:
        fields = _fields(head[response.end() :], is_whole=is_whole)
        return HttpResponse(
            status=int(response[2]),
            reason=_text(response[3] or b""),
            content_type=fields.get("content-type", ""),
            server=fields.get("server", ""),
            is_cut=not is_whole,
        )
    return None


def _head(data: bytes) -> tuple[bytes, bool]:
    """The bytes up to the empty line, and whether that is there."""
    head = data[:HEAD_BYTES_MAX]
    ends = [place + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (place := head.find(mark)) >= 0]
    return (head[: min(ends)], True) if ends else (head, False)


def _is_cut_line(request: re.Match[bytes], head: bytes, *, is_whole: bool) -> bool:
    """Whether the first line is all there is, and has no version because it was cut."""
    return not is_whole and request.end() == len(head) and not head.endswith(b"\n")


def _fields(lines: bytes, *, is_whole: bool) -> dict[str, str]:
    """Header fields by name in small letters; of several of one name the first."""
    several = lines.split(b"\n", LINES_MAX)
    found: dict[str, str] = {}
    for line in several[:LINES_MAX] if is_whole else several[:LINES_MAX][:-1]:
        field = _HEADER.fullmatch(line.rstrip(b"\r"))
        if field:
            found.setdefault(_text(field[1]).lower(), _text(field[2]))
    return found


def _host_of(target: bytes) -> str:
    found = re.match(rb"(?:[a-z]+://)([^/?#]*)", target)
    return _text(found[1]) if found else ""


def _text(data: bytes) -> str:
    r"""As text on one line, bytes that are no plain characters as `\xHH`."""
    return escape_controls(data.decode("ascii", "backslashreplace"))
