"""Rows of a table of packets: what headers say, and which process stands behind them."""

import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.model import Conversation, Socket
from falcotrace.network.packet_headers import TCP, UDP, Headers
from falcotrace.network.packet_names import NamedPacket
from falcotrace.network.pcap_reader import PacketList
from falcotrace.network.ragged import Bytes

JOINED, NO_IP, NO_PORTS, NO_SOCKET, OTHER_TIME = range(5)
REASONS = (
    "",
    "no packet of IP",
    "no ports: neither TCP nor UDP, or a later fragment",
    "no recorded socket has these ends",
    "sockets with these ends were open at other times",
)
"""Why a packet has no process."""

PROTOCOLS = {1: "icmp", TCP: "tcp", UDP: "udp", 58: "icmp", 132: "sctp"}
_TEXT = pa.dictionary(pa.int32(), pa.string())

_PROCESS: dict[str, tuple[pa.DataType, Callable[[Socket], object]]] = {
    "pid": (pa.int64(), lambda end: end.process.pid),
    "start": (pa.int64(), lambda end: end.process.start_ns),
    "name": (_TEXT, lambda end: end.process.name),
    "exe": (_TEXT, lambda end: end.process.exe),
    "container": (_TEXT, lambda end: end.process.container),
    "first_event": (pa.int64(), lambda end: end.first.num),
    "last_event": (pa.int64(), lambda end: end.last.num),
}

PACKET_SCHEMA = pa.schema(
    [
        ("packet", pa.int64()),
        ("time", pa.int64()),
        ("length", pa.int64()),
        ("captured_length", pa.int64()),
        ("protocol", _TEXT),
        ("source", _TEXT),
        ("source_port", pa.int32()),
        ("target", _TEXT),
        ("target_port", pa.int32()),
        ("data_length", pa.int64()),
        ("application", _TEXT),
        ("names", pa.list_(pa.string())),
        ("direction", _TEXT),
        ("capture", _TEXT),
        *((f"proc_{name}", kind) for name, (kind, _) in _PROCESS.items()),
        *((f"peer_{name}", kind) for name, (kind, _) in _PROCESS.items()),
        ("not_joined", _TEXT),
    ]
)
"""`time` is ns since the epoch; `proc_*` is the process at the recorded end, the client's if both
are, and `peer_*` then the server's; `direction` (`out`, `in`) is seen from the first."""


class PacketRows:
    """Makes rows; what is known of conversations is laid out once."""

    def __init__(self, conversations: Sequence[Conversation], captures: Sequence[Path]) -> None:
        own = [item.sockets[0] for item in conversations]
        peers = [item.sockets[1] if len(item.sockets) > 1 else None for item in conversations]
        self._columns = {
            **{f"proc_{name}": _values(form, own) for name, form in _PROCESS.items()},
            **{f"peer_{name}": _values(form, peers) for name, form in _PROCESS.items()},
            "capture": pa.array([captures[end.first.file].name for end in own], pa.string()),
        }
        self._is_server = np.array([end.is_server for end in own], np.bool_)

    def table(
        self,
        packets: PacketList,
        headers: Headers,
        names: Sequence[NamedPacket],
        first: int,
        joined: tuple[Integers, Bools, Integers],
    ) -> pa.Table:
        """Rows of some packets.

        Args:
            packets: where they are, and when they came.
            headers: their headers.
            names: what the contents of some of them say.
            first: the number of the first of them.
            joined: conversations (-1 for none), whether the client sent it, places in `REASONS`.
        """
        found, is_from_client, reasons = joined
        is_known = found >= 0
        places = pa.array(found, pa.int64(), mask=~is_known)
        columns = {
            "packet": np.arange(first, first + len(found)),
            "time": packets.times_ns,
            "length": packets.original_lengths,
            "captured_length": packets.lengths,
            "protocol": _protocols(headers),
            "source": _addresses(headers.sources, headers),
            "source_port": pa.array(headers.source_ports.astype(np.int32), mask=~headers.has_ports),
            "target": _addresses(headers.targets, headers),
            "target_port": pa.array(headers.target_ports.astype(np.int32), mask=~headers.has_ports),
            "data_length": headers.data_lengths,
            **_contents(names, len(found)),
            "direction": self._directions(found, is_from_client),
            **{name: column.take(places) for name, column in self._columns.items()},
            "not_joined": _coded(reasons, REASONS, reasons != JOINED),
        }
        arrays = [pa.array(columns[name]).cast(PACKET_SCHEMA.field(name).type) for name in columns]
        return (
            pa.table(dict(zip(columns, arrays, strict=True)))
            .select(PACKET_SCHEMA.names)
            .cast(PACKET_SCHEMA)
        )

    def _directions(self, found: Integers, is_from_client: Bools) -> pa.Array:
        is_server = self._is_server[found] if len(self._is_server) else np.zeros(len(found), bool)
        return _coded((is_from_client == is_server).astype(np.int64), ("out", "in"), found >= 0)


def _values(
    form: tuple[pa.DataType, Callable[[Socket], object]], sockets: Sequence[Socket | None]
) -> pa.Array:
    kind, value = form
    plain = pa.string() if pa.types.is_dictionary(kind) else kind
    return pa.array([None if socket is None else value(socket) for socket in sockets], plain)


def _coded(codes: Integers, texts: Sequence[str], is_there: Bools) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), mask=~is_there)
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()))


def _protocols(headers: Headers) -> pa.DictionaryArray:
    distinct, codes = np.unique(headers.protocols, return_inverse=True)
    texts = [PROTOCOLS.get(number, str(number)) for number in distinct.tolist()]
    return _coded(codes, texts, headers.is_ip)


def _addresses(addresses: Bytes, headers: Headers) -> pa.DictionaryArray:
    """Addresses as texts; each is spelt once."""
    marked = np.hstack([addresses, headers.is_v6[:, None].astype(np.uint8)])
    buffer = pa.py_buffer(np.ascontiguousarray(marked).tobytes())
    keys = pa.Array.from_buffers(pa.binary(17), len(marked), [None, buffer]).dictionary_encode()
    texts = [
        str(ipaddress.ip_address(key[:16] if key[16] else key[:4]))
        for key in keys.dictionary.to_pylist()
    ]
    return _coded(keys.indices.to_numpy(), texts, headers.is_ip)


def _contents(names: Sequence[NamedPacket], count: int) -> dict[str, pa.Array]:
    rows = np.full(count, -1, np.int64)
    rows[[item.row for item in names]] = np.arange(len(names))
    places = pa.array(rows, pa.int64(), mask=rows < 0)
    applications = pa.array([item.application for item in names], pa.string())
    lists = pa.array([list(item.names) for item in names], pa.list_(pa.string()))
    return {"application": applications.take(places), "names": lists.take(places)}
