"""Text as captures hold it: always UTF-8, reversible for every byte.

Linux names are bytes. One byte that is not part of valid UTF-8 makes DuckDB refuse a whole query,
and BLOB columns have no text functions, so such a byte is stored as the code point U+10FE00 + byte.
A
genuine character of that range (nobody uses it: it lies in a private plane) is stored byte by byte
the same way, which keeps the mapping reversible. Rules' literals go through the same function, so
prefix, suffix, contains and `?` work byte for code point.

This module does not escape anything for display; see `falcotrace.outputs.escape`.
"""

import codecs
import re

RAW_BYTE_BASE = 0x10FE00
"""A raw byte b is stored as the code point RAW_BYTE_BASE + b."""

_RAW_RANGE = re.compile(f"[{chr(RAW_BYTE_BASE)}-{chr(RAW_BYTE_BASE + 0xFF)}]")


def _escape_invalid(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(chr(RAW_BYTE_BASE + byte) for byte in bad), error.end


RAW_BYTES = "falcotrace-raw-bytes"
"""The name under which codecs know how to spell a raw byte."""

codecs.register_error(RAW_BYTES, _escape_invalid)


def to_text(raw: bytes) -> str:
    r"""Map bytes to the text form of captures.

    Args:
        raw: any bytes; the caller has cut them at the first NUL where Falco does.

    Example:
        >>> to_text("größe".encode())
        'größe'
        >>> to_bytes(to_text(b"a\xffb"))
        b'a\xffb'
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # Genuine characters of the range must not be confused with escaped bytes: hide them first.
        hidden = _RAW_RANGE_BYTES.sub(lambda match: _hide(match.group()), raw)
        return hidden.decode(errors=RAW_BYTES)
    if _RAW_RANGE.search(text):
        return _RAW_RANGE.sub(lambda match: _spell_bytes(match.group().encode()), text)
    return text


def to_bytes(text: str) -> bytes:
    """Undo `to_text`."""
    if not _RAW_RANGE.search(text):
        return text.encode(errors="surrogatepass")
    return b"".join(
        bytes([ord(char) - RAW_BYTE_BASE]) if _RAW_RANGE.match(char) else char.encode()
        for char in text
    )


def storable(value: object) -> str:
    """A text of a JSON document as captures can hold it; empty for what is no text.

    Without what follows a NUL, and with `?` for halves of characters.
    """
    if not isinstance(value, str):
        return ""
    return value.partition("\0")[0].encode(errors="replace").decode()


def _spell_bytes(raw: bytes) -> str:
    return "".join(chr(RAW_BYTE_BASE + byte) for byte in raw)


def _hide(raw: bytes) -> bytes:
    return _spell_bytes(raw).encode()


# U+10FE00..U+10FEFF encode as F4 8F B8 80 .. F4 8F BB BF.
_RAW_RANGE_BYTES = re.compile(rb"\xf4\x8f[\xb8-\xbb][\x80-\xbf]")
