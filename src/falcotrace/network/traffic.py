"""Traffic of captures as tables of a database: sockets, and what moved through them.

In: open captures. Out: sockets as typed values, and moves with contents as Arrow batches, in the
order of sockets and events. DuckDB selects and sorts; it spills to a folder of its own.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.engines.sql_errors import described
from falcotrace.errors import CaptureError
from falcotrace.network.model import CaptureFile, Endpoint, EventPlace, Socket, SocketProcess

MEMORY_LIMIT_BYTES = 1 << 30
MOVES_PER_BATCH = 2_048

SENDS = ("write", "writev", "pwrite", "pwritev", "send", "sendto", "sendmsg", "sendmmsg")
RECEIVES = ("read", "readv", "pread", "preadv", "recv", "recvfrom", "recvmsg", "recvmmsg")
WITHOUT_CONTENTS = ("sendfile",)
"""Calls that send what no event holds."""

_OPENS = ("connect", "accept", "accept4")
_CLOSES = ("close", "shutdown")
_DATAGRAM_LISTS = ("sendmmsg", "recvmmsg")
"""Calls that move several datagrams; the event has the first one's size and contents."""

_BYTES_MAX = (1 << 63) - 1
"""A capture may claim that calls moved anything."""

_TRAFFIC = f"""
CREATE TEMP TABLE traffic AS
SELECT
    f.file, f.machine, f.hostname, e.evt.num AS num, e.evt."time" AS time_ns,
    coalesce(e.fd.l4proto, '') AS transport, e.fd.cip AS cip, e.fd.cport AS cport,
    e.fd.sip AS sip, e.fd.sport AS sport, coalesce(e.fd.is_server, false) AS is_server,
    coalesce(e.fd.dev, -1) AS dev, coalesce(e.fd.ino, -1) AS ino,
    CASE WHEN (e.fd.cip LIKE '127.%' OR e.fd.cip = '::1')
              AND NOT coalesce(e.container.host_network, false)
         THEN coalesce(e.container.id, 'host') ELSE '' END AS scope,
    e.evt.type IN {_OPENS} AS opens, e.evt.type IN {_CLOSES} AS closes,
    CASE WHEN coalesce(e.evt.rawres, 0) <= 0 THEN NULL
         WHEN e.evt.type IN {SENDS + WITHOUT_CONTENTS} THEN true
         WHEN e.evt.type IN {RECEIVES} THEN false END AS is_sent,
    CASE WHEN is_sent IS NULL THEN 0
         WHEN e.evt.type IN {_DATAGRAM_LISTS}
         THEN greatest(coalesce(e.evt.arg.size, 0), coalesce(octet_length(e.evt.buffer), 0))
         ELSE e.evt.rawres END AS moved_bytes,
    CASE WHEN e.evt.type IN {_DATAGRAM_LISTS} THEN e.evt.rawres ELSE 1 END AS datagram_count,
    CASE WHEN is_sent IS NOT NULL THEN e.evt.buffer[1:moved_bytes] END AS contents,
    e.proc.pid AS pid, e.proc.start AS start_ns, e.proc.name AS name, e.proc.exepath AS exe,
    e.container.id AS container, e.container.name AS container_name
FROM events e JOIN capture_files f ON f.path = e.filename
WHERE e.fd.type IN ('ipv4', 'ipv6') AND e.fd.cport IS NOT NULL AND e.fd.sport IS NOT NULL
  AND e.fd.cip IS NOT NULL AND e.fd.sip IS NOT NULL
"""  # noqa: S608 - names of columns and calls

_KEY = "machine, transport, cip, cport, sip, sport, is_server, dev, ino, scope"

_PROCESS = ", ".join(
    f"arg_min({name}, (moved_bytes = 0, file, num)) AS {name}"
    for name in ("pid", "start_ns", "name", "exe", "container", "container_name")
)
"""Of whoever moved data first."""


def _sum(value: str, condition: str) -> str:
    return f"least(coalesce(sum({value}) FILTER (WHERE {condition}), 0), {_BYTES_MAX})::BIGINT"


_SOCKETS = f"""
CREATE TEMP TABLE sockets AS
SELECT row_number() OVER (ORDER BY first_place) - 1 AS number, * FROM (
    SELECT {_KEY}, any_value(hostname) AS hostname,
        min({{'file': file, 'num': num, 'time_ns': time_ns}}) AS first_place,
        max({{'file': file, 'num': num, 'time_ns': time_ns}}) AS last_place,
        {_sum("moved_bytes", "is_sent")} AS sent_bytes,
        {_sum("moved_bytes", "NOT is_sent")} AS received_bytes,
        {_sum("octet_length(contents)", "is_sent")} AS sent_contents_bytes,
        {_sum("octet_length(contents)", "NOT is_sent")} AS received_contents_bytes,
        bool_or(opens) AS was_opened, bool_or(closes) AS was_closed,
        count(DISTINCT (pid, start_ns)) AS process_count,
        {_PROCESS}
    FROM traffic GROUP BY {_KEY})
"""  # noqa: S608 - names of columns and calls

_MOVES = f"""
CREATE TEMP TABLE moves AS
SELECT s.number AS socket, t.is_sent, t.file, t.num, t.time_ns, t.moved_bytes, t.datagram_count,
    t.contents, t.pid, t.name
FROM traffic t JOIN sockets s USING ({_KEY})
WHERE t.is_sent IS NOT NULL
"""  # noqa: S608 - names of columns and calls

_SOCKET_EVENTS = f"""
CREATE TEMP TABLE socket_events AS
SELECT t.file, t.num, s.number AS socket FROM traffic t JOIN sockets s USING ({_KEY})
"""  # noqa: S608 - names of columns and calls

Direction = tuple[int, bool]
"""The number of a socket, and whether what it sent is meant, or what it received."""

_DIRECTION_SCHEMA = pa.schema([("socket", pa.int64()), ("is_sent", pa.bool_())])

MOVE_SCHEMA = pa.schema(
    [
        ("socket", pa.int64()),
        ("is_sent", pa.bool_()),
        ("file", pa.int32()),
        ("num", pa.int64()),
        ("time_ns", pa.int64()),
        ("moved_bytes", pa.int64()),
        ("datagram_count", pa.int64()),
        ("contents", pa.binary()),
        ("pid", pa.int64()),
        ("name", pa.string()),
    ]
)
"""A move: one call that sent or received; `contents` is null where none were recorded."""


class Traffic:
    """Sockets of open captures and what moved through them; read when it is first asked for."""

    def __init__(self, captures: Sequence[Capture]) -> None:
        self._captures = captures
        self.files = tuple(_file(capture) for capture in captures)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        folder = tempfile.mkdtemp(prefix="falcotrace-network-")
        # A notebook closes nothing.
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        options = DatabaseOptions(memory_limit_bytes=MEMORY_LIMIT_BYTES, is_confined=False)
        connection = connect_captures(self._captures, options, folder)
        rows = [
            {
                "file": place,
                "path": str(file.path),
                "machine": file.machine,
                "hostname": file.hostname,
            }
            for place, file in enumerate(self.files)
        ]
        schema = pa.schema(
            [
                ("file", pa.int32()),
                *((name, pa.string()) for name in ("path", "machine", "hostname")),
            ]
        )
        connection.register("capture_files", pa.Table.from_pylist(rows, schema=schema))
        try:
            for statement in (_TRAFFIC, _SOCKETS, _MOVES, _SOCKET_EVENTS, "DROP TABLE traffic"):
                connection.execute(statement)
        except duckdb.Error as error:
            raise CaptureError(self.files[0].path, described(error)) from None
        return connection

    @cached_property
    def sockets(self) -> tuple[Socket, ...]:
        """All IP sockets with two known ends, in the order of their first events.

        Raises:
            CaptureError: a capture is damaged.
        """
        table = self._ask("SELECT * FROM sockets ORDER BY number")
        return tuple(map(_socket, table.to_pylist()))

    def moves(self, directions: Iterable[Direction]) -> Iterator[pa.RecordBatch]:
        """Yield what moved, ordered by socket, direction and event.

        Raises:
            CaptureError: a capture is damaged.
        """
        yield from self._moves("socket, is_sent, file, num", directions)

    def moves_in_time(self, directions: Iterable[Direction]) -> Iterator[pa.RecordBatch]:
        """Yield what moved in the order of events.

        Raises:
            CaptureError: a capture is damaged.
        """
        yield from self._moves("file, num", directions)

    def sockets_of_events(self, file: int, nums: pa.Array | pa.ChunkedArray) -> list[int]:
        """Numbers of the sockets that events of one capture are about, without repetition."""
        self._connection.register("asked", pa.table({"num": nums}))
        query = "SELECT DISTINCT socket FROM socket_events JOIN asked USING (num) WHERE file = "
        found = self._ask(f"{query}{file} ORDER BY socket")
        return [int(number) for number in found["socket"].to_pylist()]

    def _ask(self, query: str) -> pa.Table:
        try:
            return self._connection.sql(query).to_arrow_table()
        except duckdb.Error as error:
            raise CaptureError(self.files[0].path, described(error)) from None

    def _moves(self, order: str, directions: Iterable[Direction]) -> Iterator[pa.RecordBatch]:
        connection = self._connection
        pairs = [{"socket": socket, "is_sent": is_sent} for socket, is_sent in directions]
        connection.register("wanted", pa.Table.from_pylist(pairs, schema=_DIRECTION_SCHEMA))
        columns = ", ".join(MOVE_SCHEMA.names)
        query = (
            f"SELECT {columns} FROM moves JOIN wanted USING (socket, is_sent) "  # noqa: S608 - ours
            f"ORDER BY {order}"
        )
        try:
            for batch in connection.sql(query).to_arrow_reader(MOVES_PER_BATCH):
                yield batch.cast(MOVE_SCHEMA)
        except (duckdb.Error, pa.ArrowException) as error:
            raise CaptureError(self.files[0].path, str(error)) from None


def _file(capture: Capture) -> CaptureFile:
    host = capture.footer.host
    return CaptureFile(
        path=capture.path,
        hostname=host.hostname,
        machine=f"{host.hostname} {host.boot_id}",
        has_contents="evt.buffer" not in capture.unrecorded,
    )


def _socket(row: dict[str, Any]) -> Socket:
    return Socket(
        number=row["number"],
        host=row["hostname"],
        transport=row["transport"],
        client=Endpoint(row["cip"], row["cport"]),
        server=Endpoint(row["sip"], row["sport"]),
        is_server=row["is_server"],
        scope=f"{row['machine']} {row['scope']}",
        process=SocketProcess(
            pid=row["pid"] or 0,
            start_ns=row["start_ns"] or 0,
            name=row["name"] or "",
            exe=row["exe"] or "",
            container=row["container"] or "",
            container_name=row["container_name"] or "",
        ),
        process_count=row["process_count"],
        first=EventPlace(**row["first_place"]),
        last=EventPlace(**row["last_place"]),
        sent_bytes=row["sent_bytes"],
        received_bytes=row["received_bytes"],
        sent_contents_bytes=row["sent_contents_bytes"],
        received_contents_bytes=row["received_contents_bytes"],
        was_opened=row["was_opened"],
        was_closed=row["was_closed"],
    )
