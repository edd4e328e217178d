"""Socket addresses as programs give them: from bytes to text, and to the end of a connection.

In: a `struct sockaddr` of any family. Out: what Falco prints, and an `Endpoint` for IP addresses.
"""

import socket
from dataclasses import dataclass

from falcotrace.events.text import to_text

V4_MAPPED = bytes(10) + b"\xff\xff"
"""Begins an IPv4 address that a program gave as an IPv6 one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection; empty address for an end that is not known."""

    address: bytes = b""
    port: int = 0

    @property
    def text(self) -> str | None:
        """The address in canonical form; None when not known."""
        if not self.address:
            return None
        family = socket.AF_INET if len(self.address) == 4 else socket.AF_INET6
        return socket.inet_ntop(family, self.address)

    @property
    def is_any(self) -> bool:
        """Whether the address is none in particular: 0.0.0.0, `::` or unknown."""
        return not any(self.address)

    def __str__(self) -> str:
        return f"{self.text or '0.0.0.0'}:{self.port}"  # noqa: S104 - a text, nothing is bound


NOBODY = Endpoint()
"""An end that is not known."""


def parse_endpoint(raw: bytes) -> Endpoint | None:
    """The IP address in a `struct sockaddr`; None for other families and for what is cut."""
    family = int.from_bytes(raw[:2], "little")
    port = int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET and len(raw) >= 8:
        return Endpoint(raw[4:8], port)
    if family == socket.AF_INET6 and len(raw) >= 24:
        return Endpoint(raw[8:24].removeprefix(V4_MAPPED), port)
    return None


def unix_path(raw: bytes) -> bytes | None:
    """The path in a `struct sockaddr_un`, empty for none; None for other families.

    A name of the abstract namespace comes without the NUL before it, as in Falco's captures.
    """
    if len(raw) < 2 or int.from_bytes(raw[:2], "little") != socket.AF_UNIX:
        return None
    path = raw[2:]
    return path.removeprefix(b"\0").split(b"\0", 1)[0]


def address_text(raw: bytes) -> str:
    """A socket address as Falco prints it: `ip:port`, a path, or `family N`."""
    if len(raw) < 2:
        return "NULL"
    endpoint = parse_endpoint(raw)
    if endpoint is not None:
        return str(endpoint)
    path = unix_path(raw)
    if path is not None:
        return to_text(path)
    return f"family {int.from_bytes(raw[:2], 'little')}"
