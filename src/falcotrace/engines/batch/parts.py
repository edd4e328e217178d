"""What one query of the batch form reads: many small captures, or some row groups of a large one.

In: open captures. Out: parts. So memory is bounded whatever is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from falcotrace.capture.reader import Capture, RowGroup
from falcotrace.engines.base import ScanOptions

_PART_ROWS = 8_000_000
_PART_FILES = 100

_Group = tuple[Capture, RowGroup]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Row groups that one query asks: all of some captures, or some of a single one."""

    groups: tuple[_Group, ...]
    is_whole: bool

    @property
    def captures(self) -> tuple[Capture, ...]:
        """The captures, in order."""
        return tuple(dict.fromkeys(capture for capture, _ in self.groups))

    def groups_of(self, capture: Capture) -> tuple[RowGroup, ...]:
        """The row groups of one capture."""
        return tuple(group for owner, group in self.groups if owner is capture)


def cut_into_parts(captures: Sequence[Capture], options: ScanOptions) -> Iterator[Part]:
    """Cut captures into parts; row groups outside the time that is asked are left out."""
    whole: list[_Group] = []
    files = 0
    for capture in captures:
        groups = [
            (capture, group)
            for group in capture.row_groups
            if options.overlaps(group.first_time_ns, group.last_time_ns)
        ]
        if whole and (files == _PART_FILES or _row_count(whole) + _row_count(groups) > _PART_ROWS):
            yield Part(tuple(whole), is_whole=True)
            whole, files = [], 0
        if _row_count(groups) > _PART_ROWS:
            yield from _slices(groups)
        elif groups:
            whole += groups
            files += 1
    if whole:
        yield Part(tuple(whole), is_whole=True)


def _slices(groups: Sequence[_Group]) -> Iterator[Part]:
    """Cut one capture."""
    taken: list[_Group] = []
    for capture, group in groups:
        if taken and _row_count(taken) + group.row_count > _PART_ROWS:
            yield Part(tuple(taken), is_whole=False)
            taken = []
        taken.append((capture, group))
    yield Part(tuple(taken), is_whole=False)


def _row_count(groups: Sequence[_Group]) -> int:
    return sum(group.row_count for _, group in groups)
