"""Headers of Ethernet, IP, TCP and UDP around contents, for many packets at once.

In: arrays with an entry for each packet. Out: bytes of whole packets, with checksums. Addresses of
Ethernet are made up (02:00:00:00:00:01 is the client), as is everything that no call tells: times
to live, windows, options.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.model import Conversation
from falcotrace.network.ragged import Bytes, copy_pieces, starts_of, word_sums

FIN, SYN, PUSH, ACK = 0x01, 0x02, 0x08, 0x10
_TCP, _UDP = 6, 17
_TRANSPORTS = ("tcp", "udp")
_ETHERNET_BYTES = 14
_CLIENT_MAC, _SERVER_MAC = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
_SYN_OPTIONS = bytes.fromhex("0204ffd7 01 03030e")
"""The largest segments (RFC 9293, 3.7.1) and windows (RFC 7323) that there are: nothing that was
sent looks as if it were more than the other end takes."""

_WINDOW = 0xFFFF
_TTL = 64


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Addresses of conversations, an entry for each.

    Attributes:
        clients: 16 bytes each; an address of IPv4 stands in the first four.
        servers: the same of the other ends.
        client_ports: their ports.
        server_ports: the same of the other ends.
        is_v6: addresses of IPv6.
        is_udp: datagrams instead of a stream.
    """

    clients: Bytes
    servers: Bytes
    client_ports: Integers
    server_ports: Integers
    is_v6: Bools
    is_udp: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """Packets, an entry for each.

    Attributes:
        conversations: places in `Ends`.
        is_from_client: the client sent it.
        flags: of TCP.
        sequences: the first byte's number.
        acknowledged: the number of the byte that the sender expects next.
        data_starts: where contents begin in an array of bytes.
        data_lengths: how many there are.
        missing_lengths: bytes of a datagram that were not recorded; 0 in streams.
    """

    conversations: Integers
    is_from_client: Bools
    flags: Integers
    sequences: Integers
    acknowledged: Integers
    data_starts: Integers
    data_lengths: Integers
    missing_lengths: Integers


def can_be_packets(conversation: Conversation) -> bool:
    """Whether a conversation is TCP or UDP between two addresses of one kind."""
    sizes = {len(conversation.client.packed), len(conversation.server.packed)}
    return conversation.transport in _TRANSPORTS and sizes in ({4}, {16})


def ends_of(conversations: Sequence[Conversation]) -> Ends:
    """The ends of conversations as arrays."""
    clients = [item.client.packed for item in conversations]
    servers = [item.server.packed for item in conversations]
    return Ends(
        clients=_addresses(clients),
        servers=_addresses(servers),
        client_ports=np.array([item.client.port for item in conversations], np.int64),
        server_ports=np.array([item.server.port for item in conversations], np.int64),
        is_v6=np.array([len(address) == 16 for address in servers], np.bool_),
        is_udp=np.array([item.transport == "udp" for item in conversations], np.bool_),
    )


def _addresses(packed: Sequence[bytes]) -> Bytes:
    joined = b"".join(address.ljust(16, b"\0") for address in packed)
    return np.frombuffer(joined, np.uint8).reshape(-1, 16)


def build_packets(packets: Packets, ends: Ends, data: Bytes) -> tuple[Bytes, Integers]:
    """Packets one behind the other, and where each begins; one more entry is the end."""
    is_v6 = ends.is_v6[packets.conversations]
    is_udp = ends.is_udp[packets.conversations]
    is_syn = packets.flags & SYN != 0
    transports = np.where(is_udp, 8, np.where(is_syn, 20 + len(_SYN_OPTIONS), 20))
    headers = _ETHERNET_BYTES + np.where(is_v6, 40, 20) + transports
    starts = starts_of(headers + packets.data_lengths)
    built = np.zeros(int(starts[-1]), np.uint8)
    sums = word_sums(data, packets.data_starts, packets.data_lengths)
    copy_pieces(built, starts[:-1] + headers, data, packets.data_starts, packets.data_lengths)
    for kind in np.unique(np.stack([is_v6, is_udp, is_syn]), axis=1).T.tolist():
        rows = np.flatnonzero((is_v6 == kind[0]) & (is_udp == kind[1]) & (is_syn == kind[2]))
        made = _headers(packets, ends, rows, sums[rows])
        built[starts[rows][:, None] + np.arange(made.shape[1])] = made
    return built, starts


def _headers(packets: Packets, ends: Ends, rows: Integers, sums: Integers) -> Bytes:
    """The headers of packets of one kind, a row for each."""
    numbers = packets.conversations[rows]
    is_v6, is_udp = bool(ends.is_v6[numbers[0]]), bool(ends.is_udp[numbers[0]])
    from_client = packets.is_from_client[rows]
    size = packets.data_lengths[rows] + packets.missing_lengths[rows]
    transport = (_udp_header if is_udp else _tcp_header)(packets, ends, rows)
    length = transport.shape[1] + size
    width = 16 if is_v6 else 4
    clients, servers = ends.clients[numbers][:, :width], ends.servers[numbers][:, :width]
    sources = np.where(from_client[:, None], clients, servers)
    targets = np.where(from_client[:, None], servers, clients)
    protocol = _UDP if is_udp else _TCP
    total = sums + _sum(sources) + _sum(targets) + protocol + (length & 0xFFFF) + _sum(transport)
    checksum = _folded(total)
    if is_udp:
        # What was not recorded cannot be summed up: 0 is "no checksum" (RFC 768).
        checksum = np.where(packets.missing_lengths[rows] > 0, 0, np.maximum(checksum, 0))
        checksum = np.where(
            (checksum == 0) & (packets.missing_lengths[rows] == 0), 0xFFFF, checksum
        )
    _put(transport, 6 if is_udp else 16, checksum, 2)
    ip = _ip_header(sources, targets, length, protocol)
    return np.hstack([_ethernet(from_client, is_v6=is_v6), ip, transport])


def _ethernet(from_client: Bools, *, is_v6: bool) -> Bytes:
    client, server = (np.frombuffer(mac, np.uint8) for mac in (_CLIENT_MAC, _SERVER_MAC))
    header = np.zeros((len(from_client), _ETHERNET_BYTES), np.uint8)
    header[:, :6] = np.where(from_client[:, None], server, client)
    header[:, 6:12] = np.where(from_client[:, None], client, server)
    header[:, 12:] = (0x86, 0xDD) if is_v6 else (0x08, 0x00)
    return header


def _ip_header(sources: Bytes, targets: Bytes, length: Integers, protocol: int) -> Bytes:
    if sources.shape[1] == 16:
        header = np.zeros((len(sources), 40), np.uint8)
        header[:, 0] = 0x60
        _put(header, 4, np.minimum(length, 0xFFFF), 2)
        header[:, 6:8] = (protocol, _TTL)
        header[:, 8:24], header[:, 24:] = sources, targets
        return header
    header = np.zeros((len(sources), 20), np.uint8)
    header[:, 0] = 0x45
    _put(header, 2, np.minimum(length + 20, 0xFFFF), 2)
    header[:, 6] = 0x40
    header[:, 8:10] = (_TTL, protocol)
    header[:, 12:16], header[:, 16:] = sources, targets
    _put(header, 10, _folded(_sum(header)), 2)
    return header


def _udp_header(packets: Packets, ends: Ends, rows: Integers) -> Bytes:
    header = np.zeros((len(rows), 8), np.uint8)
    _put_ports(header, packets, ends, rows)
    length = 8 + packets.data_lengths[rows] + packets.missing_lengths[rows]
    _put(header, 4, np.minimum(length, 0xFFFF), 2)
    return header


def _tcp_header(packets: Packets, ends: Ends, rows: Integers) -> Bytes:
    is_syn = bool(packets.flags[rows[0]] & SYN)
    width = 20 + len(_SYN_OPTIONS) if is_syn else 20
    header = np.zeros((len(rows), width), np.uint8)
    _put_ports(header, packets, ends, rows)
    _put(header, 4, packets.sequences[rows], 4)
    has_ack = packets.flags[rows] & ACK != 0
    _put(header, 8, np.where(has_ack, packets.acknowledged[rows], 0), 4)
    header[:, 12] = width // 4 << 4
    header[:, 13] = packets.flags[rows]
    _put(header, 14, np.full(len(rows), _WINDOW), 2)
    if is_syn:
        header[:, 20:] = np.frombuffer(_SYN_OPTIONS, np.uint8)
    return header


def _put_ports(header: Bytes, packets: Packets, ends: Ends, rows: Integers) -> None:
    numbers = packets.conversations[rows]
    from_client = packets.is_from_client[rows]
    clients, servers = ends.client_ports[numbers], ends.server_ports[numbers]
    _put(header, 0, np.where(from_client, clients, servers), 2)
    _put(header, 2, np.where(from_client, servers, clients), 2)


def _put(header: Bytes, place: int, values: Integers, size: int) -> None:
    """Numbers in network order, modulo what fits."""
    shifts = np.arange(size - 1, -1, -1) * 8
    header[:, place : place + size] = values[:, None] >> shifts & 0xFF


def _sum(header: Bytes) -> Integers:
    """The sum of each row's 16-bit numbers; rows have an even number of bytes."""
    return np.ascontiguousarray(header).view(">u2").sum(axis=1, dtype=np.int64)


def _folded(total: Integers) -> Integers:
    """The checksum of RFC 1071."""
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
