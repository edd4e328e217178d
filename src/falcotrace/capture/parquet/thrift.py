"""Thrift's compact protocol, as far as Parquet's metadata needs it.

In: numbers, texts, lists and structs. Out: values, each with its type and its bytes, which go into
    further structs and in the end into the file.

The protocol is described in Apache Thrift, doc/specs/thrift-compact-protocol.md.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

_FALSE = 2
_BYTE = 3
_I32 = 5
_I64 = 6
_BINARY = 8
_LIST = 9
_STRUCT = 12


class Value(NamedTuple):
    """A value in its encoded form, with the number that the protocol gives its type."""

    type: int
    raw: bytes


FALSE = Value(_FALSE, b"")
EMPTY = Value(_STRUCT, b"\0")


def varint(number: int) -> bytes:
    """A number of any length, seven bits a byte."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number: int) -> bytes:
    """A number that may be negative: small ones stay short."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def byte(number: int) -> Value:
    """A number of 8 bits."""
    return Value(_BYTE, bytes([number]))


@lru_cache(1024)
def i32(number: int) -> Value:
    """A number of 32 bits."""
    return Value(_I32, zigzag(number))


def i64(number: int) -> Value:
    """A number of 64 bits."""
    return Value(_I64, zigzag(number))


def binary(raw: bytes) -> Value:
    """Bytes, or text as UTF-8."""
    return Value(_BINARY, varint(len(raw)) + raw)


def sequence(values: Sequence[Value]) -> Value:
    """A list of values of one type; an empty one is of structs."""
    count = len(values)
    kind = values[0].type if count else _STRUCT
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + varint(count)
    return Value(_LIST, head + b"".join(value.raw for value in values))


def structure(fields: Mapping[int, Value]) -> Value:
    """A struct, from fields by number in ascending order."""
    out = []
    last = 0
    for number, value in fields.items():
        out.append(bytes([(number - last) << 4 | value.type]))
        out.append(value.raw)
        last = number
    out.append(b"\0")
    return Value(_STRUCT, b"".join(out))
