"""Joins packets that were captured beside a recording to the processes whose sockets they are.

In: a pcap file and conversations of captures. Out: a Parquet file with a row for each packet. A
packet belongs to the conversation with its two ends that is nearest in time; packets of which the
recorded host has no such conversation say why they have no process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.model import Conversation, Endpoint
from falcotrace.network.packet_headers import Headers, read_headers
from falcotrace.network.packet_names import name_packets
from falcotrace.network.packet_rows import (
    JOINED,
    NO_IP,
    NO_PORTS,
    NO_SOCKET,
    OTHER_TIME,
    PACKET_SCHEMA,
    PROTOCOLS,
    REASONS,
    PacketRows,
)
from falcotrace.network.pcap_reader import list_packets, read_pcap
from falcotrace.outputs.whole_file import whole_file

EARLY_NS = 30_000_000_000
LATE_NS = 120_000_000_000
"""A connection's packets begin before the call that opened it returns, and go on after the one
that closed it, for as long as an end repeats them."""

_Ends = tuple[str, bytes, int, bytes, int]


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What became of the packets.

    Attributes:
        packet_count: packets in the file.
        joined_count: those that have a process.
        not_joined: how many of the others, by reason.
        conversation_count: conversations of the captures that have packets.
        is_cut: the packet file is damaged, or ends within a packet.
    """

    packet_count: int
    joined_count: int
    not_joined: dict[str, int]
    conversation_count: int
    is_cut: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Flow:
    """Conversations between two ends in the order of time, and the times that part them."""

    conversations: Integers
    is_from_client: bool
    first_ns: Integers
    last_ns: Integers
    middles_ns: Integers


def join_packets(
    pcap: Path,
    conversations: Sequence[Conversation],
    captures: Sequence[Path],
    output: Path,
    *,
    force: bool,
) -> JoinReport:
    """Write a table of the packets of a file, with the processes that they belong to.

    Args:
        pcap: a pcap or pcapng file.
        conversations: of the captures.
        captures: their files.
        output: the Parquet file to write; its columns are `PACKET_SCHEMA`.
        force: whether a file of that name may be replaced.

    Raises:
        FalcoTraceError: a file cannot be read or written.
    """
    view = read_pcap(pcap)
    lists = list_packets(view, pcap)
    data = np.frombuffer(view, np.uint8)
    rows, joiner = PacketRows(conversations, captures), _Joiner(conversations)
    count, is_cut = 0, False
    reasons = np.zeros(len(REASONS), np.int64)
    has_packets = np.zeros(len(conversations), np.bool_)
    with whole_file(output, force=force) as new, pq.ParquetWriter(new, PACKET_SCHEMA) as writer:
        for part in lists:
            headers = read_headers(data, part.starts, part.lengths, part.links)
            joined = joiner.join(headers, part.times_ns)
            reasons += np.bincount(joined[2], minlength=len(REASONS))
            has_packets[joined[0][joined[0] >= 0]] = True
            names = name_packets(view, headers)
            writer.write_table(rows.table(part, headers, names, count + 1, joined))
            count += len(part.starts)
            is_cut = part.is_cut
    return JoinReport(
        packet_count=count,
        joined_count=int(reasons[JOINED]),
        not_joined={
            text: number
            for text, number in zip(REASONS[1:], reasons[1:].tolist(), strict=True)
            if number
        },
        conversation_count=int(has_packets.sum()),
        is_cut=is_cut,
    )


class _Joiner:
    """Finds the conversations of packets; each pair of ends is looked up once."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        self._all = conversations
        self._by_ends: dict[_Ends, list[int]] = {}
        for number, item in enumerate(conversations):
            ends = (*_packed(item.client), *_packed(item.server))
            self._by_ends.setdefault((item.transport, *ends), []).append(number)
        self._flows: dict[bytes, _Flow | None] = {}

    def join(self, headers: Headers, times_ns: Integers) -> tuple[Integers, Bools, Integers]:
        """For each packet its conversation (-1 if none), whether the client sent it, and why not.

        Why not is a place in `REASONS`.
        """
        found = np.full(len(times_ns), -1, np.int64)
        is_from_client = np.zeros(len(times_ns), np.bool_)
        reasons = np.where(headers.is_ip, NO_PORTS, NO_IP)
        reasons[headers.has_ports] = NO_SOCKET
        rows = np.flatnonzero(headers.has_ports)
        keys = _keys(headers, rows)
        codes = keys.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(keys.dictionary) + 1))
        for number, key in enumerate(keys.dictionary.to_pylist()):
            if key not in self._flows:
                self._flows[key] = self._find(key)
            flow = self._flows[key]
            if flow is None:
                continue
            mine = rows[order[bounds[number] : bounds[number + 1]]]
            times = times_ns[mine]
            nearest = np.searchsorted(flow.middles_ns, times)
            is_near = times >= flow.first_ns[nearest] - EARLY_NS
            is_near &= times <= flow.last_ns[nearest] + LATE_NS
            found[mine] = np.where(is_near, flow.conversations[nearest], -1)
            is_from_client[mine] = flow.is_from_client
            reasons[mine] = np.where(is_near, JOINED, OTHER_TIME)
        return found, is_from_client, reasons

    def _find(self, key: bytes) -> _Flow | None:
        transport = PROTOCOLS[key[36]]
        version = 6 if key[37] else 4
        source = (key[:16], int.from_bytes(key[32:34], "big") << 4 | version)
        target = (key[16:32], int.from_bytes(key[34:36], "big") << 4 | version)
        for is_from_client in (True, False):
            ends = (*source, *target) if is_from_client else (*target, *source)
            numbers = self._by_ends.get((transport, *ends))
            if numbers:
                first = np.array([self._all[number].first.time_ns for number in numbers])
                last = np.array([self._all[number].last.time_ns for number in numbers])
                middles = np.maximum.accumulate(last[:-1] + (first[1:] - last[:-1]) // 2)
                return _Flow(np.array(numbers), is_from_client, first, last, middles)
        return None


def _packed(end: Endpoint) -> tuple[bytes, int]:
    """An end as `_keys` has it: the address, and with the port which version of IP it is of."""
    version = 6 if len(end.packed) == 16 else 4
    return end.packed.ljust(16, b"\0"), end.port << 4 | version


def _keys(headers: Headers, rows: Integers) -> pa.DictionaryArray:
    """Both ends and the protocol of packets as bytes, each combination once."""
    made = np.empty((len(rows), 38), np.uint8)
    made[:, :16], made[:, 16:32] = headers.sources[rows], headers.targets[rows]
    for place, ports in ((32, headers.source_ports[rows]), (34, headers.target_ports[rows])):
        made[:, place], made[:, place + 1] = ports >> 8, ports & 0xFF
    made[:, 36], made[:, 37] = headers.protocols[rows], headers.is_v6[rows]
    buffer = pa.py_buffer(made.tobytes())
    return pa.Array.from_buffers(pa.binary(38), len(rows), [None, buffer]).dictionary_encode()
