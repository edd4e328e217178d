"""DNS messages as programs sent and received them.

The message is walked here, entry by entry, so that work is bounded and what comes before a fault or
a cut is kept; the kinds that are not in the tables below are read by scapy.
"""

import contextlib
import ipaddress
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from falcotrace.protocols.names import Cut, Malformed, NameReader, spell

MESSAGE_BYTES_MAX = 0xFFFF
OTHERS_MAX = 64
OTHER_BYTES_MAX = 4096
"""What scapy is asked, which is slow: of the first records, and of those that are not huge."""

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!2HIH")
_OPCODES = frozenset({0, 1, 2, 4, 5, 6})
_CLASSES = frozenset({1, 3, 4, 254, 255})
_UNICAST_BIT = 0x8000
"""Of the class, in multicast DNS (RFC 6762, 5.4 and 10.2)."""

_TXT = 16
_OPT = 41
_ADDRESS_BYTES = {1: 4, 28: 16}
_KINDS = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    39: "DNAME",
    64: "SVCB",
    65: "HTTPS",
    255: "ANY",
    257: "CAA",
}
_FORMS = {2: "n", 5: "n", 6: "nnIIIII", 12: "n", 15: "Hn", 33: "HHHn", 39: "n"}
"""What a record holds: names (n) and numbers. These kinds may point back into the message."""

_RCODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
    16: "BADVERS",
}
"""Names of the registry of IANA, "DNS RCODEs"."""


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A resource record.

    Attributes:
        name: whose record it is, without the dot at its end, in the case in which it was sent.
        kind: "A", "CNAME" ...; `TYPE` and the number where it has no name.
        value: an address, a name, or what the record holds as in a zone file.
        ttl_s: how long it may be kept, in seconds.
    """

    name: str
    kind: str
    value: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """A question or an answer.

    Attributes:
        id: by which an answer finds its question.
        is_answer: the message answers.
        rcode: "NOERROR", "NXDOMAIN" ...
        questions: name and kind of each.
        records: those of all sections, in their order, without the pseudo record OPT.
    """

    id: int
    is_answer: bool
    rcode: str
    questions: tuple[tuple[str, str], ...]
    records: tuple[DnsRecord, ...]


def decode_dns(payload: bytes, *, is_stream: bool = False) -> DnsMessage | None:
    """Decode a message; what comes behind a cut or a fault is left out.

    Args:
        payload: a datagram, or bytes of a stream that begin with a message.
        is_stream: the message has its length in front, as in TCP.

    Returns:
        The message; None where the bytes are no DNS, or not even one entry of it is whole.
    """
    message = _of_stream(payload) if is_stream else payload[:MESSAGE_BYTES_MAX]
    if len(message) < _HEADER.size:
        return None
    number, flags, *counts = _HEADER.unpack_from(message)
    if (flags >> 11) & 15 not in _OPCODES or flags & 0x40:
        return None
    reader = _Reader(message)
    with contextlib.suppress(Cut, Malformed):
        reader.read(counts[0], sum(counts[1:]))
    if not reader.questions and not reader.records:
        return None
    rcode = flags & 15 | reader.rcode_high
    name = _RCODES.get(rcode, f"RCODE{rcode}")
    questions, records = tuple(reader.questions), tuple(reader.records)
    return DnsMessage(number, bool(flags >> 15), name, questions, records)


def stream_messages(data: bytes) -> Iterator[tuple[int, DnsMessage]]:
    """Decode the messages of one direction of a TCP connection, as far as the bytes reach.

    Yields:
        Where each begins, its length included, and the message.
    """
    place = 0
    while message := decode_dns(data[place : place + 2 + MESSAGE_BYTES_MAX], is_stream=True):
        yield place, message
        place += 2 + int.from_bytes(data[place : place + 2], "big")


def _of_stream(payload: bytes) -> bytes:
    return payload[2 : 2 + int.from_bytes(payload[:2], "big")]


class _Reader:
    """Goes through the entries of a message and keeps what is whole."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._names = NameReader(message)
        self.questions: list[tuple[str, str]] = []
        self.records: list[DnsRecord] = []
        self.rcode_high = 0

    def read(self, question_count: int, record_count: int) -> None:
        place = _HEADER.size
        for _ in range(question_count):
            name, place = self._names.read(place)
            kind, kind_class = _unpack(_QUESTION, self._message, place)
            _check_class(kind_class)
            place += _QUESTION.size
            self.questions.append((name, _kind(kind)))
        for _ in range(record_count):
            place = self._read_record(place)

    def _read_record(self, place: int) -> int:
        name, place = self._names.read(place)
        kind, kind_class, ttl_s, size = _unpack(_RECORD, self._message, place)
        start = place + _RECORD.size
        end = start + size
        if end > len(self._message):
            raise Cut
        if kind == _OPT:
            self.rcode_high = ttl_s >> 24 << 4
            return end
        _check_class(kind_class)
        value = self._value(kind, start, end) or _unknown(self._message[start:end])
        self.records.append(DnsRecord(name, _kind(kind), value, ttl_s))
        return end

    def _value(self, kind: int, start: int, end: int) -> str:
        """What a record holds; "" where that has no known form."""
        data = self._message[start:end]
        if kind in _ADDRESS_BYTES:
            is_whole = len(data) == _ADDRESS_BYTES[kind]
            return str(ipaddress.ip_address(data)) if is_whole else ""
        if kind in _FORMS:
            return self._fields(kind, start, end)
        if kind == _TXT:
            return _strings(data)
        if len(self.records) >= OTHERS_MAX or len(data) > OTHER_BYTES_MAX:
            return ""
        from falcotrace.protocols.scapy_dns import describe_record  # noqa: PLC0415 - scapy is slow

        return describe_record(kind, data)

    def _fields(self, kind: int, place: int, end: int) -> str:
        """Names and numbers of a record, "" where they do not fill it."""
        texts: list[str] = []
        try:
            for letter in _FORMS[kind]:
                if letter == "n":
                    text, place = self._names.read(place)
                else:
                    part = struct.Struct(f"!{letter}")
                    text = str(_unpack(part, self._message, place)[0])
                    place += part.size
                texts.append(text)
        except (Cut, Malformed):
            return ""
        return " ".join(texts) if place == end else ""


def _check_class(kind_class: int) -> None:
    if kind_class & ~_UNICAST_BIT not in _CLASSES:
        raise Malformed("no class of DNS")


def _strings(data: bytes) -> str:
    """The strings of a TXT record, each in quotes."""
    parts: list[str] = []
    place = 0
    while place < len(data):
        end = place + 1 + data[place]
        text = "".join(
            " " if part == b" " else spell(part, b'"\\')
            for part in _split_blanks(data[place + 1 : end])
        )
        parts.append(f'"{text}"')
        place = end
    return " ".join(parts)


def _split_blanks(data: bytes) -> Iterator[bytes]:
    for is_blank, group in itertools.groupby(data, key=0x20.__eq__):
        part = bytes(group)
        yield from [b" "] * len(part) if is_blank else [part]


def _unknown(data: bytes) -> str:
    """As RFC 3597, 5 writes records whose form is not known."""
    return f"\\# {len(data)} {data.hex()}".rstrip()


def _kind(number: int) -> str:
    known = _KINDS.get(number)
    if known is None:
        from falcotrace.protocols.scapy_dns import kind_name  # noqa: PLC0415 - scapy is slow

        known = kind_name(number)
    return known


def _unpack(form: struct.Struct, message: bytes, place: int) -> tuple[int, ...]:
    if place + form.size > len(message):
        raise Cut
    return form.unpack_from(message, place)
