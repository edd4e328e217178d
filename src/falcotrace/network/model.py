"""Sockets and conversations: what is known of them without looking at contents."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class EventPlace:
    """Where an event is: in which capture of those that are open, and its number there.

    Attributes:
        file: place of the capture among the open ones.
        num: `evt.num`.
        time_ns: `evt.time`, ns since the epoch.
    """

    file: int
    num: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        r"""As `fd.name` has it.

        Example:
            >>> str(Endpoint("2001:db8::7", 443))
            '2001:db8::7:443'
        """
        return f"{self.address}:{self.port}"

    @property
    def packed(self) -> bytes:
        """The address as 4 or 16 bytes; none where a capture has something else there."""
        try:
            return ipaddress.ip_address(self.address).packed
        except ValueError:
            return b""


@dataclass(frozen=True, slots=True)
class SocketProcess:
    """The process that moved data through a socket first, or had it first.

    Attributes:
        pid: `proc.pid`.
        start_ns: when it began, ns since the epoch; with `pid` it tells processes apart.
        name: `proc.name`.
        exe: `proc.exepath`.
        container: `container.id`; `host` outside containers.
        container_name: `container.name`.
    """

    pid: int
    start_ns: int
    name: str
    exe: str
    container: str
    container_name: str


@dataclass(frozen=True, slots=True)
class Socket:
    """One end of a conversation, as the process that had it open used it.

    Attributes:
        number: place among the sockets of the open captures, in the order of first events.
        host: name of the recorded machine.
        transport: "tcp", "udp", ...
        client: the end that began.
        server: the other one.
        is_server: this socket is the server's.
        scope: the machine, and of loopback addresses the container: ends of one conversation agree.
        process: who used it.
        process_count: how many processes did.
        first: its first event.
        last: its last event.
        sent_bytes: how much its processes sent.
        received_bytes: how much they received.
        sent_contents_bytes: how much of what was sent the capture holds.
        received_contents_bytes: how much of what was received the capture holds.
        was_opened: the event is there with which the connection began.
        was_closed: one is there with which it ended.
    """

    number: int
    host: str
    transport: str
    client: Endpoint
    server: Endpoint
    is_server: bool
    scope: str
    process: SocketProcess
    process_count: int
    first: EventPlace
    last: EventPlace
    sent_bytes: int
    received_bytes: int
    sent_contents_bytes: int
    received_contents_bytes: int
    was_opened: bool
    was_closed: bool

    @property
    def tuple_text(self) -> str:
        """Both ends, the client's first, as `fd.name` has them."""
        return f"{self.client}->{self.server}"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two ends that talked, whichever of them were recorded.

    Attributes:
        client_socket: the client's end, if the recorded machine had it.
        server_socket: the server's end, if the recorded machine had it.
    """

    client_socket: Socket | None
    server_socket: Socket | None

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """The ends that were recorded, one or two; the client's first."""
        return tuple(end for end in (self.client_socket, self.server_socket) if end is not None)

    @property
    def transport(self) -> str:
        """As in `Socket`: "tcp", "udp" ..."""
        return self.sockets[0].transport

    @property
    def client(self) -> Endpoint:
        """The end that began."""
        return self.sockets[0].client

    @property
    def server(self) -> Endpoint:
        """The other end."""
        return self.sockets[0].server

    @property
    def tuple_text(self) -> str:
        """Both ends, the client's first, as `fd.name` has them."""
        return self.sockets[0].tuple_text

    @property
    def first(self) -> EventPlace:
        """The first event of either end."""
        return min(end.first for end in self.sockets)

    @property
    def last(self) -> EventPlace:
        """The last event of either end."""
        return max(end.last for end in self.sockets)

    @property
    def bytes_to_server(self) -> int:
        """What the client sent, or the server received where only that was recorded."""
        client, server = self.client_socket, self.server_socket
        return client.sent_bytes if client else server.received_bytes if server else 0

    @property
    def bytes_to_client(self) -> int:
        """What the server sent, or the client received where only that was recorded."""
        client, server = self.client_socket, self.server_socket
        return server.sent_bytes if server else client.received_bytes if client else 0

    def witness(self, *, to_server: bool) -> Socket | None:
        """The end at which one direction is looked at, so that nothing is counted twice.

        Whoever sent knows what was sent; but where only the receiver's contents were recorded, it
        is the receiver.
        """
        ends = (self.client_socket, self.server_socket)
        sender, receiver = ends if to_server else ends[::-1]
        if sender is None or receiver is None:
            return sender or receiver
        has_more = receiver.received_contents_bytes > sender.sent_contents_bytes
        return receiver if has_more else sender


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A capture among those that are open.

    Attributes:
        path: the file.
        hostname: the recorded machine.
        machine: tells machines and their boots apart.
        has_contents: what was sent and received was recorded.
    """

    path: Path
    hostname: str
    machine: str
    has_contents: bool
