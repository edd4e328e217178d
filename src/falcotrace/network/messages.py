"""DNS, HTTP and TLS messages that processes exchanged, each with its event and its process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from falcotrace.network.contents import Beginning, beginnings
from falcotrace.network.model import Conversation, EventPlace, Socket
from falcotrace.network.traffic import Direction, Traffic
from falcotrace.protocols.dns import DnsMessage, decode_dns, stream_messages
from falcotrace.protocols.http import HttpRequest, HttpResponse, decode_http
from falcotrace.protocols.tls import ClientHello, decode_client_hello

Body = DnsMessage | HttpRequest | HttpResponse | ClientHello
B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Message(Generic[B]):
    """One message, as one end of the conversation saw it.

    Attributes:
        place: the event in which it begins.
        conversation: place of its conversation among all.
        socket: the end at which it was seen, and with it the process.
        is_sent: the process sent it; otherwise it received it.
        body: what it says.
    """

    place: EventPlace
    conversation: int
    socket: Socket
    is_sent: bool
    body: B

    @property
    def is_from_client(self) -> bool:
        """Whether the end that began the conversation said it."""
        return self.is_sent != self.socket.is_server


def find_messages(
    traffic: Traffic, conversations: Sequence[Conversation]
) -> Iterator[Message[Body]]:
    """Decode what conversations hold; each message once, though both ends may have been recorded.

    Yields:
        Messages conversation end by conversation end, each end's in their order.

    Raises:
        CaptureError: a capture is damaged.
    """
    numbers: dict[Direction, int] = {}
    for number, conversation in enumerate(conversations):
        for to_server in (True, False):
            witness = conversation.witness(to_server=to_server)
            if witness is not None:
                numbers[witness.number, to_server != witness.is_server] = number
    for found in beginnings(traffic.moves(numbers), traffic.sockets):
        yield from _messages(found, numbers)


def _messages(found: Beginning, numbers: Mapping[Direction, int]) -> Iterator[Message[Body]]:
    is_from_client = found.is_sent != found.socket.is_server
    for offset, body in _decoded(found, is_from_client=is_from_client):
        yield Message(
            place=found.place_of(offset),
            conversation=numbers[found.socket.number, found.is_sent],
            socket=found.socket,
            is_sent=found.is_sent,
            body=body,
        )


def _decoded(found: Beginning, *, is_from_client: bool) -> Iterator[tuple[int, Body]]:
    body: Body | None = None
    if found.protocol == "dns" and not found.is_datagram:
        yield from stream_messages(found.data)
    elif found.protocol == "dns":
        body = decode_dns(found.data)
    elif found.protocol == "http":
        head = decode_http(found.data)
        body = head if isinstance(head, HttpRequest) == is_from_client else None
    elif is_from_client:
        body = decode_client_hello(found.data)
    if body is not None:
        yield 0, body


def name_of(body: Body) -> str:
    """The name of a host that a message is about; "" if it has none."""
    match body:
        case DnsMessage(questions=questions):
            return questions[0][0] if questions else ""
        case HttpRequest(host=host):
            return host
        case ClientHello(server_name=server_name):
            return server_name
        case _:
            return ""


def protocol_of(body: Body) -> str:
    """The protocol of a message: "dns", "http" or "tls"."""
    match body:
        case DnsMessage():
            return "dns"
        case ClientHello():
            return "tls"
        case _:
            return "http"
