"""Captures in the `.scap` format, byte by byte, written without any of the code that reads them."""

import struct
from collections.abc import Sequence

EVENT_V1 = 0x204
EVENT_V1_WITH_FLAGS = 0x208
EVENT_V2 = 0x216
EVENT_V2_WITH_FLAGS = 0x217
EVENT_V2_LARGE = 0x221
EVENT_V2_LARGE_WITH_FLAGS = 0x222
EVENT_BLOCKS = (
    EVENT_V1,
    EVENT_V1_WITH_FLAGS,
    EVENT_V2,
    EVENT_V2_WITH_FLAGS,
    EVENT_V2_LARGE,
    EVENT_V2_LARGE_WITH_FLAGS,
    0x8010ABCD,
)
_WITHOUT_COUNT = (EVENT_V1, EVENT_V1_WITH_FLAGS, 0x8010ABCD)
_WITH_FLAGS = (EVENT_V1_WITH_FLAGS, EVENT_V2_WITH_FLAGS, EVENT_V2_LARGE_WITH_FLAGS)


def block(kind: int, body: bytes) -> bytes:
    """A block with its padding and both lengths."""
    padded = body + bytes(-len(body) % 4)
    size = struct.pack("<I", len(padded) + 12)
    return struct.pack("<I", kind) + size + padded + size


def section(major: int = 1, minor: int = 2) -> bytes:
    """A section header."""
    return block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, major, minor, -1))


def machine(hostname: bytes = b"host", boot_time_ns: int = 7) -> bytes:
    """A machine info block."""
    return block(
        0x201, struct.pack("<IQQ128sQQQQ", 4, 1 << 30, 99, hostname, boot_time_ns, 0, 0, 0)
    )


def text(value: bytes) -> bytes:
    """A text with its length."""
    return struct.pack("<H", len(value)) + value


def event_body(  # noqa: D417 - a header's fields
    code: int,
    params: Sequence[bytes] = (),
    *,
    kind: int = EVENT_V2,
    time: int = 1000,
    tid: int = 1,
    width: int = 2,
) -> bytes:
    """The event in a block, from its time on.

    Args:
        width: bytes of a parameter's length.
    """
    lengths = b"".join(len(param).to_bytes(width, "little") for param in params)
    rest = lengths + b"".join(params)
    has_count = kind not in _WITHOUT_COUNT
    size = (26 if has_count else 22) + len(rest)
    head = struct.pack("<qqIH", time, tid, size, code)
    return head + (struct.pack("<I", len(params)) if has_count else b"") + rest


def event(
    code: int,
    params: Sequence[bytes] = (),
    *,
    kind: int = EVENT_V2,
    time: int = 1000,
    tid: int = 1,
    cpu: int = 0,
    flags: int = 0,
    width: int = 2,
) -> bytes:
    """An event block."""
    front = struct.pack("<H", cpu) + (struct.pack("<I", flags) if kind in _WITH_FLAGS else b"")
    return block(kind, front + event_body(code, params, kind=kind, time=time, tid=tid, width=width))


def i64(value: int) -> bytes:
    """Eight bytes."""
    return struct.pack("<q", value)


def u32(value: int) -> bytes:
    """Four bytes."""
    return struct.pack("<I", value)
