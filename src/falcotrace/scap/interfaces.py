"""The machine's own addresses, as a capture lists them.

In: the list of interfaces. Out: which addresses are local ones, and what stands for an end of a
connection that a socket has left open.

Source: libs 48dfd53c, userspace/libsinsp/ifinfo.cpp.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from falcotrace.scap.descriptor import Ends
from falcotrace.scap.metadata import Interface

_MOST = 1024
"""Addresses of one machine; each new connection is compared with all of them."""

_LOOPBACK_V4 = bytes((127, 0, 0, 1))
_LOOPBACK_V6 = bytes(15) + b"\x01"
_SUBNET_BYTES = 8  # libs takes the first half of an IPv6 address for network and subnet


def _masked(address: bytes, netmask: bytes) -> int:
    return int.from_bytes(address, "big") & int.from_bytes(netmask, "big")


@dataclass(frozen=True, slots=True)
class Interfaces:
    """Addresses of a machine, in the order of the capture.

    Attributes:
        v4: IPv4 addresses with their netmasks.
        v6: IPv6 addresses.
    """

    v4: tuple[tuple[bytes, bytes], ...] = ()
    v6: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[Interface]) -> "Interfaces":
        """Take them from a capture, up to a limit; what is no address is left out."""
        entries = list(islice(entries, _MOST))
        return cls(
            tuple((one.address, one.netmask) for one in entries if len(one.address) == 4),
            tuple(one.address for one in entries if len(one.address) == 16),
        )

    def towards(self, remote: bytes) -> bytes:
        """The local address for traffic with a remote one; zeros if there is none.

        The same address if it is ours, else one of the same network, else the first that is no
        loopback.
        """
        if len(remote) == 4:
            addresses = tuple(address for address, _ in self.v4)
            near = (a for a, mask in self.v4 if _masked(a, mask) == _masked(remote, mask))
            loopback = _LOOPBACK_V4
        else:
            addresses = self.v6
            near = (a for a in self.v6 if a[:_SUBNET_BYTES] == remote[:_SUBNET_BYTES])
            loopback = _LOOPBACK_V6
        if remote in addresses:
            return remote
        others = (address for address in addresses if address != loopback)
        return next(near, None) or next(others, bytes(len(remote)))

    def completed(self, ends: Ends) -> Ends:
        """The ends of a connection, with the address of ours that belongs to a zero one.

        Only one end is completed, and none where the result would be a socket connected to itself.
        """
        is_itself = ends.source_port == ends.destination_port
        if not any(ends.source):
            address = self.towards(ends.destination)
            return (
                ends if is_itself and address == ends.destination else ends._replace(source=address)
            )
        if not any(ends.destination):
            address = self.towards(ends.source)
            return (
                ends if is_itself and address == ends.source else ends._replace(destination=address)
            )
        return ends


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """Which addresses are local for a thread.

    On the host those of its interfaces are. In a container the container's own address counts
    beside them; while that is not known, the addresses of all containers instead of them. IPv6
    addresses never are local there.

    Attributes:
        interfaces: the machine's.
        is_in_container: whether the thread is in a container.
        own_address: the IPv4 address of its container, empty while not known.
        container_addresses: those of all containers that are known.
    """

    interfaces: Interfaces = Interfaces()
    is_in_container: bool = False
    own_address: bytes = b""
    container_addresses: frozenset[bytes] = frozenset()

    def is_local(self, address: bytes) -> bool:
        """Whether libs takes an address of 4 or 16 bytes for a local one."""
        if len(address) != 4:
            return not self.is_in_container and any(
                address[:_SUBNET_BYTES] == ours[:_SUBNET_BYTES] for ours in self.interfaces.v6
            )
        if self.is_in_container and not self.own_address:
            return address in self.container_addresses
        is_own = self.is_in_container and address == self.own_address
        return is_own or any(address == ours for ours, _ in self.interfaces.v4)
