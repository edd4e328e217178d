"""What is remembered of threads during a batch: names by number, memory, sizes of processes.

In: entries as they come and go. Out: names of any thread at any event, and counters, without going
through the events.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from falcotrace.scap.last_before import LastBefore
from falcotrace.scap.threads import Thread

Integers = npt.NDArray[np.int64]

Usage = tuple[int, int, int, int, int]


@dataclass(slots=True, eq=False)
class ThreadLog:
    """Changes in the order of their rows.

    Attributes:
        names: thread, row and name; None from where on there is no entry.
        usage: thread, row and numbers of `usage.MEMBERS`.
        sizes: number of the process's table of descriptors, row, threads that are alive, and how
            many of those are not the first.
    """

    names: list[tuple[int, int, str | None]] = field(default_factory=list)
    usage: list[tuple[int, int, Usage]] = field(default_factory=list)
    sizes: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, thread: Thread, row: int) -> None:
        """From this row on, a thread is called so and uses so much."""
        self.usage.append((thread.tid, row, thread.usage))
        self.rename(thread, row)

    def rename(self, thread: Thread, row: int) -> None:
        """From this row on, a thread is called so, and its process may have become known."""
        self.names.append((thread.tid, row, thread.comm))
        self.add_size(thread, row)

    def add_size(self, thread: Thread, row: int) -> None:
        """From this row on, a process has so many threads."""
        group = thread.group
        if group is None:
            return
        main = group.threads.get(group.pid)
        alive = group.alive_count
        others = alive if main is None or main.is_dead else alive - 1
        self.sizes.append((thread.descriptors.number, row, alive, others))

    def remove(self, thread: Thread, row: int) -> None:
        """From this row on, there is no such thread."""
        self.names.append((thread.tid, row, None))
        self.add_size(thread, row)

    def gone(self) -> list[tuple[int, int]]:
        """Threads whose entries were removed, and from which row on."""
        return [(tid, row) for tid, row, name in self.names if name is None]


class ThreadNames:
    """Names of threads by number, as of any event of a batch."""

    def __init__(self, log: ThreadLog, row_count: int) -> None:
        self._texts = [name for _, _, name in log.names]
        tids = np.array([tid for tid, _, _ in log.names], np.int64)
        rows = np.array([row for _, row, _ in log.names], np.int64)
        self._last = LastBefore(tids, rows, row_count)

    def places(self, rows: Integers, tids: Integers) -> Integers:
        """For each question the place of its answer; -1 for an unknown thread."""
        return self._last.find(tids, rows)

    def name(self, place: int) -> str | None:
        """The answer at a place."""
        return None if place < 0 else self._texts[place]
