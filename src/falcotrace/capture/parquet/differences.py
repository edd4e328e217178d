"""Numbers as differences from one to the next: Parquet's DELTA_BINARY_PACKED.

In: numbers. Out: bytes. Blocks are the smallest that the format allows, 128 differences in four
    parts that each have a width of their own: a twelfth smaller than the blocks of Arrow's writer
    for times of events, a quarter for their numbers (measured).

The format is described in Apache Parquet, Encodings.md, "Delta Encoding".
"""

from typing import Final

import numpy as np

from falcotrace.capture.parquet.levels import interleave
from falcotrace.capture.parquet.thrift import varint

_BLOCK: Final = 128
_PARTS: Final = 4
_PART: Final = _BLOCK // _PARTS
_WORD_BITS: Final = 32


def differences(values: np.ndarray) -> bytes:
    """Encode numbers, of which there is at least one."""
    first = int(values[0])
    head = b"".join(
        (varint(_BLOCK), varint(_PARTS), varint(len(values)), varint(_zigzag_of(first)))
    )
    if len(values) == 1:
        return head
    # Differences wrap around like everything in this encoding, so that none is too wide.
    steps = np.diff(values.astype(np.int64).view(np.uint64)).view(np.int64)
    missing = -len(steps) % _BLOCK
    blocks = np.concatenate((steps, np.full(missing, steps[-1]))).reshape(-1, _BLOCK)
    least = blocks.min(axis=1)
    above = (blocks.view(np.uint64) - least.view(np.uint64)[:, None]).reshape(-1, _PART)
    widths = bit_widths(above.max(axis=1))
    widths[-(-len(steps) // _PART) :] = 0  # parts behind the last difference are not written
    return head + _blocks(least, widths, _packed(above, widths))


def bit_widths(numbers: np.ndarray) -> np.ndarray:
    """How many bits each unsigned number of 64 bits needs."""
    high = numbers >> np.uint64(_WORD_BITS)
    low = numbers & np.uint64(0xFFFF_FFFF)
    # Numbers of 32 bits are exact as floats; the exponent is the number of bits.
    of_high = np.frexp(high.astype(np.float64))[1]
    of_low = np.frexp(low.astype(np.float64))[1]
    return np.where(high > 0, of_high + _WORD_BITS, of_low)


def _packed(parts: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Parts as words of 32 bits, as many for each as its numbers are wide, one after the other."""
    ends = np.cumsum(widths)
    words = np.zeros(int(ends[-1]), np.uint32)
    for width in np.unique(widths[widths > 0]).tolist():
        chosen = np.flatnonzero(widths == width)
        at = (ends[chosen] - width)[:, None] + np.arange(width)
        words[at] = _pack(parts[chosen], width)
    return words


def _pack(parts: np.ndarray, width: int) -> np.ndarray:
    """Parts of 32 numbers of `width` bits, as `width` words each."""
    columns = np.ascontiguousarray(parts.T)
    out = np.zeros((width + 2, len(parts)), np.uint64)
    for place, numbers in enumerate(columns):
        word, shift = divmod(place * width, _WORD_BITS)
        # A number lies in up to three words: what is below each boundary, then the rest.
        out[word] |= numbers << np.uint64(shift) & np.uint64(0xFFFF_FFFF)
        out[word + 1] |= numbers >> np.uint64(_WORD_BITS - shift) & np.uint64(0xFFFF_FFFF)
        if shift + width > 2 * _WORD_BITS:
            out[word + 2] |= numbers >> np.uint64(2 * _WORD_BITS - shift)
    return out[:width].T.astype(np.uint32)


def _blocks(least: np.ndarray, widths: np.ndarray, words: np.ndarray) -> bytes:
    """Before each block stand its least difference and the widths of its parts."""
    heads = (least.view(np.uint64) << np.uint64(1)) ^ (least >> np.int64(63)).view(np.uint64)
    of_blocks = widths.reshape(-1, _PARTS)
    body = words.astype("<u4").view(np.uint8)
    sizes = of_blocks.sum(axis=1) * 4
    with_widths = np.empty(len(body) + of_blocks.size, np.uint8)
    begins = np.cumsum(sizes + _PARTS) - sizes - _PARTS
    is_width = np.zeros(len(with_widths), np.bool_)
    is_width[(begins[:, None] + np.arange(_PARTS)).ravel()] = True
    with_widths[is_width] = of_blocks.ravel()
    with_widths[~is_width] = body
    return interleave(heads, sizes + _PARTS, with_widths)


def _zigzag_of(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1
