"""Writes packets as pcapng, with a comment for each (draft-ietf-opsawg-pcapng).

scapy's writer takes packets one by one, some 10,000 a second; here a block of thousands is put
together at once.
"""

import struct

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import Integers
from falcotrace.network.ragged import Bytes, copy_pieces, starts_of

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_ETHERNET = 1
_OPTION_COMMENT, _OPTION_APPLICATION, _OPTION_NAME, _OPTION_RESOLUTION = 1, 4, 2, 9
_NANOSECONDS = b"\x09"
_HEAD_BYTES = 28
_COMMENT_BYTES_MAX = 0xFFFF


def file_head(comment: str, application: str) -> bytes:
    """The section and the one interface of a file, whose times are in nanoseconds.

    Args:
        comment: about the whole file.
        application: what wrote it.
    """
    options = _option(_OPTION_COMMENT, comment.encode())
    options += _option(_OPTION_APPLICATION, application.encode())
    section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + options + bytes(4)
    name = _option(_OPTION_NAME, b"falcotrace") + _option(_OPTION_RESOLUTION, _NANOSECONDS)
    interface = struct.pack("<HHI", _ETHERNET, 0, 0) + name + bytes(4)
    return _block(_SECTION, section) + _block(_INTERFACE, interface)


def packet_blocks(
    built: Bytes,
    starts: Integers,
    original_lengths: Integers,
    times_ns: Integers,
    comments: pa.Array,
) -> bytes:
    """Packets as blocks.

    Args:
        built: bytes of packets one behind the other.
        starts: where each begins; one more entry is the end.
        original_lengths: how long each was before something of it was left out.
        times_ns: ns since the epoch.
        comments: a text for each; "" is none.
    """
    lengths = np.diff(starts)
    texts = pa.concat_arrays([comments]).cast(pa.binary())
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    text_starts = offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    text_lengths = np.minimum(np.diff(text_starts), _COMMENT_BYTES_MAX)
    has_text = text_lengths > 0
    data_end = _HEAD_BYTES + _padded(lengths)
    # A comment takes its head and its text; behind the last option stands an empty one.
    sizes = data_end + np.where(has_text, 8 + _padded(text_lengths), 0) + 4
    places = starts_of(sizes)
    blocks = np.zeros(int(places[-1]), np.uint8)
    begins = places[:-1]
    columns = (
        np.full(len(lengths), _PACKET),
        *(sizes, np.zeros(len(lengths), np.int64)),
        *(times_ns >> 32, times_ns & 0xFFFFFFFF),
        *(lengths, original_lengths),
    )
    _put(blocks, begins, np.stack(columns, axis=1))
    _put(blocks, places[1:] - 4, sizes[:, None])
    copy_pieces(blocks, begins + _HEAD_BYTES, built, starts[:-1], lengths)
    rows = np.flatnonzero(has_text)
    heads = begins[rows] + data_end[rows]
    _put(blocks, heads, (_OPTION_COMMENT | text_lengths[rows] << 16)[:, None])
    source = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    copy_pieces(blocks, heads + 4, source, text_starts[:-1][rows], text_lengths[rows])
    return blocks.tobytes()


def _put(blocks: Bytes, places: Integers, numbers: Integers) -> None:
    """Rows of 32-bit numbers at some places."""
    made = np.ascontiguousarray(numbers.astype("<u4")).view(np.uint8)
    blocks[places[:, None] + np.arange(made.shape[1])] = made


def _padded(lengths: Integers) -> Integers:
    return lengths + -lengths % 4


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size
