"""Socket addresses in a capture's parameters: from bytes to parts, and to the text Falco prints.

In: SOCKADDR and SOCKTUPLE parameters, of any length and content. Out: their parts, or None where
they are cut or of another family; texts. Addresses are 4 or 16 bytes in network order, ports plain
numbers.

Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `get_param_as_str`; utils.cpp.
"""

import socket
import struct
from typing import NamedTuple

from falcotrace.events.text import to_text

AF_UNIX = 1
AF_INET = 2
AF_INET6 = 10
AF_NETLINK = 16

NO_ADDRESS = "<NA>"
"""The text of a SOCKADDR without a value."""

NO_TUPLE = "NULL"
"""The text of a SOCKTUPLE without a value."""

_ADDRESSES = {AF_INET: struct.Struct("<4sH"), AF_INET6: struct.Struct("<16sH")}
_TUPLES = {AF_INET: struct.Struct("<4sH4sH"), AF_INET6: struct.Struct("<16sH16sH")}
_POINTERS = struct.Struct("<QQ")
_INVALID = {AF_INET: "INVALID IPv4", AF_INET6: "INVALID IPv6", AF_UNIX: "INVALID unix"}

_MAPPED_BEGIN = bytes(10)
_MAPPED_MARK = b"\xff\xff"


class SocketAddress(NamedTuple):
    """A SOCKADDR: address and port of an IP socket, the path of a unix one."""

    family: int
    address: bytes = b""
    port: int = 0
    path: bytes = b""


class SocketTuple(NamedTuple):
    """A SOCKTUPLE: both ends of an IP connection; of a unix one kernel pointers and the path."""

    family: int
    source: bytes = b""
    source_port: int = 0
    destination: bytes = b""
    destination_port: int = 0
    source_pointer: int = 0
    destination_pointer: int = 0
    path: bytes = b""

    @property
    def is_mapped(self) -> bool:
        """Whether both ends are IPv4 addresses written as IPv6 ones."""
        return (
            self.family == AF_INET6
            and is_mapped_address(self.source)
            and is_mapped_address(self.destination)
        )

    def unmapped(self) -> "SocketTuple":
        """The same with IPv4 addresses, where both ends are."""
        if not self.is_mapped:
            return self
        return self._replace(
            family=AF_INET, source=self.source[12:], destination=self.destination[12:]
        )


def is_mapped_address(address: bytes) -> bool:
    r"""Whether an IPv6 address stands for an IPv4 one; libs counts `::` among them.

    Example:
        >>> is_mapped_address(bytes(16)), is_mapped_address(bytes(15) + b"\x01")
        (True, False)
    """
    return address[:10] == _MAPPED_BEGIN and (
        address[10:12] == _MAPPED_MARK or not any(address[10:])
    )


def parse_address(raw: bytes) -> SocketAddress | None:
    """The parts of a SOCKADDR; None without a value, when cut, and for other families."""
    family = raw[0] if raw else 0
    if family == AF_UNIX and len(raw) > 1:
        return SocketAddress(family, path=_path(raw[1:]))
    layout = _ADDRESSES.get(family)
    if layout is None or len(raw) <= layout.size:
        return None
    return SocketAddress(family, *layout.unpack_from(raw, 1))


def parse_tuple(raw: bytes) -> SocketTuple | None:
    """The parts of a SOCKTUPLE; None without a value, when cut, and for other families."""
    family = raw[0] if raw else 0
    if family == AF_UNIX and len(raw) > _POINTERS.size + 1:
        source, destination = _POINTERS.unpack_from(raw, 1)
        return SocketTuple(
            family,
            source_pointer=source,
            destination_pointer=destination,
            path=_path(raw[_POINTERS.size + 1 :]),
        )
    layout = _TUPLES.get(family)
    if layout is None or len(raw) <= layout.size:
        return None
    return SocketTuple(family, *layout.unpack_from(raw, 1))


def sockaddr_text(raw: bytes) -> str:
    r"""A SOCKADDR parameter as Falco prints it.

    Example:
        >>> sockaddr_text(b"\x02\x7f\0\0\x01\x50\0"), sockaddr_text(b"\x01/run/x\0")
        ('127.0.0.1:80', '/run/x')
    """
    if not raw:
        return NO_ADDRESS
    layout = _ADDRESSES.get(raw[0])
    parsed = parse_address(raw)
    if parsed is None or (layout is not None and len(raw) != layout.size + 1):
        return _unusable_text(raw[0])
    return to_text(parsed.path) if layout is None else endpoint_text(parsed.address, parsed.port)


def socktuple_text(raw: bytes) -> str:
    r"""A SOCKTUPLE parameter as Falco prints it.

    Example:
        >>> socktuple_text(b"\x02\x7f\0\0\x01\x50\0\x7f\0\0\x02\x51\0")
        '127.0.0.1:80->127.0.0.2:81'
    """
    if not raw:
        return NO_TUPLE
    layout = _TUPLES.get(raw[0])
    parsed = parse_tuple(raw)
    if parsed is None or (layout is not None and len(raw) != layout.size + 1):
        return _unusable_text(raw[0])
    if layout is None:
        return unix_text(parsed.source_pointer, parsed.destination_pointer, parsed.path)
    shown = parsed.unmapped()
    source = endpoint_text(shown.source, shown.source_port)
    return f"{source}->{endpoint_text(shown.destination, shown.destination_port)}"


def address_text(address: bytes) -> str:
    """An address of 4 or 16 bytes in canonical form."""
    if len(address) == 4:
        return "{}.{}.{}.{}".format(*address)
    return socket.inet_ntop(socket.AF_INET6, address)


def endpoint_text(address: bytes, port: int) -> str:
    """Address and port; IPv6 addresses without brackets, as Falco has it."""
    return f"{address_text(address)}:{port}"


def unix_text(source: int, destination: int, path: bytes) -> str:
    """Both ends of a unix connection: kernel pointers, and the path of the listening one."""
    return f"{source:x}->{destination:x} {to_text(path)}"


def _path(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _unusable_text(family: int) -> str:
    # The byte is signed where libs prints it.
    return _INVALID.get(family) or f"family {family - ((family & 0x80) << 1)}"
