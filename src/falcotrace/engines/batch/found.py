"""What a query of the batch form found, as matches of row groups.

In: rows with numbers of which each bit is a rule. Out: matches by row group.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.engines.base import MatchBatch
from falcotrace.engines.batch.parts import Part
from falcotrace.engines.sql.split import WORD_BITS
from falcotrace.engines.vectors import Codes, Integers, Rows


def matches_by_group(
    found: pa.Table, part: Part, places: Codes, words: int
) -> dict[tuple[Capture, int], list[MatchBatch]]:
    """Sort what the query found into row groups."""
    files, rows, nums, times = (found[name].to_numpy() for name in ("file", "row", "num", "time"))
    rules, events = _expand([found[f"m{word}"].to_numpy() for word in range(words)])
    batches: dict[tuple[Capture, int], list[MatchBatch]] = {}
    order = np.argsort(files.take(events), kind="stable")
    events, rules = events.take(order), rules.take(order)
    ends = np.cumsum(np.bincount(files.take(events).astype(np.int64), minlength=len(part.captures)))
    for capture, start, end in zip(part.captures, (0, *ends[:-1]), ends, strict=True):
        starts = np.cumsum([0, *(group.row_count for group in capture.row_groups)])
        of_file, of_rules = events[start:end], rules[start:end]
        groups = np.searchsorted(starts, rows.take(of_file), side="right") - 1
        for index in np.unique(groups).tolist():
            inside = np.flatnonzero(groups == index)
            chosen = of_file.take(inside)
            batches[(capture, index)] = [
                MatchBatch(
                    places.take(of_rules.take(inside)),
                    rows.take(chosen) - starts[index],
                    nums.take(chosen),
                    times.take(chosen),
                )
            ]
    return batches


def _expand(words: Sequence[Integers]) -> tuple[Codes, Rows]:
    """For each bit that is set, its place and the event that has it."""
    places: list[Codes] = []
    events: list[Rows] = []
    for number, word in enumerate(words):
        for bit in range(WORD_BITS):
            having = np.flatnonzero(word & (1 << bit))
            if len(having):
                events.append(having)
                places.append(np.full(len(having), number * WORD_BITS + bit, np.int32))
    if not events:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    return np.concatenate(places), np.concatenate(events)
