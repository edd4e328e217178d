"""Addresses as parameters of events hold them, and the interfaces of a made-up machine."""

import socket
import struct

from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Interface

ENTRIES = (
    Interface(b"lo", socket.inet_aton("127.0.0.1"), socket.inet_aton("255.0.0.0"), bytes(4)),
    Interface(b"eth0", socket.inet_aton("192.0.2.2"), socket.inet_aton("255.255.255.0"), bytes(4)),
    Interface(b"lo", socket.inet_pton(socket.AF_INET6, "::1"), b"\xff" * 16, bytes(16)),
    Interface(b"eth0", socket.inet_pton(socket.AF_INET6, "2001:db8::2"), bytes(16), bytes(16)),
)
INTERFACES = Interfaces.of(ENTRIES)


def packed(address: str) -> bytes:
    """An address as 4 or 16 bytes."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _end(text: str) -> bytes:
    address, _, port = text.rpartition(":")
    return packed(address) + struct.pack("<H", int(port))


def _family(text: str) -> bytes:
    return b"\x0a" if ":" in text.rpartition(":")[0] else b"\x02"


def sockaddr(text: str) -> bytes:
    """A SOCKADDR of `ip:port`, or of a path."""
    if text.startswith(("/", "@")):
        return b"\x01" + text.encode() + b"\0"
    return _family(text) + _end(text)


def pair(text: str) -> bytes:
    """A SOCKTUPLE of `ip:port->ip:port`."""
    source, destination = text.split("->")
    return _family(source) + _end(source) + _end(destination)


def unix_pair(source: int, destination: int, path: str = "") -> bytes:
    """A SOCKTUPLE of a unix connection."""
    return b"\x01" + struct.pack("<QQ", source, destination) + path.encode() + b"\0"
