"""What stands behind a descriptor: an open file, a socket, anything with a number in a process.

In: entries of a capture's lists of descriptors, and what calls tell that make one. Out: immutable
descriptors. How calls on sockets change them stands in `sockets`, their columns in
`descriptor_columns`. Whether a number is closed at an exec belongs to the number and is kept with
the table of descriptors.

Source: libs 48dfd53c, userspace/libsinsp/fdinfo.cpp, threadinfo.cpp, tuples.h.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from falcotrace.events.flags import FLAG_TABLES
from falcotrace.events.paths import merge_slashes
from falcotrace.events.text import to_text
from falcotrace.scap.addresses import endpoint_text, is_mapped_address

if TYPE_CHECKING:
    from falcotrace.scap.interfaces import Interfaces
    from falcotrace.scap.metadata import DescriptorEntry


class DescriptorType(IntEnum):
    """Kinds of descriptors, with the numbers of the file format (SCAP_FORMAT 7)."""

    UNKNOWN = 0
    FILE_V1 = 1
    DIRECTORY = 2
    IPV4 = 3
    IPV6 = 4
    IPV4_LISTENING = 5
    IPV6_LISTENING = 6
    PIPE = 7
    UNIX = 8
    EVENT = 9
    UNSUPPORTED = 10
    SIGNALFD = 11
    EVENTPOLL = 12
    INOTIFY = 13
    TIMERFD = 14
    NETLINK = 15
    FILE = 16
    BPF = 17
    USERFAULTFD = 18
    IO_URING = 19
    MEMFD = 20
    PIDFD = 21


class L4(IntEnum):
    """Transport protocols, with the numbers of the file format; a file may hold others."""

    UNKNOWN = 0
    NONE = 1
    TCP = 2
    UDP = 3
    ICMP = 4
    RAW = 5


class Role(IntFlag):
    """Which side of a connection a socket is; an old client that is bound anew counts as both."""

    NONE = 0
    CLIENT = 1
    SERVER = 2


NO_TEXT = "<NA>"
"""`fd.type` and `fd.l4proto` of what has none; a text, not missing."""

_TYPE_TEXTS: Mapping[DescriptorType, tuple[str, str]] = MappingProxyType(
    {
        DescriptorType.UNKNOWN: (NO_TEXT, "o"),
        DescriptorType.FILE_V1: ("file", "f"),
        DescriptorType.DIRECTORY: ("directory", "d"),
        DescriptorType.IPV4: ("ipv4", "4"),
        DescriptorType.IPV6: ("ipv6", "6"),
        DescriptorType.IPV4_LISTENING: ("ipv4", "4"),
        DescriptorType.IPV6_LISTENING: ("ipv6", "6"),
        DescriptorType.PIPE: ("pipe", "p"),
        DescriptorType.UNIX: ("unix", "u"),
        DescriptorType.EVENT: ("event", "e"),
        DescriptorType.UNSUPPORTED: (NO_TEXT, "X"),
        DescriptorType.SIGNALFD: ("signalfd", "s"),
        DescriptorType.EVENTPOLL: ("eventpoll", "l"),
        DescriptorType.INOTIFY: ("inotify", "i"),
        DescriptorType.TIMERFD: ("timerfd", "t"),
        DescriptorType.NETLINK: ("netlink", "n"),
        DescriptorType.FILE: ("file", "f"),
        DescriptorType.BPF: ("bpf", "b"),
        DescriptorType.USERFAULTFD: ("userfaultfd", "u"),
        DescriptorType.IO_URING: ("io_uring", "r"),
        DescriptorType.MEMFD: ("memfd", "m"),
        DescriptorType.PIDFD: ("pidfd", "P"),
    }
)
_L4_TEXTS: Mapping[int, str] = MappingProxyType(
    {L4.TCP: "tcp", L4.UDP: "udp", L4.ICMP: "icmp", L4.RAW: "raw"}
)

CONNECTIONS = frozenset({DescriptorType.IPV4, DescriptorType.IPV6})
LISTENING = frozenset({DescriptorType.IPV4_LISTENING, DescriptorType.IPV6_LISTENING})
IP_SOCKETS = CONNECTIONS | LISTENING
FILES = frozenset({DescriptorType.FILE, DescriptorType.FILE_V1})

_FLAG = FLAG_TABLES["file_flags"].value_of
_O_DIRECTORY = _FLAG("O_DIRECTORY")
_O_CLOEXEC = _FLAG("O_CLOEXEC")
_UPPER_LAYER = _FLAG("FD_UPPER_LAYER")
_LOWER_LAYER = _FLAG("FD_LOWER_LAYER")

# libs keeps the ends of a socket in one piece of memory and reads it by the socket's type. A socket
# that changes type keeps the bytes of the old one, and rules see them (the protocol of a listening
# socket that becomes a connection, the port of an IPv6 server after traffic); so we keep them too.
_LAYOUTS: Mapping[DescriptorType, struct.Struct] = MappingProxyType(
    {
        DescriptorType.IPV4: struct.Struct("<4s4sHHB"),
        DescriptorType.IPV6: struct.Struct("<16s16sHHB"),
        DescriptorType.IPV4_LISTENING: struct.Struct("<4sHB"),
        DescriptorType.IPV6_LISTENING: struct.Struct("<16sHB"),
    }
)
_POINTERS = struct.Struct("<QQ")
_NO_MEMORY = bytes(_LAYOUTS[DescriptorType.IPV6].size)


class Ends(NamedTuple):
    """Both ends of an IP socket, the left one first; a listening socket has the left one only."""

    source: bytes = b""
    destination: bytes = b""
    source_port: int = 0
    destination_port: int = 0
    l4: int = L4.UNKNOWN

    def swapped(self) -> "Ends":
        """The same with left and right exchanged."""
        return Ends(self.destination, self.source, self.destination_port, self.source_port, self.l4)

    def __str__(self) -> str:
        left = endpoint_text(self.source, self.source_port)
        if not self.destination:
            return left
        return f"{left}->{endpoint_text(self.destination, self.destination_port)}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What stands behind a descriptor; descriptors that are alike are equal.

    Attributes:
        type: its kind.
        name: `fd.name`; empty for what has none yet.
        nameraw: `fd.nameraw`, the path as the program gave it.
        open_flags: the flags of an open in Falco's numbers, without O_CLOEXEC.
        device: the device of the file, 0 when unknown.
        ino: its inode, 0 when unknown.
        role: which side of its connection a socket is.
        is_connected: `fd.connected`.
        is_upper_layer: whether the file lies in the upper layer of an overlay.
        is_lower_layer: whether it lies in the lower layer.
        pid: the process that a pidfd stands for.
        memory: the ends of a socket as its type reads them, see `ends` and `pointers`.
    """

    type: DescriptorType
    name: str = ""
    nameraw: str = ""
    open_flags: int = 0
    device: int = 0
    ino: int = 0
    role: Role = Role.NONE
    is_connected: bool = False
    is_upper_layer: bool = False
    is_lower_layer: bool = False
    pid: int = 0
    memory: bytes = _NO_MEMORY

    @property
    def ends(self) -> Ends:
        """The ends of an IP socket; empty for all others."""
        layout = _LAYOUTS.get(self.type)
        if layout is None:
            return Ends()
        parts = layout.unpack_from(self.memory)
        if len(parts) == 3:
            address, port, l4 = parts
            return Ends(address, b"", port, 0, l4)
        return Ends(*parts)

    @property
    def pointers(self) -> tuple[int, int]:
        """Source and destination of a unix connection, as addresses in the kernel."""
        source, destination = _POINTERS.unpack_from(self.memory)
        return source, destination

    @property
    def type_text(self) -> str:
        """`fd.type`."""
        return _TYPE_TEXTS[self.type][0]

    @property
    def typechar(self) -> str:
        """`fd.typechar`."""
        return _TYPE_TEXTS[self.type][1]

    @property
    def l4proto(self) -> str:
        """`fd.l4proto`: a connection shows it when it has a role, a raw socket always."""
        if self.type not in IP_SOCKETS:
            return NO_TEXT
        l4 = self.ends.l4
        is_shown = self.type in LISTENING or self.role or l4 == L4.RAW
        return _L4_TEXTS.get(l4, NO_TEXT) if is_shown else NO_TEXT

    @property
    def argument_text(self) -> str:
        """What stands behind its number in `evt.args`: kind, protocol and name."""
        l4proto = self.l4proto
        protocol = "" if l4proto == NO_TEXT else l4proto[0]
        return f"<{self.typechar}{protocol}>{self.name}"

    def with_ends(self, kind: DescriptorType, ends: Ends) -> "Descriptor":
        """The same socket as another or the same kind of IP socket, with other ends."""
        return replace(self, type=kind, memory=_written(self.memory, kind, ends))

    def with_pointers(self, source: int, destination: int) -> "Descriptor":
        """The same as a unix socket with these ends."""
        memory = _POINTERS.pack(source, destination) + self.memory[_POINTERS.size :]
        return replace(self, type=DescriptorType.UNIX, memory=memory)


def _written(memory: bytes, kind: DescriptorType, ends: Ends) -> bytes:
    layout = _LAYOUTS[kind]
    if kind in LISTENING:
        begin = layout.pack(ends.source, ends.source_port, ends.l4)
    else:
        begin = layout.pack(*ends)
    return begin + memory[layout.size :]


def opened(name: str, nameraw: str, flags: int, device: int, ino: int) -> Descriptor:
    """A file or directory that a call has opened.

    Args:
        name: its absolute path.
        nameraw: the path as given.
        flags: Falco's numbers, with the bits of overlay layers.
        device: where it lies.
        ino: its inode.
    """
    return Descriptor(
        DescriptorType.DIRECTORY if flags & _O_DIRECTORY else DescriptorType.FILE,
        name,
        merge_slashes(nameraw),
        flags & ~_O_CLOEXEC,
        device,
        ino,
        is_upper_layer=bool(flags & _UPPER_LAYER),
        is_lower_layer=bool(flags & _LOWER_LAYER),
    )


_KINDS = frozenset(DescriptorType) - {DescriptorType.UNKNOWN}


def imported(entry: "DescriptorEntry", interfaces: "Interfaces") -> Descriptor | None:
    """The descriptor that an entry tells of; None for kinds that libs does not take over.

    Roles of IPv4 connections are found when all are known, see `set_imported_roles`; listening
    sockets and IPv6 connections have none.
    """
    if entry.type not in _KINDS:
        return None
    kind = DescriptorType(entry.type)
    plain = Descriptor(
        kind,
        to_text(entry.name.split(b"\0", 1)[0]),
        open_flags=entry.flags & ~_O_CLOEXEC,
        device=entry.device,
        ino=entry.ino,
    )
    if kind is DescriptorType.UNIX:
        role = Role.SERVER if plain.name else Role.CLIENT
        return replace(plain, role=role).with_pointers(
            entry.source_pointer, entry.destination_pointer
        )
    return _imported_socket(plain, entry, interfaces) if kind in IP_SOCKETS else plain


def _imported_socket(
    plain: Descriptor, entry: "DescriptorEntry", interfaces: "Interfaces"
) -> Descriptor:
    kind = plain.type
    ports = entry.source_port & 0xFFFF, entry.destination_port & 0xFFFF
    ends = Ends(entry.source, entry.destination, *ports, entry.l4 & 0xFF)
    if kind is DescriptorType.IPV6 and all(map(is_mapped_address, ends[:2])):
        kind = DescriptorType.IPV4
        ends = ends._replace(source=ends.source[12:16], destination=ends.destination[12:16])
    made = plain.with_ends(kind, ends)
    if kind is DescriptorType.IPV4:
        made = made.with_ends(kind, interfaces.completed(made.ends))
    is_connected = kind in CONNECTIONS and ends.l4 == L4.TCP
    return replace(made, name=str(made.ends), is_connected=is_connected)


def set_imported_roles(descriptors: Sequence[Descriptor]) -> list[Descriptor]:
    """Give the imported IPv4 connections of a whole machine their roles; the others stay.

    A connection is a server's if a socket of the machine listens on its source's port. The client's
    end then comes to stand left.
    """
    ports = {one.ends.source_port for one in descriptors if one.type in LISTENING}
    return [
        _with_role(one, ports) if one.type is DescriptorType.IPV4 else one for one in descriptors
    ]


def _with_role(connection: Descriptor, ports: set[int]) -> Descriptor:
    ends = connection.ends
    if ends.source_port not in ports:
        return replace(connection, role=Role.CLIENT)
    turned = connection.with_ends(DescriptorType.IPV4, ends.swapped())
    return replace(turned, name=str(turned.ends), role=Role.SERVER)
