"""Literals of conditions converted to the types of fields, with the wraps and clamps of Falco.

In comes a text as written, out comes a value that compares with a column; what does not fit is a
Fault. Which operators a type has is not decided here.

Source: libs 48dfd53c userspace/libsinsp/value_parser.cpp and sinsp_utils (numbers, addresses).
"""

import functools
import re
import socket
from collections.abc import Mapping
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    NetmaskValueError,
)
from types import MappingProxyType

from falcotrace.errors import Span
from falcotrace.events.event_types import EVENT_NAMES
from falcotrace.events.fields import FieldType
from falcotrace.events.operators import Operator
from falcotrace.events.text import to_bytes
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.plan import Value

ASYNC_EVENT_NAMES = frozenset({"container", "container_removed"})
"""Asynchronous events of the container plugin, 0.7.1."""

LITERAL_EVENT_NAMES = EVENT_NAMES | ASYNC_EVENT_NAMES | {"syscall"}
"""Every text that `evt.type` may be compared with."""

_NUMBER = re.compile(r"[+-]?[0-9]+")
_HEX_DIGITS = re.compile(r"(?:[0-9a-fA-F]{2})*")
_PREFIX_LENGTH = re.compile(r"[0-9]{1,3}")

_INTEGERS: Mapping[FieldType, tuple[int, bool]] = MappingProxyType(
    {
        FieldType.INT16: (16, True),
        FieldType.INT32: (32, True),
        FieldType.INT64: (64, True),
        FieldType.UINT32: (32, False),
        FieldType.UINT64: (64, False),
        FieldType.RELTIME: (64, False),
        FieldType.ABSTIME: (64, False),
    }
)
"""Width in bits, and whether there is a sign."""

_SERVICES: Mapping[str, int] = MappingProxyType(
    {
        "ftp": 21,
        "ssh": 22,
        "telnet": 23,
        "smtp": 25,
        "domain": 53,
        "tftp": 69,
        "http": 80,
        "kerberos": 88,
        "pop3": 110,
        "sunrpc": 111,
        "ntp": 123,
        "imap2": 143,
        "snmp": 161,
        "ldap": 389,
        "https": 443,
        "microsoft-ds": 445,
        "syslog": 514,
        "ldaps": 636,
        "imaps": 993,
        "pop3s": 995,
        "mysql": 3306,
        "postgresql": 5432,
    }
)
"""Ports of a machine without a services database; Falco would refuse the names there."""


def convert_value(
    text: str, field_type: FieldType, operator: Operator, span: Span | None = None
) -> Value:
    """Convert a literal.

    Args:
        text: the literal, in the form of `events.text.to_text`.
        field_type: what it is compared with.
        operator: `bcontains` and `bstartswith` take hexadecimal digits.
        span: where it was written, for the message.

    Raises:
        Fault: not a value of that type.

    Example:
        >>> convert_value("-1", FieldType.UINT32, Operator.EQUAL)
        4294967295
    """
    match field_type:
        case FieldType.CHARBUF:
            # Falco compares up to the first NUL.
            return text.partition("\0")[0]
        case FieldType.BYTEBUF:
            return _to_buffer(text, operator, span)
        case FieldType.BOOL:
            return _to_bool(text, span)
        case FieldType.PORT:
            return _to_port(text, span)
        case FieldType.IPADDR:
            return _to_address(text, span)
        case FieldType.IPNET:
            return _to_network(text, span)
        case FieldType.DOUBLE:
            return float(_to_integer(text, FieldType.INT64, span))
        case FieldType.DYNAMIC | FieldType.MIXED:
            raise Fault("this field cannot be compared with a value", span)
        case _:
            return _to_integer(text, field_type, span)


def check_event_name(text: str, span: Span | None) -> None:
    """Refuse a literal for `evt.type` that names no event.

    Raises:
        Fault: unknown name.
    """
    if text not in LITERAL_EVENT_NAMES:
        raise Fault(
            f"unknown event type `{text}`",
            span,
            help_text=suggest(text, LITERAL_EVENT_NAMES),
            skippable=True,
        )


def _to_integer(text: str, field_type: FieldType, span: Span | None) -> int:
    if not _NUMBER.fullmatch(text):
        help_text = "only decimal whole numbers can be compared" if text[:1].isdigit() else None
        raise Fault(f"expected a number, found `{text}`", span, help_text=help_text)
    width, is_signed = _INTEGERS[field_type]
    # More digits than any 64-bit number has would only cost time.
    number = (
        int(text) if len(text) <= 40 else int(text[0] + "9" * 30 if text[0] in "+-" else "9" * 30)
    )
    if is_signed:
        number = max(-(1 << 63), min(number, (1 << 63) - 1))
    elif not -(1 << 64) < number < 1 << 64:
        number = (1 << 64) - 1
    number &= (1 << width) - 1
    return number - (1 << width) if is_signed and number >> (width - 1) else number


def _to_port(text: str, span: Span | None) -> int:
    if text.isascii() and text.isdigit():
        return _to_integer(text, FieldType.INT64, span) & 0xFFFF
    port = _find_service(text)
    if port is None:
        raise Fault(f"expected a port or the name of a service, found `{text}`", span)
    return port


@functools.cache
def _find_service(name: str) -> int | None:
    try:
        return socket.getservbyname(name)
    except (OSError, ValueError, UnicodeError):
        return _SERVICES.get(name)


def _to_bool(text: str, span: Span | None) -> bool:
    if text not in {"true", "false"}:
        raise Fault(f"expected `true` or `false`, found `{text}`", span)
    return text == "true"


def _to_address(text: str, span: Span | None) -> IPv4Address | IPv6Address:
    try:
        if "." in text:
            return IPv4Address(text)
        if "%" not in text:
            return IPv6Address(text)
    except AddressValueError:
        pass
    help_text = None
    if "/" in text:
        help_text = "a network needs a field such as fd.snet instead of fd.sip"
    raise Fault(f"expected an IP address, found `{text}`", span, help_text=help_text)


def _to_network(text: str, span: Span | None) -> IPv4Network | IPv6Network:
    address, slash, length = text.partition("/")
    try:
        if slash and _PREFIX_LENGTH.fullmatch(length) and "%" not in address:
            if "." in address:
                return IPv4Network(f"{address}/{int(length)}", strict=False)
            if int(length) > 0:
                return IPv6Network(f"{address}/{int(length)}", strict=False)
    except (AddressValueError, NetmaskValueError):
        pass
    help_text = None if slash else f"one address is the network {text}/{128 if ':' in text else 32}"
    raise Fault(f"expected a network such as 10.0.0.0/8, found `{text}`", span, help_text=help_text)


def _to_buffer(text: str, operator: Operator, span: Span | None) -> bytes:
    if operator not in {Operator.BCONTAINS, Operator.BSTARTSWITH}:
        return to_bytes(text)
    if not _HEX_DIGITS.fullmatch(text):
        raise Fault(f"expected pairs of hexadecimal digits, found `{text}`", span)
    return bytes.fromhex(text)
