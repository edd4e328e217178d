"""How calls on sockets change what stands behind a descriptor.

In: a descriptor and the parameters of a call, as bytes. Out: the descriptor after the call; the
same one where nothing changes. Bytes that cannot be read change nothing.

Whether a call has succeeded is for the caller to know, but for `connected`, where a call that is
still under way counts. Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp.
"""

import errno
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from falcotrace.scap.addresses import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_UNIX,
    NO_TUPLE,
    SocketAddress,
    SocketTuple,
    address_text,
    is_mapped_address,
    parse_address,
    parse_tuple,
    sockaddr_text,
    socktuple_text,
    unix_text,
)
from falcotrace.scap.descriptor import (
    CONNECTIONS,
    L4,
    Descriptor,
    DescriptorType,
    Ends,
    Role,
)
from falcotrace.scap.interfaces import Interfaces

_SOCK_STREAM = 1
_SOCK_DGRAM = 2
_SOCK_RAW = 3
_SOCK_TYPE_MASK = 0xFF  # above it are SOCK_NONBLOCK and SOCK_CLOEXEC
_PROTOCOLS = {6: L4.TCP, 17: L4.UDP, 1: L4.ICMP}
_ANY_PROTOCOL = 0
_RAW_PROTOCOL = 255

_CONNECTION_OF_FAMILY = {AF_INET: DescriptorType.IPV4, AF_INET6: DescriptorType.IPV6}
_TYPE_OF_DOMAIN = {
    **_CONNECTION_OF_FAMILY,
    AF_UNIX: DescriptorType.UNIX,
    AF_NETLINK: DescriptorType.NETLINK,
}
_UNKNOWN_ENDS = "<unknown>"


def new_socket(domain: int, kind: int, protocol: int) -> Descriptor:
    """What `socket` makes.

    Args:
        domain: the family, in Linux's numbers.
        kind: the socket's type with its flags, in Linux's numbers.
        protocol: in Linux's numbers.
    """
    made = Descriptor(_TYPE_OF_DOMAIN.get(domain, DescriptorType.UNKNOWN))
    if made.type not in CONNECTIONS:
        return made
    return made.with_ends(made.type, made.ends._replace(l4=_l4_of(kind, protocol)))


def _l4_of(kind: int, protocol: int) -> L4:
    if protocol == _ANY_PROTOCOL:
        by_kind = {_SOCK_STREAM: L4.TCP, _SOCK_DGRAM: L4.UDP}
        return by_kind.get(kind & _SOCK_TYPE_MASK, L4.UNKNOWN)
    if protocol == _RAW_PROTOCOL:
        return L4.RAW
    found = _PROTOCOLS.get(protocol, L4.UNKNOWN)
    # With SOCK_CLOEXEC or SOCK_NONBLOCK libs no longer sees that a socket is raw.
    return L4.RAW if found and kind == _SOCK_RAW else found


def socket_pair(source: int, peer: int) -> tuple[Descriptor, Descriptor]:
    """What `socketpair` makes; libs makes both of its descriptors alike."""
    made = Descriptor(DescriptorType.UNIX).with_pointers(source, peer)
    return made, made


def assumed_udp(
    tuple_bytes: bytes, *, others: Iterable[Descriptor], interfaces: Interfaces
) -> Descriptor | None:
    """What stands behind an unknown descriptor that `send`, `sendto` or `sendmsg` has used.

    None for other than IP sockets. The arguments are those of `exchanged`.
    """
    given = parse_tuple(tuple_bytes)
    if given is None or given.family not in _CONNECTION_OF_FAMILY:
        return None
    made = new_socket(given.family, _SOCK_DGRAM, _ANY_PROTOCOL)
    return exchanged(
        made, tuple_bytes, is_receive=False, others=chain(others, (made,)), interfaces=interfaces
    )


def bound(descriptor: Descriptor, address_bytes: bytes) -> Descriptor:
    """After a `bind`: with a port, the socket is one that listens."""
    if not address_bytes:
        return descriptor
    named = replace(descriptor, name=sockaddr_text(address_bytes))
    address = parse_address(address_bytes)
    if address is None or address.family == AF_UNIX or address.port == 0:
        return named
    # libs reads the protocol where a connection of the address's family has it.
    l4 = _as_connection(named, address.family).ends.l4
    kind, ours = DescriptorType.IPV4_LISTENING, address.address
    if address.family == AF_INET6 and is_mapped_address(ours):
        ours = ours[12:]
    elif address.family == AF_INET6:
        kind = DescriptorType.IPV6_LISTENING
    made = named.with_ends(kind, Ends(ours, source_port=address.port, l4=l4))
    return replace(made, role=made.role | Role.SERVER)


def _as_connection(descriptor: Descriptor, family: int) -> Descriptor:
    kind = _CONNECTION_OF_FAMILY[family]
    return descriptor if descriptor.type is kind else replace(descriptor, type=kind)


def connected(
    descriptor: Descriptor,
    result: int,
    tuple_bytes: bytes,
    exit_address_bytes: bytes = b"",
    enter_address_bytes: bytes | None = None,
) -> Descriptor:
    """After a `connect`.

    Args:
        descriptor: before it.
        result: what the call returned.
        tuple_bytes: source and destination, from the kernel.
        exit_address_bytes: the address as the program's memory had it at the call's end.
        enter_address_bytes: the address at its beginning, None where that event was not kept; it
            counts if the tuple's destination is what the program's memory says, which may have
            changed.
    """
    if result < 0 and result != -errno.EINPROGRESS:
        return descriptor
    descriptor = replace(descriptor, is_connected=True)
    entered = parse_address(enter_address_bytes or b"")
    if not tuple_bytes:
        return _directed(descriptor, entered) if enter_address_bytes else descriptor
    given = parse_tuple(tuple_bytes)
    if given is None:
        return descriptor
    given = _trusted(given, parse_address(exit_address_bytes), entered)
    if given.family == AF_UNIX:
        if descriptor.type is not DescriptorType.UNIX:
            return descriptor
        made = _as_unix(descriptor, given)
    else:
        made = _joined(descriptor, given.unmapped())
    return made if made.role else replace(made, role=Role.CLIENT)


def _trusted(
    given: SocketTuple, left: SocketAddress | None, entered: SocketAddress | None
) -> SocketTuple:
    """The tuple with the destination that a program cannot have changed meanwhile."""
    if left is None or entered is None or entered.family != given.family:
        return given
    is_same = left == SocketAddress(
        given.family, given.destination, given.destination_port, given.path
    )
    if not is_same:
        return given
    return given._replace(
        destination=entered.address, destination_port=entered.port, path=entered.path
    )


def _directed(descriptor: Descriptor, address: SocketAddress | None) -> Descriptor:
    """With a destination only, as a TCP socket has that will connect with its first bytes.

    It gets no name from it, and others get that of a tuple without a value.
    """
    if address is None or address.family == AF_UNIX:
        return replace(descriptor, name=NO_TUPLE)
    family, destination = address.family, address.address
    if family == AF_INET6 and is_mapped_address(destination):
        family, destination = AF_INET, destination[12:]
    made = _as_connection(descriptor, family)
    ends = made.ends._replace(destination=destination, destination_port=address.port)
    return made.with_ends(made.type, ends)


def _joined(descriptor: Descriptor, given: SocketTuple) -> Descriptor:
    made = _as_connection(descriptor, given.family)
    before = made.ends
    ends = _merged(before, given)
    is_udp_server = made.type is DescriptorType.IPV4 and ends.l4 == L4.UDP
    if ends != before and Role.SERVER in made.role and is_udp_server:
        ends = ends.swapped()
    return replace(made.with_ends(made.type, ends), name=_ends_text(made.type, ends))


def _taken(ends: Ends, given: SocketTuple) -> Ends:
    return Ends(given.source, given.destination, given.source_port, given.destination_port, ends.l4)


def _merged(ends: Ends, given: SocketTuple) -> Ends:
    """The ends after traffic with this tuple: the same if it goes either way between them."""
    taken = _taken(ends, given)
    return ends if ends in (taken, taken.swapped()) else taken


def _as_unix(descriptor: Descriptor, given: SocketTuple) -> Descriptor:
    pointers = given.source_pointer, given.destination_pointer
    name = unix_text(*pointers, given.path)
    if descriptor.name == name and descriptor.type is DescriptorType.UNIX:
        return descriptor  # the name says the pointers
    return replace(descriptor.with_pointers(*pointers), name=name)


def accepted(tuple_bytes: bytes) -> Descriptor | None:
    """What `accept` makes; None where the event does not tell the ends."""
    given = parse_tuple(tuple_bytes)
    if given is None:
        return None
    name = socktuple_text(tuple_bytes)
    plain = Descriptor(DescriptorType.UNIX, name, role=Role.SERVER, is_connected=True)
    if given.family == AF_UNIX:
        return plain.with_pointers(given.source_pointer, given.destination_pointer)
    given = given.unmapped()
    ends = Ends(given.source, given.destination, given.source_port, given.destination_port, L4.TCP)
    return plain.with_ends(_CONNECTION_OF_FAMILY[given.family], ends)


def transferred(descriptor: Descriptor) -> Descriptor:
    """After a call that has read or written: an IP socket is connected then."""
    if descriptor.is_connected or descriptor.type not in CONNECTIONS:
        return descriptor
    return replace(descriptor, is_connected=True)


def exchanged(
    descriptor: Descriptor,
    tuple_bytes: bytes,
    *,
    is_receive: bool,
    others: Iterable[Descriptor],
    interfaces: Interfaces,
) -> Descriptor:
    """After a send or receive that tells source and destination.

    Args:
        descriptor: before it.
        tuple_bytes: source and destination as the packet went.
        is_receive: whether the call received.
        others: the descriptors of the process; looked at only where a role must be guessed.
        interfaces: where addresses come from that the socket has left open.
    """
    descriptor = transferred(descriptor)
    if descriptor.name and descriptor.type is DescriptorType.IPV4 and descriptor.ends.l4 == L4.TCP:
        return descriptor
    given = parse_tuple(tuple_bytes)
    if given is None:
        return descriptor
    if given.family == AF_UNIX:
        return _as_unix(descriptor, given)
    made = _addressed(descriptor, given)
    if made is None:
        return descriptor
    if made.type not in CONNECTIONS:
        return replace(made, name=socktuple_text(tuple_bytes))
    made = made.with_ends(made.type, interfaces.completed(_with_l4(made.ends)))
    if not made.role:
        made = replace(made, role=_guessed_role(made, is_receive=is_receive, others=others))
    if (Role.CLIENT if is_receive else Role.SERVER) in made.role:
        made = made.with_ends(made.type, made.ends.swapped())
    return replace(made, name=_ends_text(made.type, made.ends))


def _addressed(descriptor: Descriptor, given: SocketTuple) -> Descriptor | None:
    """The socket with the ends of a tuple; None if it has them already.

    An IPv6 tuple does not make a listening socket a connection: libs writes the ends over the
    listening one's memory and goes on reading it as a listening one's.
    """
    shown = given.unmapped()
    made = _as_connection(descriptor, shown.family)
    before = made.ends
    if descriptor.type is not made.type and shown.family == AF_INET6:
        written = made.with_ends(made.type, _taken(before, shown))
        return replace(written, type=descriptor.type)
    if descriptor.type is DescriptorType.IPV4_LISTENING and given.family == AF_INET:
        before = before._replace(l4=descriptor.ends.l4)
    ends = _merged(before, shown)
    return None if ends == before else made.with_ends(made.type, ends)


def _with_l4(ends: Ends) -> Ends:
    """With UDP where nothing is known: TCP would not change its ends."""
    return ends._replace(l4=L4.UDP) if ends.l4 == L4.UNKNOWN else ends


def _guessed_role(made: Descriptor, *, is_receive: bool, others: Iterable[Descriptor]) -> Role:
    """Client or server: a server begins by receiving, a client by sending.

    libs looks first whether a socket of the process has the destination's port, and whether one has
    the source's; but the socket itself is among them. For IPv6 it compares with bytes of the
    source's address instead, and only then the others count.
    """
    guess = Role.SERVER if is_receive else Role.CLIENT
    if made.type is DescriptorType.IPV4:
        return guess
    as_ipv4 = _as_connection(made, AF_INET).ends
    is_bound = is_used = False
    for one in others:
        # Most of them are no IPv4 sockets, and their ends need not be read.
        if one.type is DescriptorType.IPV4:
            ends = one.ends
            is_bound |= ends.destination_port == as_ipv4.destination_port
            is_used |= ends.source_port == as_ipv4.source_port
        elif one.type is DescriptorType.IPV4_LISTENING:
            is_bound |= one.ends.source_port == as_ipv4.destination_port
        if is_bound and is_used:
            break
    if not is_bound:
        return Role.CLIENT
    return guess if is_used else Role.SERVER


def _ends_text(kind: DescriptorType, ends: Ends) -> str:
    """The name of a connection by its protocol."""
    if ends.l4 in {L4.TCP, L4.UDP}:
        return str(ends)
    if ends.l4 == L4.ICMP or (ends.l4 == L4.RAW and kind is DescriptorType.IPV4):
        return f"{address_text(ends.source)}->{address_text(ends.destination)}"
    return _UNKNOWN_ENDS
