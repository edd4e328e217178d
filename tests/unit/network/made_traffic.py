"""Events of sockets, as recordings with contents have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from falcotrace.network.model import Endpoint

Row = dict[str, object]


@dataclass(frozen=True)
class End:
    """One end of a conversation that a process has open.

    Attributes:
        ino: tells sockets apart.
        contents_max: like `--snaplen`; None records no contents at all.
    """

    client: Endpoint
    server: Endpoint
    is_server: bool = False
    transport: str = "tcp"
    process: str = "curl"
    pid: int = 100
    ino: int = 1
    contents_max: int | None = 65_536
    container: str = "host"

    def event(self, kind: str, result: int = 0, **columns: object) -> Row:
        """An event about the socket."""
        is_v6 = ":" in self.client.address
        return {
            "evt.type": kind,
            "evt.rawres": result,
            "fd.type": "ipv6" if is_v6 else "ipv4",
            "fd.num": 3,
            "fd.l4proto": self.transport,
            "fd.cip": self.client.address,
            "fd.cport": self.client.port,
            "fd.sip": self.server.address,
            "fd.sport": self.server.port,
            "fd.is_server": self.is_server,
            "fd.dev": 9,
            "fd.ino": self.ino,
            "fd.name": f"{self.client}->{self.server}",
            "proc.name": self.process,
            "proc.pid": self.pid,
            "proc.start": self.pid * 1000,
            "proc.exepath": f"/usr/bin/{self.process}",
            "container.id": self.container,
            **columns,
        }

    def sends(self, data: bytes, kind: str = "sendto", **columns: object) -> Row:
        """A call that sends."""
        return self._moves(kind, data, columns)

    def receives(self, data: bytes, kind: str = "recvfrom", **columns: object) -> Row:
        """A call that receives."""
        return self._moves(kind, data, columns)

    def _moves(self, kind: str, data: bytes, columns: Mapping[str, object]) -> Row:
        contents = None if self.contents_max is None else data[: self.contents_max]
        return {**self.event(kind, len(data)), "evt.buffer": contents, **columns}


CLIENT, SERVER = Endpoint("192.0.2.10", 40_000), Endpoint("198.51.100.80", 80)


def both_ends(**settings: object) -> tuple[End, End]:
    """Client and server of a connection over loopback, both recorded."""
    ends = {"client": Endpoint("127.0.0.1", 40_000), "server": Endpoint("127.0.0.1", 8080)}
    given: dict[str, object] = {**ends, **settings}
    servers = {**given, "is_server": True, "process": "httpd", "pid": 200, "ino": 2}
    client = End(**given)  # type: ignore[arg-type]
    server = End(**servers)  # type: ignore[arg-type]
    return client, server


def numbered(rows: Sequence[Row]) -> list[Row]:
    """Events a millisecond apart."""
    return [
        {**row, "evt.num": number, "evt.time": 1_700_000_000_000_000_000 + number * 1_000_000}
        for number, row in enumerate(rows, 1)
    ]
