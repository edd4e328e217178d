"""The first message of a TLS client: which server it asks for, and what it speaks."""

from dataclasses import dataclass

from falcotrace.errors import escape_controls

HELLO_BYTES_MAX = 65_536
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
"""Extensions of RFC 6066, RFC 7301 and RFC 8446."""

_VERSIONS = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client says first.

    Attributes:
        server_name: the server that is asked for (SNI); "" if none, or it was cut off.
        alpn: protocols that the client would speak, the preferred one first.
        version: the newest version that the client offers.
        is_cut: the end of the message is not there.
    """

    server_name: str
    alpn: tuple[str, ...]
    version: str
    is_cut: bool


class _Cut(ValueError):  # noqa: N818 - a verdict on bytes, not a failure of ours
    """The bytes end within what is read."""


class _Cursor:
    """Reads numbers and vectors one behind the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        part = self._data[self._place : self._place + size]
        if len(part) < size:
            raise _Cut
        self._place += size
        return part

    def vector(self, size: int) -> bytes:
        """Bytes behind their length, which has so many bytes."""
        return self.take(self.number(size))

    def rest(self, size: int) -> bytes:
        """As much as there is of a number of bytes."""
        part = self._data[self._place : self._place + size]
        self._place += size
        return part


def decode_client_hello(data: bytes) -> ClientHello | None:
    """Decode the first message of a connection's client.

    Args:
        data: the client's bytes from the first on, however they were split; they may be cut.

    Returns:
        What it says, of a cut message as much as is whole; None where the bytes are no hello.
    """
    message = _handshake(data[:HELLO_BYTES_MAX])
    if len(message) < 6 or message[0] != _CLIENT_HELLO:
        return None
    size = int.from_bytes(message[1:4], "big")
    body = message[4 : 4 + size]
    cursor = _Cursor(body)
    version = cursor.number(2)
    if version not in _VERSIONS:
        return None
    found: dict[int, bytes] = {}
    is_cut = len(body) < size
    try:
        cursor.take(32)
        cursor.vector(1)
        cursor.vector(2)
        cursor.vector(1)
        _extensions(cursor, found)
    except _Cut:
        is_cut = True
    return ClientHello(
        server_name=_server_name(found.get(_SERVER_NAME, b"")),
        alpn=_protocols(found.get(_ALPN, b"")),
        version=_newest(found.get(_SUPPORTED_VERSIONS, b""), version),
        is_cut=is_cut,
    )


def _handshake(data: bytes) -> bytes:
    """The content of the handshake records at the beginning, as far as they reach."""
    parts: list[bytes] = []
    place = 0
    while place + 5 <= len(data) and data[place] == _HANDSHAKE and data[place + 1] == 3:
        size = int.from_bytes(data[place + 3 : place + 5], "big")
        parts.append(data[place + 5 : place + 5 + size])
        place += 5 + size
    return b"".join(parts)


def _extensions(cursor: _Cursor, found: dict[int, bytes]) -> None:
    """Fill in what is whole; of several of one kind the first."""
    if not cursor:
        return
    inner = _Cursor(cursor.rest(cursor.number(2)))
    while inner:
        kind = inner.number(2)
        found.setdefault(kind, inner.vector(2))


def _server_name(data: bytes) -> str:
    try:
        names = _Cursor(_Cursor(data).vector(2))
        while names:
            kind, name = names.number(1), names.vector(2)
            if kind == 0:
                return _text(name)
    except _Cut:
        pass
    return ""


def _protocols(data: bytes) -> tuple[str, ...]:
    found: list[str] = []
    try:
        names = _Cursor(_Cursor(data).vector(2))
        while names:
            found.append(_text(names.vector(1)))
    except _Cut:
        pass
    return tuple(found)


def _newest(data: bytes, version: int) -> str:
    """The newest version that has a name: clients also send some that mean nothing (RFC 8701)."""
    try:
        offered = _Cursor(data).vector(1)
    except _Cut:
        offered = b""
    numbers = [int.from_bytes(offered[place : place + 2]) for place in range(0, len(offered), 2)]
    return _VERSIONS[max((number for number in numbers if number in _VERSIONS), default=version)]


def _text(data: bytes) -> str:
    return escape_controls(data.decode("ascii", "backslashreplace"))
