"""Where packets lie in a pcap or pcapng file: places, lengths, times, kinds of links.

In: the bytes of a file. Out: arrays with an entry for each packet. Only the chain of lengths is
followed packet by packet; headers are read for many packets at once (`packet_headers.py`).

Source: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

import mmap
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from falcotrace.engines.vectors import Integers
from falcotrace.errors import FalcoTraceError, escape_controls

_PCAP_MAGICS = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
"""Of the classic format: how many nanoseconds a unit of the fraction of a second is."""

_PCAP_HEAD_BYTES, _RECORD_HEAD_BYTES = 24, 16
_LINK_MASK = 0xFFFF
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER = 0x1A2B3C4D
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14
_PACKET_HEAD_BYTES = 28
_TIME_MAX_NS = (1 << 63) - 1
PACKETS_PER_LIST = 131_072
_LENGTH_MAX = 1 << 28
"""No packet is longer: a length beyond it is damage."""


@dataclass(frozen=True, slots=True, eq=False)
class PacketList:
    """Packets of a file, an entry for each.

    Attributes:
        starts: where the bytes of each begin.
        lengths: how many of them were captured.
        original_lengths: how long the packet was.
        times_ns: ns since the epoch.
        links: the kind of link, LINKTYPE of the registry.
        is_cut: here the file is damaged or ends within a packet; nothing follows.
    """

    starts: Integers
    lengths: Integers
    original_lengths: Integers
    times_ns: Integers
    links: Integers
    is_cut: bool


def read_pcap(path: Path) -> memoryview:
    """The bytes of a file, read from disk as they are looked at.

    Raises:
        FalcoTraceError: it cannot be read.
    """
    shown = escape_controls(str(path))
    if not path.is_file():
        raise FalcoTraceError(f"{shown}: is no file: --pcap takes a pcap or pcapng file")
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise FalcoTraceError(f"{shown}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise FalcoTraceError(f"{shown}: is empty") from None


def list_packets(data: memoryview, path: Path) -> Iterator[PacketList]:
    """Find the packets of a file, so many at a time.

    Raises:
        FalcoTraceError: it is neither pcap nor pcapng.
    """
    for order in ("<", ">"):
        if len(data) >= _PCAP_HEAD_BYTES:
            magic = struct.unpack_from(f"{order}I", data)[0]
            if magic in _PCAP_MAGICS:
                return _classic(data, order, _PCAP_MAGICS[magic])
    if len(data) >= 12 and struct.unpack_from("<I", data)[0] == _SECTION:
        return _next_generation(data)
    shown = escape_controls(str(path))
    raise FalcoTraceError(f"{shown}: is neither pcap nor pcapng: `tcpdump -w FILE` makes one")


@dataclass(slots=True)
class _Places:
    """Grows packet by packet."""

    starts: "array[int]" = field(default_factory=lambda: array("q"))
    lengths: "array[int]" = field(default_factory=lambda: array("q"))
    originals: "array[int]" = field(default_factory=lambda: array("q"))
    times_ns: "array[int]" = field(default_factory=lambda: array("q"))
    links: "array[int]" = field(default_factory=lambda: array("q"))

    def append(self, start: int, length: int, original: int, time_ns: int, link: int) -> None:
        self.starts.append(start)
        self.lengths.append(length)
        self.originals.append(original)
        self.times_ns.append(min(time_ns, _TIME_MAX_NS))
        self.links.append(link)

    def packets(self, *, is_cut: bool) -> PacketList:
        return PacketList(
            np.array(self.starts, np.int64),
            np.array(self.lengths, np.int64),
            np.array(self.originals, np.int64),
            np.array(self.times_ns, np.int64),
            np.array(self.links, np.int64),
            is_cut,
        )


def _classic(data: memoryview, order: str, unit_ns: int) -> Iterator[PacketList]:
    read = struct.Struct(f"{order}4I").unpack_from
    link = struct.unpack_from(f"{order}I", data, 20)[0] & _LINK_MASK
    found = _Places()
    place, end = _PCAP_HEAD_BYTES, len(data)
    while place + _RECORD_HEAD_BYTES <= end:
        second, fraction, length, original = read(data, place)
        place += _RECORD_HEAD_BYTES
        if length > end - place:
            break
        found.append(place, length, original, second * 1_000_000_000 + fraction * unit_ns, link)
        place += length
        if len(found.starts) == PACKETS_PER_LIST:
            yield found.packets(is_cut=False)
            found = _Places()
    yield found.packets(is_cut=place != end)


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snaplen: int
    unit: tuple[int, int]
    offset_ns: int

    def time_ns(self, high: int, low: int) -> int:
        number, scale = self.unit
        return (high << 32 | low) * number // scale + self.offset_ns


class _Section:
    """Reads the blocks between two section headers."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.read_head = struct.Struct(f"{order}2I").unpack_from
        self.read_packet = struct.Struct(f"{order}5I").unpack_from
        self.interfaces: list[_Interface] = []

    def put(self, kind: int, data: memoryview, place: int, size: int, to: _Places) -> bool:
        """Take a block in; false where it is damaged."""
        if kind == _INTERFACE and size >= 20:
            self.interfaces.append(_interface(data, place, size, self.order))
        elif kind in {_PACKET, _OLD_PACKET} and size >= _PACKET_HEAD_BYTES + 4:
            number, high, low, length, original = self.read_packet(data, place + 8)
            if kind == _OLD_PACKET:
                number = struct.unpack_from(f"{self.order}H", data, place + 8)[0]
            if number >= len(self.interfaces) or length > size - _PACKET_HEAD_BYTES - 4:
                return False
            interface = self.interfaces[number]
            time_ns = interface.time_ns(high, low)
            to.append(place + _PACKET_HEAD_BYTES, length, original, time_ns, interface.link)
        elif kind == _SIMPLE_PACKET and size >= 16:
            if not self.interfaces:
                return False
            original = struct.unpack_from(f"{self.order}I", data, place + 8)[0]
            interface = self.interfaces[0]
            length = min(original, size - 16, interface.snaplen or original)
            to.append(place + 12, length, original, 0, interface.link)
        return True


def _next_generation(data: memoryview) -> Iterator[PacketList]:
    found = _Places()
    section = _Section("<")
    place, end = 0, len(data)
    while place + 12 <= end:
        if struct.unpack_from("<I", data, place)[0] == _SECTION:
            is_little = struct.unpack_from("<I", data, place + 8)[0] == _BYTE_ORDER
            section = _Section("<" if is_little else ">")
        kind, size = section.read_head(data, place)
        if size < 12 or size % 4 or size > end - place or size > _LENGTH_MAX:
            break
        if not section.put(kind, data, place, size, found):
            break
        place += size
        if len(found.starts) == PACKETS_PER_LIST:
            yield found.packets(is_cut=False)
            found = _Places()
    yield found.packets(is_cut=place != end)


def _interface(data: memoryview, place: int, size: int, order: str) -> _Interface:
    link, _, snaplen = struct.unpack_from(f"{order}HHI", data, place + 8)
    unit, offset_ns = (1_000, 1), 0
    option, end = place + 16, place + size - 4
    while option + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", data, option)
        if code == 0 or option + 4 + length > end:
            break
        if code == _OPTION_RESOLUTION and length == 1:
            unit = _unit(data[option + 4])
        elif code == _OPTION_OFFSET and length == 8:
            offset_ns = struct.unpack_from(f"{order}q", data, option + 4)[0] * 1_000_000_000
        option += 4 + length + -length % 4
    return _Interface(link, snaplen, unit, offset_ns)


def _unit(code: int) -> tuple[int, int]:
    """A unit of time in nanoseconds, as a fraction."""
    power = code & 0x7F
    return 1_000_000_000, 2**power if code & 0x80 else 10**power
