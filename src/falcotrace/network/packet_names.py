"""Names of hosts that packets speak of: in DNS, TLS hellos and heads of HTTP requests.

Which packets may hold one is seen in their first bytes, of all at once; only those are decoded.
"""

from dataclasses import dataclass

import numpy as np

from falcotrace.network.beginnings import (
    DNS_PORTS,
    HEAD_BYTES,
    may_be_client_hello,
    may_be_http,
)
from falcotrace.network.messages import Body, name_of, protocol_of
from falcotrace.network.packet_headers import TCP, UDP, Headers
from falcotrace.protocols.dns import DnsMessage, decode_dns
from falcotrace.protocols.http import HEAD_BYTES_MAX, decode_http
from falcotrace.protocols.tls import decode_client_hello


@dataclass(frozen=True, slots=True)
class NamedPacket:
    """What a packet's contents say.

    Attributes:
        row: place of the packet.
        application: "dns", "http" or "tls".
        names: names of hosts, without repetition.
    """

    row: int
    application: str
    names: tuple[str, ...]


def name_packets(data: memoryview, headers: Headers) -> list[NamedPacket]:
    """Decode the packets that begin a message."""
    view = np.frombuffer(data, np.uint8)
    starts, lengths = headers.data_starts, headers.data_lengths
    places = starts[:, None] + np.arange(HEAD_BYTES)
    is_there = places < (starts + lengths)[:, None]
    heads = np.where(is_there, view[np.where(is_there, places, 0)], 0).astype(np.uint8)
    is_tcp = headers.protocols == TCP
    ports = np.stack([headers.source_ports, headers.target_ports])
    is_dns = (lengths > HEAD_BYTES) & np.isin(ports, DNS_PORTS).any(axis=0)
    is_tls, is_http = is_tcp & may_be_client_hello(heads), is_tcp & may_be_http(heads)
    found: list[NamedPacket] = []
    for row in np.flatnonzero(is_dns | is_tls | is_http).tolist():
        start, length = int(starts[row]), int(lengths[row])
        contents = bytes(data[start : start + min(length, HEAD_BYTES_MAX)])
        is_udp = int(headers.protocols[row]) == UDP
        body = _body(contents, is_dns=bool(is_dns[row]), is_udp=is_udp)
        if body is not None:
            found.append(NamedPacket(row, protocol_of(body), names_in(body)))
    return found


def _body(contents: bytes, *, is_dns: bool, is_udp: bool) -> Body | None:
    if is_dns:
        return decode_dns(contents, is_stream=not is_udp)
    return decode_client_hello(contents) or decode_http(contents)


def names_in(body: Body) -> tuple[str, ...]:
    """All names that a message is about: of DNS those that are asked, and aliases."""
    if not isinstance(body, DnsMessage):
        return (name_of(body),) if name_of(body) else ()
    names = [name for name, _ in body.questions]
    names += [record.value for record in body.records if record.kind == "CNAME"]
    return tuple(dict.fromkeys(names))
