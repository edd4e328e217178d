"""Processes that use io_uring: what they ask a ring for is not all told, so the capture names them.

In: the samples of a block, once its descriptions have been taken in. Out: for the footer, a process
each, with how many rings it had and how many of its requests are in the capture. A loop for each
ring and each such process, none for each event.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.capture.footer import PartlyBlind
from falcotrace.record.known import MergedEvents
from falcotrace.record.layout import FileKind, HeaderFlag, SampleType
from falcotrace.record.processes import Processes
from falcotrace.record.samples import SampleBlock
from falcotrace.record.states import State

RING_NAME = "[io_uring]"
"""Name of a ring's anonymous inode (Linux io_uring/io_uring.c, io_uring_get_file)."""

MOST_PROCESSES = 1024
"""Of more, only the number of requests and rings is kept, in one entry with pid 0."""


@dataclass(slots=True)
class Rings:
    """The processes of a recording that had a ring.

    Args:
        found: those that were found before, as a checkpoint has them.
    """

    found: Iterable[PartlyBlind] = ()
    _entries: dict[tuple[int, int], PartlyBlind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._entries = {(entry.pid, entry.start_ns): entry for entry in self.found}

    def note(self, block: SampleBlock, events: MergedEvents, processes: Processes) -> None:
        """Take in the rings of a block and what was asked of them."""
        files = block.fixed(SampleType.FILE)
        anonymous = np.flatnonzero(files["kind"] == FileKind.ANON)
        if len(anonymous):
            _path, names = block.string_spans(SampleType.FILE, files)
            for index in anonymous.tolist():
                if block.text(*names[index].tolist()) == RING_NAME:
                    self._add(processes.state_of_thread(int(files["tid"][index])), rings=1)
        asked = events.fixed["flags"] & HeaderFlag.IO_URING != 0
        if asked.any():
            ids, which = distinct(events.fixed["process_id"][asked])
            counts = np.bincount(which, minlength=len(ids))
            for process_id, count in zip(ids.tolist(), counts.tolist(), strict=True):
                self._add(processes.states.get(process_id), requests=count)

    def account(self) -> list[PartlyBlind]:
        """What was found so far, in the order in which it was found."""
        return list(self._entries.values())

    def _add(self, state: State | None, rings: int = 0, requests: int = 0) -> None:
        key = state.identity if state else (0, 0)
        if key not in self._entries and len(self._entries) >= MOST_PROCESSES:
            state, key = None, (0, 0)
        entry = self._entries.get(key) or PartlyBlind(
            pid=key[0],
            start_ns=key[1],
            name=state.comm if state else "",
            exepath=state.image.exepath if state else "",
        )
        self._entries[key] = msgspec.structs.replace(
            entry,
            ring_count=entry.ring_count + rings,
            request_count=entry.request_count + requests,
        )
