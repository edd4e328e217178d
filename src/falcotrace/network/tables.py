"""Conversations and messages as Arrow tables, for notebooks, data frames and outputs."""

from collections.abc import Sequence

import pyarrow as pa

from falcotrace.network.messages import B, Message
from falcotrace.network.model import Conversation, EventPlace, Socket
from falcotrace.protocols.dns import DnsMessage
from falcotrace.protocols.http import HttpRequest, HttpResponse
from falcotrace.protocols.tls import ClientHello

Row = dict[str, object]

_PLACE = (("time", pa.timestamp("ns")), ("event", pa.int64()))
_PROCESS = (("pid", pa.int64()), ("process", pa.string()), ("container", pa.string()))

CONVERSATION_SCHEMA = pa.schema(
    [
        *_PLACE,
        ("last_event", pa.int64()),
        ("last_time", pa.timestamp("ns")),
        ("transport", pa.string()),
        ("tuple", pa.string()),
        ("protocol", pa.string()),
        ("names", pa.list_(pa.string())),
        ("client_pid", pa.int64()),
        ("client", pa.string()),
        ("server_pid", pa.int64()),
        ("server", pa.string()),
        ("bytes_to_server", pa.int64()),
        ("bytes_to_client", pa.int64()),
    ]
)
DNS_SCHEMA = pa.schema(
    [
        *(*_PLACE, *_PROCESS),
        ("tuple", pa.string()),
        ("id", pa.int64()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("type", pa.string()),
        ("rcode", pa.string()),
        ("answers", pa.list_(pa.string())),
    ]
)
HTTP_SCHEMA = pa.schema(
    [
        *(*_PLACE, *_PROCESS),
        ("tuple", pa.string()),
        ("kind", pa.string()),
        ("method", pa.string()),
        ("host", pa.string()),
        ("path", pa.string()),
        ("user_agent", pa.string()),
        ("status", pa.int64()),
        ("content_type", pa.string()),
        ("is_cut", pa.bool_()),
    ]
)
TLS_SCHEMA = pa.schema(
    [
        *(*_PLACE, *_PROCESS),
        ("tuple", pa.string()),
        ("server_name", pa.string()),
        ("alpn", pa.list_(pa.string())),
        ("version", pa.string()),
        ("is_cut", pa.bool_()),
    ]
)


def conversation_row(conversation: Conversation, protocol: str, names: Sequence[str]) -> Row:
    """A row of `CONVERSATION_SCHEMA`."""
    client, server = conversation.client_socket, conversation.server_socket
    return {
        **_place(conversation.first),
        "last_event": conversation.last.num,
        "last_time": conversation.last.time_ns,
        "transport": conversation.transport,
        "tuple": conversation.tuple_text,
        "protocol": protocol,
        "names": list(names),
        "client_pid": client.process.pid if client else None,
        "client": client.process.name if client else None,
        "server_pid": server.process.pid if server else None,
        "server": server.process.name if server else None,
        "bytes_to_server": conversation.bytes_to_server,
        "bytes_to_client": conversation.bytes_to_client,
    }


def dns_row(message: Message[DnsMessage]) -> Row:
    """A row of `DNS_SCHEMA`."""
    body = message.body
    name, kind = body.questions[0] if body.questions else (None, None)
    return {
        **_message(message),
        "id": body.id,
        "kind": "answer" if body.is_answer else "question",
        "name": name,
        "type": kind,
        "rcode": body.rcode if body.is_answer else None,
        "answers": [f"{record.kind} {record.value}" for record in body.records],
    }


def http_row(message: Message[HttpRequest | HttpResponse]) -> Row:
    """A row of `HTTP_SCHEMA`."""
    row = {**_message(message), "is_cut": message.body.is_cut}
    match message.body:
        case HttpRequest() as body:
            row |= {"kind": "request", "method": body.method, "host": body.host}
            row |= {"path": body.path, "user_agent": body.user_agent}
            return {**row, "content_type": body.content_type}
        case HttpResponse() as body:
            row |= {"kind": "response", "status": body.status}
            return {**row, "content_type": body.content_type}


def tls_row(message: Message[ClientHello]) -> Row:
    """A row of `TLS_SCHEMA`."""
    body = message.body
    return {
        **_message(message),
        "server_name": body.server_name,
        "alpn": list(body.alpn),
        "version": body.version,
        "is_cut": body.is_cut,
    }


def _message(message: Message[B]) -> Row:
    return {
        **_place(message.place),
        **_process(message.socket),
        "tuple": message.socket.tuple_text,
    }


def _place(place: EventPlace) -> Row:
    return {"time": place.time_ns, "event": place.num}


def _process(socket: Socket) -> Row:
    process = socket.process
    return {"pid": process.pid, "process": process.name, "container": process.container}
