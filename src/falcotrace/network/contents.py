"""Finds where messages begin among what moved through sockets.

In: moves ordered by socket, direction and event. Out: for each place where a message of a known
protocol may begin the bytes from there on, as far as they were recorded without a gap. Whole
batches are looked at at once; only beginnings are handed on one by one.
"""

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.beginnings import (
    DNS_PORTS,
    HEAD_BYTES,
    may_be_client_hello,
    may_be_dns,
    may_be_http,
)
from falcotrace.network.model import EventPlace, Socket
from falcotrace.network.ragged import Bytes
from falcotrace.protocols.http import HEAD_BYTES_MAX

MESSAGE_BYTES_MAX = 65_537
"""A DNS message with its length in front, which is longer than the longest head or hello."""

_DNS_STREAM_PORT = 53


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a message may begin.

    Attributes:
        protocol: "dns", "http" or "tls".
        socket: whose traffic it is.
        is_sent: the socket's process sent it.
        is_datagram: the bytes are one datagram, and not part of a stream.
        data: the bytes from there on, up to a gap.
        places: the event in which it begins; of streams of DNS, where several follow each other,
            where in `data` each event's bytes begin, and the event.
    """

    protocol: str
    socket: Socket
    is_sent: bool
    is_datagram: bool
    data: bytes
    places: Sequence[tuple[int, EventPlace]]

    def place_of(self, offset: int) -> EventPlace:
        """The event that has a byte."""
        return self.places[bisect.bisect_right(self.places, offset, key=lambda item: item[0]) - 1][
            1
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Moves of a batch, and of the one before what goes on in it."""

    batch: pa.RecordBatch
    data: Bytes
    starts: Integers
    run_ends: Integers
    is_run_start: Bools
    sockets: Integers
    is_sent: Bools
    places: tuple[Integers, Integers, Integers]


def beginnings(batches: Iterable[pa.RecordBatch], sockets: Sequence[Socket]) -> Iterator[Beginning]:
    """Yield the places where messages may begin.

    Args:
        batches: of `Traffic.moves`.
        sockets: of `Traffic.sockets`.
    """
    rest: pa.RecordBatch | None = None
    for batch in batches:
        joined = batch if rest is None else _joined(rest, batch)
        block = _block(joined)
        count = _settled_rows(block)
        yield from _of_block(block, count, sockets)
        rest = joined.slice(count)
    if rest is not None:
        yield from _of_block(_block(rest), rest.num_rows, sockets)


def _joined(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    return pa.Table.from_batches([first, second]).combine_chunks().to_batches()[0]


def _block(batch: pa.RecordBatch) -> _Block:
    contents = batch["contents"].fill_null(b"")
    ends = np.frombuffer(contents.buffers()[1], np.int32)
    first = contents.offset
    offsets = ends[first : first + len(contents) + 1].astype(np.int64)
    buffer = contents.buffers()[2]
    data = np.frombuffer(buffer or b"", np.uint8)[: offsets[-1]]
    sockets, is_sent, moved = (
        batch[name].to_numpy(zero_copy_only=False) for name in ("socket", "is_sent", "moved_bytes")
    )
    is_run_start = np.ones(len(sockets), np.bool_)
    is_run_start[1:] = (
        (sockets[1:] != sockets[:-1])
        | (is_sent[1:] != is_sent[:-1])
        | (np.diff(offsets)[:-1] != moved[:-1])
    )
    firsts = np.flatnonzero(is_run_start)
    lasts = np.append(firsts[1:], len(sockets))
    run_ends = np.repeat(offsets[lasts], lasts - firsts)
    return _Block(
        batch=batch,
        data=data,
        starts=offsets,
        run_ends=run_ends.astype(np.int64),
        is_run_start=is_run_start,
        sockets=sockets,
        is_sent=is_sent,
        places=(batch["file"].to_numpy(), batch["num"].to_numpy(), batch["time_ns"].to_numpy()),
    )


def _settled_rows(block: _Block) -> int:
    """Rows whose messages cannot go on in the next batch, or are too long for that to matter."""
    last_run = int(np.flatnonzero(block.is_run_start)[-1])
    far = np.searchsorted(block.starts[:-1], block.starts[-1] - MESSAGE_BYTES_MAX)
    return max(last_run, int(far))


def _of_block(block: _Block, count: int, sockets: Sequence[Socket]) -> Iterator[Beginning]:
    if not count:
        return
    numbers = block.sockets[:count]
    distinct, indices = np.unique(numbers, return_inverse=True)
    ports = np.array([sockets[number].server.port for number in distinct.tolist()])[indices]
    is_udp = np.array([sockets[number].transport == "udp" for number in distinct.tolist()])[indices]
    heads, sizes = _heads(block, count, is_udp)
    is_dns = is_udp & may_be_dns(heads, sizes, np.isin(ports, DNS_PORTS))
    is_dns |= ~is_udp & (ports == _DNS_STREAM_PORT) & block.is_run_start[:count] & (sizes > 2)
    is_tls = ~is_udp & (sizes > 6) & may_be_client_hello(heads)
    is_http = ~is_udp & (sizes > 4) & may_be_http(heads)
    for protocol, rows in (("dns", is_dns), ("tls", is_tls), ("http", is_http & ~is_dns)):
        for row in np.flatnonzero(rows).tolist():
            yield _beginning(block, row, protocol, sockets, is_datagram=bool(is_udp[row]))


def _heads(block: _Block, count: int, is_udp: Bools) -> tuple[Bytes, Integers]:
    """The first bytes from each row on, 0 where there are none, and how many bytes follow."""
    starts = block.starts[:count]
    ends = np.where(is_udp, block.starts[1 : count + 1], block.run_ends[:count])
    sizes = ends - starts
    places = starts[:, None] + np.arange(HEAD_BYTES)
    padded = np.append(block.data, np.zeros(1, np.uint8))
    return padded[np.where(places < ends[:, None], places, len(block.data))], sizes


def _beginning(
    block: _Block, row: int, protocol: str, sockets: Sequence[Socket], *, is_datagram: bool
) -> Beginning:
    start = int(block.starts[row])
    end = int(block.starts[row + 1] if is_datagram else block.run_ends[row])
    end = min(end, start + (HEAD_BYTES_MAX if protocol == "http" else MESSAGE_BYTES_MAX))
    is_several = protocol == "dns" and not is_datagram
    last = int(np.searchsorted(block.starts, end)) if is_several else row + 1
    places = [
        (int(block.starts[item]) - start, EventPlace(*(int(part[item]) for part in block.places)))
        for item in range(row, last)
    ]
    return Beginning(
        protocol=protocol,
        socket=sockets[block.sockets[row]],
        is_sent=bool(block.is_sent[row]),
        is_datagram=is_datagram,
        data=block.data[start:end].tobytes(),
        places=places,
    )
