"""Literals to values: wraps, clamps and refusals by type."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from falcotrace.events.fields import FieldType
from falcotrace.events.operators import Operator
from falcotrace.rules.faults import Fault
from falcotrace.rules.values import check_event_name, convert_value


@pytest.mark.parametrize(
    ("text", "field_type", "value"),
    [
        ("007", FieldType.INT64, 7),
        ("+7", FieldType.INT64, 7),
        ("-1", FieldType.INT64, -1),
        ("99999999999999999999", FieldType.INT64, (1 << 63) - 1),
        ("-99999999999999999999", FieldType.INT64, -(1 << 63)),
        ("9" * 10_000, FieldType.INT64, (1 << 63) - 1),
        ("-" + "9" * 10_000, FieldType.INT64, -(1 << 63)),
        ("-1", FieldType.UINT32, 4294967295),
        ("4294967296", FieldType.UINT32, 0),
        ("-1", FieldType.UINT64, (1 << 64) - 1),
        ("99999999999999999999", FieldType.UINT64, (1 << 64) - 1),
        ("32768", FieldType.INT16, -32768),
        ("3", FieldType.DOUBLE, 3.0),
        ("5", FieldType.RELTIME, 5),
        ("22", FieldType.PORT, 22),
        ("70000", FieldType.PORT, 4464),
        ("https", FieldType.PORT, 443),
        ("true", FieldType.BOOL, True),
        ("false", FieldType.BOOL, False),
        ("10.1.2.3", FieldType.IPADDR, IPv4Address("10.1.2.3")),
        ("2001:0db8::1", FieldType.IPADDR, IPv6Address("2001:db8::1")),
        ("10.1.2.3/8", FieldType.IPNET, IPv4Network("10.0.0.0/8")),
        ("0.0.0.0/0", FieldType.IPNET, IPv4Network("0.0.0.0/0")),
        ("2001:db8::/32", FieldType.IPNET, IPv6Network("2001:db8::/32")),
        ("a\0b", FieldType.CHARBUF, "a"),
        ("GET", FieldType.BYTEBUF, b"GET"),
        ("\U0010feff", FieldType.BYTEBUF, b"\xff"),
    ],
)
def test_converted(text: str, field_type: FieldType, value: object) -> None:
    """Values wrap to the width of their type and clamp at 64 bits, as Falco's do."""
    converted = convert_value(text, field_type, Operator.EQUAL)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("text", "field_type"),
    [
        ("", FieldType.INT64),
        ("0x10", FieldType.INT64),
        ("1.5", FieldType.INT64),
        ("1e3", FieldType.UINT64),
        ("5x", FieldType.INT64),
        (" 5", FieldType.INT64),
        ("٣", FieldType.INT64),
        ("-1", FieldType.PORT),
        ("nosuchservice", FieldType.PORT),
        ("True", FieldType.BOOL),
        ("1", FieldType.BOOL),
        ("300.1.1.1", FieldType.IPADDR),
        ("10.1", FieldType.IPADDR),
        ("::ffff:1.2.3.4", FieldType.IPADDR),
        ("fe80::1%eth0", FieldType.IPADDR),
        ("10.0.0.0/8", FieldType.IPADDR),
        ("10.0.0.1", FieldType.IPNET),
        ("10.0.0.0/33", FieldType.IPNET),
        ("10.0.0.0/255.0.0.0", FieldType.IPNET),
        ("::/0", FieldType.IPNET),
        ("::/129", FieldType.IPNET),
        ("x/8", FieldType.IPNET),
        ("1", FieldType.MIXED),
    ],
)
def test_refused(text: str, field_type: FieldType) -> None:
    """What Falco does not take is a fault."""
    with pytest.raises(Fault):
        convert_value(text, field_type, Operator.EQUAL)


def test_hexadecimal_digits_make_bytes() -> None:
    """The b operators take pairs of digits, nothing else."""
    assert convert_value("4845", FieldType.BYTEBUF, Operator.BCONTAINS) == b"HE"
    for text in ("484", "4x", "48 45"):
        with pytest.raises(Fault, match="pairs of hexadecimal digits"):
            convert_value(text, FieldType.BYTEBUF, Operator.BSTARTSWITH)


def test_event_names() -> None:
    """Events, system calls and asynchronous events are names; anything else is skippable."""
    for name in ("open", "swapon", "container", "container_removed", "syscall", "asyncevent"):
        check_event_name(name, None)
    with pytest.raises(Fault, match="unknown event type `opne`") as caught:
        check_event_name("opne", None)
    assert caught.value.skippable
    assert caught.value.help == "did you mean `open`?"
