"""Events by their numbers: columns of just these, from the row groups that hold them.

In: an open capture, operands, and numbers of events. Out: Arrow batches, in order of `evt.num`.
Row groups without a wanted number are never read, and one that is asked again and again (alerts
come in portions) is decoded once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.conditions import event_rows
from falcotrace.engines.vectors import Integers, Rows
from falcotrace.rules.plan import Operand

ROWS_PER_BATCH = 1000
"""The most events of a batch: those of a deep tree of processes with long command lines are some
80 KB each."""


class EventFinder:
    """Finds events of one capture, portion by portion.

    Portions are best in ascending order: a capture that is a stream is read on from where the last
    portion ended, and from its beginning where that lies behind.

    Args:
        capture: an open capture.
        columns: what to show of each event.
    """

    def __init__(self, capture: CaptureData | StreamedCapture, columns: Sequence[Operand]) -> None:
        self.capture = capture
        self._columns = columns
        self._group: _NumberedGroup | None = None
        self._parts: Iterator[CaptureData] | None = None

    def find(self, nums: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the events with these numbers, ascending, each once.

        Raises:
            CaptureError: the capture is damaged.
        """
        wanted = np.unique(np.array(nums, np.int64))
        for group in self._groups(wanted):
            rows = group.rows_of(wanted)
            for start in range(0, len(rows), ROWS_PER_BATCH):
                portion = rows[start : start + ROWS_PER_BATCH]
                yield event_rows(group.capture, group.source, self._columns, portion)

    def _groups(self, wanted: Integers) -> "Iterator[_NumberedGroup]":
        """The row groups that may hold some of the numbers."""
        if not len(wanted):
            return
        if isinstance(self.capture, StreamedCapture):
            yield from self._streamed(self.capture, wanted)
            return
        # What a footer says may be any number, also one that numpy has no type for.
        numbers = wanted.tolist()
        for entry in self.capture.row_groups:
            if bisect_left(numbers, entry.first_num) < bisect_right(numbers, entry.last_num):
                yield self._opened(self.capture, entry.index)

    def _opened(self, capture: CaptureData, index: int) -> "_NumberedGroup":
        group = self._group
        if group is None or group.capture is not capture or group.source.index != index:
            # Let go of the last one before the next is decoded.
            self._group = None
            self._group = group = _number_group(capture, index)
        return group

    def _streamed(self, capture: StreamedCapture, wanted: Integers) -> "Iterator[_NumberedGroup]":
        if self._group is None or wanted[0] < self._group.first_num:
            self._parts, self._group = capture.stream(None), None
        assert self._parts is not None
        while True:
            if self._group is not None:
                yield self._group
                if wanted[-1] <= self._group.last_num:
                    return
            part = next(self._parts, None)
            if part is None:
                return
            self._opened(part, part.row_groups[0].index)


@dataclass(frozen=True, slots=True, eq=False)
class _NumberedGroup:
    """A row group with its rows in order of `evt.num`.

    Attributes:
        capture: where it lies.
        source: its columns.
        nums: the numbers, ascending.
        order: for each of them its row.
    """

    capture: CaptureData
    source: RowGroupSource
    nums: Integers
    order: Rows

    @property
    def first_num(self) -> int:
        """The smallest number; 0 without rows."""
        return int(self.nums[0]) if len(self.nums) else 0

    @property
    def last_num(self) -> int:
        """The largest number; 0 without rows."""
        return int(self.nums[-1]) if len(self.nums) else 0

    def rows_of(self, wanted: Integers) -> Rows:
        """The rows with some of the numbers, in their order."""
        places = np.searchsorted(self.nums, wanted)
        inside = places < len(self.nums)
        places, asked = places[inside], wanted[inside]
        return self.order[places[self.nums[places] == asked]]


def _number_group(capture: CaptureData, index: int) -> _NumberedGroup:
    source = RowGroupSource(capture, index)
    nums = source.integers("evt.num")
    order = np.argsort(nums, kind="stable")
    return _NumberedGroup(capture, source, nums[order], order)
