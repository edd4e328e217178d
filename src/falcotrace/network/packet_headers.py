"""Addresses, ports and contents of many packets at once.

In: the bytes of a file and where packets lie in it. Out: arrays with an entry for each packet.
Nothing is trusted: what lies behind the end of a packet reads as 0, and what does not fit is no IP.
"""

from dataclasses import dataclass

import numpy as np

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.ragged import Bytes

TCP, UDP = 6, 17
_ETHERNET, _LOOP, _LOOP_BSD, _COOKED, _COOKED_2 = 1, 0, 108, 113, 276
_RAW = (12, 14, 101, 228, 229)
_IPV4, _IPV6 = 0x0800, 0x86DD
_VLANS = (0x8100, 0x88A8, 0x9100)
_VLAN_DEPTH = 2
_EXTENSIONS = (0, 43, 60, 135)
"""Headers of IPv6 that say what follows and how long they are (RFC 8200, 4)."""

_EXTENSION_DEPTH = 4
_IPV6_FRAGMENT = 44


@dataclass(frozen=True, slots=True, eq=False)
class Headers:
    """What the headers of packets say, an entry for each.

    Attributes:
        is_ip: it is IPv4 or IPv6; all else is 0 where it is not.
        is_v6: it is IPv6.
        protocols: number of what IP carries.
        sources: 16 bytes each, an address of IPv4 in the first four.
        targets: the same of the receiver.
        source_ports: of TCP and UDP; 0 elsewhere.
        target_ports: the same of the receiver.
        has_ports: it is TCP or UDP, and no later fragment.
        data_starts: where the contents of TCP and UDP begin.
        data_lengths: how many of them were captured.
        flags: of TCP.
    """

    is_ip: Bools
    is_v6: Bools
    protocols: Integers
    sources: Bytes
    targets: Bytes
    source_ports: Integers
    target_ports: Integers
    has_ports: Bools
    data_starts: Integers
    data_lengths: Integers
    flags: Integers


class _Reader:
    """Numbers at places of packets; 0 behind their ends."""

    def __init__(self, data: Bytes, ends: Integers) -> None:
        self._data = data
        self._ends = ends

    def byte(self, places: Integers) -> Integers:
        is_there = places < self._ends
        return np.where(is_there, self._data[np.where(is_there, places, 0)], 0).astype(np.int64)

    def word(self, places: Integers) -> Integers:
        return self.byte(places) << 8 | self.byte(places + 1)

    def bytes(self, places: Integers, count: int) -> Bytes:
        wanted = places[:, None] + np.arange(count)
        is_there = wanted < self._ends[:, None]
        return np.where(is_there, self._data[np.where(is_there, wanted, 0)], 0).astype(np.uint8)


def read_headers(data: Bytes, starts: Integers, lengths: Integers, links: Integers) -> Headers:
    """Read the headers of packets.

    Args:
        data: bytes of a file, at least one.
        starts: where packets begin.
        lengths: how many bytes of each there are.
        links: the kind of link of each.
    """
    ends = starts + lengths
    reader = _Reader(data, ends)
    begins = _network_starts(reader, starts, links)
    version = np.where(begins >= 0, reader.byte(begins) >> 4, 0)
    is_v6 = (version == 6) & (begins + 40 <= ends)
    is_v4 = (version == 4) & (begins + 20 <= ends) & (reader.byte(begins) & 15 >= 5)
    is_ip = is_v4 | is_v6
    protocols, transports, is_fragment = _payloads(reader, begins, is_v6)
    size = np.where(is_v6, reader.word(begins + 4) + 40, reader.word(begins + 2))
    # 0 is what the kernel hands out before the card cuts a large packet into segments.
    ends = np.where(size > 0, np.minimum(ends, begins + size), ends)
    is_tcp, is_udp = is_ip & (protocols == TCP), is_ip & (protocols == UDP)
    has_ports = (is_tcp | is_udp) & ~is_fragment & (transports + 8 <= starts + lengths)
    is_tcp &= has_ports & (transports + 20 <= starts + lengths)
    head = np.where(is_tcp, reader.byte(transports + 12) >> 4 << 2, 8)
    data_starts = np.minimum(transports + head, ends)
    sources, targets = _addresses(reader, begins, is_v4, is_v6)
    return Headers(
        is_ip=is_ip,
        is_v6=is_v6,
        protocols=np.where(is_ip, protocols, 0),
        sources=sources,
        targets=targets,
        source_ports=np.where(has_ports, reader.word(transports), 0),
        target_ports=np.where(has_ports, reader.word(transports + 2), 0),
        has_ports=has_ports,
        data_starts=data_starts,
        data_lengths=np.where(has_ports, np.maximum(ends - data_starts, 0), 0),
        flags=np.where(is_tcp, reader.byte(transports + 13), 0),
    )


def _network_starts(reader: _Reader, starts: Integers, links: Integers) -> Integers:
    """Where the header of IP begins; -1 where there is none."""
    found = np.full(len(starts), -1, np.int64)
    is_raw = np.isin(links, _RAW)
    found[is_raw] = starts[is_raw]
    # Four bytes that say which family, which the version of IP says too.
    is_loop = np.isin(links, (_LOOP, _LOOP_BSD))
    found[is_loop] = starts[is_loop] + 4
    for link, place, head in ((_ETHERNET, 12, 14), (_COOKED, 14, 16), (_COOKED_2, 0, 20)):
        kinds, begins = reader.word(starts + place), starts + head
        for _ in range(_VLAN_DEPTH):
            is_tagged = np.isin(kinds, _VLANS)
            kinds = np.where(is_tagged, reader.word(begins + 2), kinds)
            begins = np.where(is_tagged, begins + 4, begins)
        is_ip = (links == link) & np.isin(kinds, (_IPV4, _IPV6))
        found[is_ip] = begins[is_ip]
    return found


def _payloads(reader: _Reader, begins: Integers, is_v6: Bools) -> tuple[Integers, Integers, Bools]:
    """What IP carries, where that begins, and whether it is a later fragment."""
    protocols = np.where(is_v6, reader.byte(begins + 6), reader.byte(begins + 9))
    places = np.where(is_v6, begins + 40, begins + ((reader.byte(begins) & 15) << 2))
    is_fragment = ~is_v6 & (reader.word(begins + 6) & 0x1FFF != 0)
    for _ in range(_EXTENSION_DEPTH):
        is_fragment |= (
            is_v6 & (protocols == _IPV6_FRAGMENT) & (reader.word(places + 2) & 0xFFF8 != 0)
        )
        is_more = is_v6 & np.isin(protocols, (*_EXTENSIONS, _IPV6_FRAGMENT))
        size = np.where(protocols == _IPV6_FRAGMENT, 8, (reader.byte(places + 1) + 1) << 3)
        protocols = np.where(is_more, reader.byte(places), protocols)
        places = np.where(is_more, places + size, places)
    return protocols, places, is_fragment


def _addresses(
    reader: _Reader, begins: Integers, is_v4: Bools, is_v6: Bools
) -> tuple[Bytes, Bytes]:
    sources = reader.bytes(begins + np.where(is_v6, 8, 12), 16)
    targets = reader.bytes(begins + np.where(is_v6, 24, 16), 16)
    for addresses in (sources, targets):
        addresses[is_v4, 4:] = 0
        addresses[~(is_v4 | is_v6)] = 0
    return sources, targets
