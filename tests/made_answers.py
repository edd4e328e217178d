"""Answers of name servers, made by hand."""

import socket
import struct
from collections.abc import Sequence

A, CNAME, TXT, AAAA = 1, 5, 16, 28
GRANTED, REFUSED, QUESTION = 0x8180, 0x8185, 0x0100

Record = tuple[str, int, bytes]


def name_bytes(name: str) -> bytes:
    """A name as it stands in messages, without compression."""
    labels = (label.encode() for label in name.split("."))
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def alias(name: str, target: str) -> Record:
    """A name is another one."""
    return name, CNAME, name_bytes(target)


def address(name: str, text: str) -> Record:
    """A name has an address."""
    is_v6 = ":" in text
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    return name, AAAA if is_v6 else A, socket.inet_pton(family, text)


def answer(
    asked: str,
    *records: Record,
    flags: int = GRANTED,
    behind: Sequence[Record] = (),
    number: int = 7,
    kind_class: int = 1,
) -> bytes:
    """A message with one question.

    Args:
        asked: the name in the question.
        records: of the answer.
        flags: of the header.
        behind: records of the sections behind the answer.
        number: the message's own.
        kind_class: of everything in it; 1 is the Internet.
    """
    head = struct.pack("!6H", number, flags, 1, len(records), 0, len(behind))
    message = head + name_bytes(asked) + struct.pack("!2H", A, kind_class)
    for owner, kind, data in (*records, *behind):
        message += name_bytes(owner) + struct.pack("!2HIH", kind, kind_class, 60, len(data)) + data
    return message


def framed(message: bytes) -> bytes:
    """A message as it stands in a stream."""
    return struct.pack("!H", len(message)) + message
