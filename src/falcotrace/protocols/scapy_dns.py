"""Rarer kinds of DNS records, read by scapy. Importing scapy takes half a second."""

import logging
import struct

from scapy.layers.dns import DNSRR, DNSRR_DISPATCHER, SvcParam, dnstypes

from falcotrace.protocols.names import spell

# It tells of each odd packet on standard error, and what it could not read is seen in the result.
logging.getLogger("scapy").setLevel(logging.ERROR)


def kind_name(number: int) -> str:
    """The name of a kind of records; `TYPE` and its number where it has none (RFC 3597, 5)."""
    return dnstypes.get(number, f"TYPE{number}")


def describe_record(kind: int, data: bytes) -> str:
    """What a record holds, as text; "" where scapy does not know its kind, or fails on it."""
    form = DNSRR_DISPATCHER.get(kind)
    if form is None or form is DNSRR:
        return ""
    whole = b"\0" + struct.pack("!2HIH", kind, 1, 0, len(data)) + data
    try:
        record = form(whole)
        names = [field.name for field in record.fields_desc]
        return " ".join(
            _text(record.getfieldval(name)) for name in names[names.index("rdlen") + 1 :]
        )
    except Exception:  # noqa: BLE001 - whatever hostile bytes make of somebody else's decoder
        return ""


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return spell(value, special=b'"\\') or '""'
    if isinstance(value, SvcParam):
        return f"{value.sprintf('%key%')}={_text(value.value)}"
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return spell(str(value).encode(), special=b'"\\')
