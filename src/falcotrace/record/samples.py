"""Whole samples in one buffer, and typed views of them.

In: bytes that hold samples back to back, and where each starts. Out: structured arrays, and the
    bytes of variable parts by offset. Nothing is explained here; `layout.py` has the types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from falcotrace.events.text import to_text
from falcotrace.record.layout import HEADER, SAMPLES, STRINGS, SampleType
from falcotrace.record.ring import Batch

assert HEADER.fields is not None
_TYPE_OFFSET = HEADER.fields["type"][1]


@dataclass(frozen=True)
class SampleBlock:
    """Samples in the order in which the kernel reserved them.

    Attributes:
        data: bytes of the samples, with whatever lies between them.
        starts: for each type, the offsets in `data` where its samples begin, ascending.
        first_position: position in the stream of the recording that `data[0]` has.
    """

    data: np.ndarray
    starts: Mapping[SampleType, np.ndarray]
    first_position: int = 0

    def fixed(self, sample_type: SampleType) -> np.ndarray:
        """The fixed parts of all samples of a type, as a structured array."""
        return gather(self.data, self.starts[sample_type], SAMPLES[sample_type])

    def positions(self, sample_type: SampleType) -> np.ndarray:
        """Positions in the stream of the samples of a type."""
        return self.starts[sample_type].astype(np.int64) + self.first_position

    @cached_property
    def count(self) -> int:
        """Number of samples."""
        return sum(len(starts) for starts in self.starts.values())

    def text(self, start: int, length: int) -> str:
        """One text."""
        raw = self.data[start : start + length].tobytes()
        return to_text(raw.split(b"\0", 1)[0])

    def items(self, start: int, length: int) -> tuple[str, ...]:
        """The texts of a block in which each ends with a NUL (the last may lack it)."""
        raw = self.data[start : start + length].tobytes()
        if not raw:
            return ()
        return tuple(to_text(item) for item in raw.removesuffix(b"\0").split(b"\0"))

    def string_spans(self, sample_type: SampleType, fixed: np.ndarray) -> list[np.ndarray]:
        """Where the strings of samples lie: for each string, an array of (start, length) rows."""
        start = self.starts[sample_type].astype(np.int64) + SAMPLES[sample_type].itemsize
        spans = []
        for member in STRINGS[sample_type]:
            length = fixed[member].astype(np.int64)
            spans.append(np.column_stack([start, length]))
            start = start + length
        return spans


def gather(data: np.ndarray, starts: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Copy fixed-size records at any offsets of a byte buffer into a structured array."""
    size = dtype.itemsize
    if not len(starts):
        return np.empty(0, dtype)
    windows = np.lib.stride_tricks.as_strided(
        data, shape=(len(data) - size + 1, size), strides=(1, 1)
    )
    return np.ascontiguousarray(windows[starts]).view(dtype).reshape(-1)


def block_of(batches: Sequence[Batch], first_position: int) -> SampleBlock:
    """Join batches of the ring into one block.

    Args:
        batches: in the order in which they were taken; their memory must be their own.
        first_position: position in the stream of the first byte.
    """
    data = np.concatenate([batch.raw for batch in batches])
    offsets = np.cumsum([0, *(len(batch.raw) for batch in batches[:-1])])
    starts = np.concatenate(
        [batch.starts + offset for batch, offset in zip(batches, offsets, strict=True)]
    )
    types = data[starts + _TYPE_OFFSET]
    by_type = {kind: starts[types == kind] for kind in SampleType}
    return SampleBlock(data, by_type, first_position)
