"""This host's own addresses: which one a socket without an address of its own speaks from.

In: the kernel's lists of interfaces. Out: for another host's address, the address that this host
uses towards it as far as the interfaces tell; routes are not looked at.

Source: libs 48dfd53c, userspace/libsinsp/ifinfo.cpp, `infer_ipv4_address`.
"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B  # Linux include/uapi/linux/sockios.h
_IPV6_LIST = Path("/proc/net/if_inet6")

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True, slots=True)
class Interfaces:
    """The addresses of the host's interfaces, with the networks that they are in."""

    addresses: tuple[Interface, ...] = ()

    @classmethod
    def of_host(cls) -> "Interfaces":
        """Read them; what cannot be read is left out."""
        return cls((*_read_ipv4(), *_read_ipv6()))

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> "Interfaces":
        """From `ADDRESS/BITS` each.

        Raises:
            ValueError: a text is no address.
        """
        return cls(tuple(ipaddress.ip_interface(text) for text in texts))

    @property
    def texts(self) -> tuple[str, ...]:
        """The addresses as `ADDRESS/BITS`."""
        return tuple(map(str, self.addresses))

    def address_towards(self, remote: bytes) -> bytes:
        """The local address for traffic with a remote one: 4 or 16 bytes, zeros if none fits.

        The same address if it is ours, else one of the same network, else the first that is no
        loopback.

        Example:
            >>> ours = Interfaces((ipaddress.ip_interface("127.0.0.1/8"),))
            >>> list(ours.address_towards(bytes([127, 0, 0, 53])))
            [127, 0, 0, 1]
        """
        wanted = ipaddress.ip_address(remote)
        same_family = [one for one in self.addresses if one.version == wanted.version]
        for one in same_family:
            if one.ip == wanted:
                return remote
        for one in same_family:
            if wanted in one.network:
                return one.packed
        for one in same_family:
            if not one.is_loopback:
                return one.packed
        return bytes(len(remote))


def _read_ipv4() -> Iterable[Interface]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                address = fcntl.ioctl(asker.fileno(), _SIOCGIFADDR, request)[20:24]
                mask = fcntl.ioctl(asker.fileno(), _SIOCGIFNETMASK, request)[20:24]
            except OSError:  # no IPv4 address
                continue
            prefix = int.from_bytes(mask, "big").bit_count()
            yield ipaddress.IPv4Interface((address, prefix))


def _read_ipv6() -> Iterable[Interface]:
    if _IPV6_LIST.exists():
        for line in _IPV6_LIST.read_text().splitlines():
            address, _, prefix, *_ = line.split()
            yield ipaddress.IPv6Interface((bytes.fromhex(address), int(prefix, 16)))
