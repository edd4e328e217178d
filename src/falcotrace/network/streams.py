"""Follows one socket: what its processes sent and received, in order, with what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import arrow_integers
from falcotrace.errors import FalcoTraceError
from falcotrace.network.model import EventPlace, Socket
from falcotrace.network.traffic import Traffic
from falcotrace.outputs.html import ROWS_MAX, rows_html

CONTENTS_BYTES_MAX = 64 << 20
"""More is not handed out at once: it would have to fit into memory, and nobody reads it."""

STREAM_SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ns")),
        ("event", pa.int64()),
        ("direction", pa.string()),
        ("pid", pa.int64()),
        ("process", pa.string()),
        ("data", pa.binary()),
        ("missing_bytes", pa.int64()),
        ("missing_datagrams", pa.int64()),
    ]
)

_CHUNK_BYTES = 256
"""What a chunk takes besides its contents."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one call moved.

    Attributes:
        place: the event.
        is_sent: the process sent it; otherwise it received it.
        pid: the process that made the call.
        process_name: its name.
        data: what the capture has of it, from its beginning on.
        missing_bytes: how much more was moved.
        missing_datagrams: datagrams behind the first of a call that moves several; their sizes are
            not known.
    """

    place: EventPlace
    is_sent: bool
    pid: int
    process_name: str
    data: bytes
    missing_bytes: int
    missing_datagrams: int


@dataclass(frozen=True, slots=True)
class Stream:
    """All that moved through a socket.

    Attributes:
        socket: whose stream it is.
        chunks: in the order of events.
        is_cut: there is more than is handed out.
    """

    socket: Socket
    chunks: tuple[Chunk, ...]
    is_cut: bool

    @property
    def sent(self) -> bytes:
        """What was sent and recorded; gaps do not show."""
        return b"".join(chunk.data for chunk in self.chunks if chunk.is_sent)

    @property
    def received(self) -> bytes:
        """What was received and recorded; gaps do not show."""
        return b"".join(chunk.data for chunk in self.chunks if not chunk.is_sent)

    @property
    def missing_bytes(self) -> int:
        """How much was moved and not recorded."""
        return sum(chunk.missing_bytes for chunk in self.chunks)

    def arrow(self) -> pa.Table:
        """A row for each call."""
        return _table(self.chunks)

    def _repr_html_(self) -> str:
        more = len(self.chunks) - ROWS_MAX
        notes = [f"{more:,} more calls are not shown here"] if more > 0 else []
        caption = f"{self.socket.process.name} ({self.socket.process.pid}) {self.socket.tuple_text}"
        return rows_html(_table(self.chunks[:ROWS_MAX]), notes, caption)


def _table(chunks: Sequence[Chunk]) -> pa.Table:
    rows = [
        {
            "time": chunk.place.time_ns,
            "event": chunk.place.num,
            "direction": "sent" if chunk.is_sent else "received",
            "pid": chunk.pid,
            "process": chunk.process_name,
            "data": chunk.data,
            "missing_bytes": chunk.missing_bytes,
            "missing_datagrams": chunk.missing_datagrams,
        }
        for chunk in chunks
    ]
    return pa.Table.from_pylist(rows, schema=STREAM_SCHEMA)


def follow_socket(traffic: Traffic, socket: Socket) -> Stream:
    """Read what moved through a socket.

    Raises:
        CaptureError: a capture is damaged.
    """
    chunks: list[Chunk] = []
    total = 0
    for batch in traffic.moves_in_time([(socket.number, True), (socket.number, False)]):
        for row in batch.to_pylist():
            data = row["contents"] or b""
            total += len(data) + _CHUNK_BYTES
            if total > CONTENTS_BYTES_MAX:
                return Stream(socket, tuple(chunks), is_cut=True)
            chunks.append(
                Chunk(
                    place=EventPlace(row["file"], row["num"], row["time_ns"]),
                    is_sent=row["is_sent"],
                    pid=row["pid"] or 0,
                    process_name=row["name"] or "",
                    data=data,
                    missing_bytes=row["moved_bytes"] - len(data),
                    missing_datagrams=row["datagram_count"] - 1,
                )
            )
    return Stream(socket, tuple(chunks), is_cut=False)


def find_socket(traffic: Traffic, *, file: int, num: int) -> Socket:
    """The socket that an event is about.

    Raises:
        FalcoTraceError: it is about none whose two ends are known.
    """
    found = traffic.sockets_of_events(file, arrow_integers(np.array([num], np.int64)))
    if not found:
        raise FalcoTraceError(
            f"event {num} is about no IP socket with two known ends: `falcotrace query` with "
            "`fd.type in (ipv4, ipv6)` lists those that are"
        )
    return traffic.sockets[found[0]]


def find_tuple(traffic: Traffic, text: str) -> Socket:
    """The first socket with some ends: the client's if both ends were recorded.

    Raises:
        FalcoTraceError: there is none.
    """
    found = [socket for socket in traffic.sockets if socket.tuple_text == text]
    if not found:
        raise FalcoTraceError(
            f"no socket has the ends {text!r}: write them as `fd.name` has them, the client first"
        )
    return min(found, key=lambda socket: (socket.is_server, socket.number))
