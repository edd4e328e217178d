"""Pieces of different lengths in one array of bytes, without a loop over the pieces."""

import numpy as np
import numpy.typing as npt

from falcotrace.engines.vectors import Integers

Bytes = npt.NDArray[np.uint8]


def starts_of(lengths: Integers) -> Integers:
    """Where pieces begin that stand one behind the other; one more entry is their end.

    Example:
        >>> starts_of(np.array([2, 0, 3])).tolist()
        [0, 2, 2, 5]
    """
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def copy_pieces(
    target: Bytes, targets: Integers, source: Bytes, sources: Integers, lengths: Integers
) -> None:
    """Copy pieces from some places of an array of bytes to places of another."""
    ends = np.cumsum(lengths)
    steps = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    target[np.repeat(targets, lengths) + steps] = source[np.repeat(sources, lengths) + steps]


def word_sums(source: Bytes, sources: Integers, lengths: Integers) -> Integers:
    """Sums of the 16-bit numbers of pieces, in network order.

    An odd byte at the end counts as the first of two, as in the checksums of RFC 1071.
    """
    padded = lengths + lengths % 2
    starts = starts_of(padded)
    even = np.zeros(int(starts[-1]) + 2, np.uint8)
    copy_pieces(even, starts[:-1], source, sources, lengths)
    totals = starts_of(even.view(">u2").astype(np.int64))
    return totals[starts[1:] // 2] - totals[starts[:-1] // 2]
