"""Processes that keep their identity: who they are, who started them, what they executed.

In: states of processes. Out: `Process` objects. A process is known by its host, boot, pid and start
time, so that a pid that is used again never joins two lives.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS
from falcotrace.investigate.births import Birth, read_births
from falcotrace.investigate.process import Process, ProcessKey, Program, process_table
from falcotrace.investigate.process_states import ProcessStates, read_states

if TYPE_CHECKING:
    import pandas as pd

    from falcotrace.investigate.activities import Activities

_TABLES_KEPT = 4
"""Process tables of which the ancestors are kept: reading one anew for each process takes long."""

_ANCESTORS_MAX = 64
"""More generations than this are not followed: Linux gives no such chains, damaged files might."""


class Processes:
    """The processes of some captures, in the order in which they were first seen.

    Args:
        captures: in order of time.

    Raises:
        CaptureError: a capture is damaged.
    """

    def __init__(self, captures: Sequence[Capture]) -> None:
        self._captures = captures
        self._states: ProcessStates = read_states(captures)
        self._made: dict[int, Process] = {}
        self._parents: dict[int, Process | None] = {}
        self._tables: dict[tuple[int, int], tuple[dict[int, int], dict[str, pa.ChunkedArray]]] = {}

    def __len__(self) -> int:
        return len(self._states.firsts)

    def __iter__(self) -> Iterator[Process]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Process:
        found = self._made.get(number)
        if found is None:
            found = self._made[number] = self._make(number)
        return found

    @cached_property
    def activities(self) -> "Activities":
        """What they did."""
        from falcotrace.investigate.activities import Activities  # noqa: PLC0415 - it needs this

        return Activities(self._captures, self)

    def arrow(self) -> pa.Table:
        """One row for each process."""
        return process_table(self)

    def df(self) -> "pd.DataFrame":
        """One row for each process, as a data frame; needs pandas."""
        return self.arrow().to_pandas()

    def _repr_html_(self) -> str:
        from falcotrace.outputs.html import ROWS_MAX, rows_html  # noqa: PLC0415 - Jupyter's

        more = len(self) - ROWS_MAX
        notes = [f"{more:,} more processes are not shown here"] if more > 0 else []
        return rows_html(process_table(islice(self, ROWS_MAX)), notes)

    def find(self, *, pid: int | None = None, name: str | None = None) -> tuple[Process, ...]:
        """Processes with that pid, or that had that name."""
        numbers = range(len(self)) if pid is None else [n for _, n in self._by_pid.get(pid, ())]
        return tuple(
            self[n]
            for n in numbers
            if name is None or any(p.name == name for p in self[n].programs)
        )

    def of_key(self, capture: int, key: int) -> Process:
        """The process with a `proc.key`, in the capture of that number.

        Raises:
            CaptureError: the capture has no such state.
        """
        number = self._by_key.get((capture, key))
        if number is None:
            raise CaptureError(self._captures[capture].path, f"has no process state {key}")
        return self[number]

    def numbers_of(self, capture: int) -> dict[int, int]:
        """By `proc.key`, the numbers of processes in one capture."""
        chosen = self._states.capture == capture
        keys = self._states.key[chosen].tolist()
        return dict(zip(keys, self._states.process[chosen].tolist(), strict=True))

    def parent(self, process: Process) -> Process | None:
        """Who started it; None where nobody knows. Who inherits an orphan did not start it."""
        if not process.is_recorded:
            return None
        if process.number not in self._parents:
            self._parents[process.number] = self._parent(process)
        return self._parents[process.number]

    def ancestors(self, process: Process) -> tuple[Process, ...]:
        """Its parent, the parent of that, and so on, as far as anybody knows.

        Ancestors that did nothing while it was recorded are known from their descendants.
        """
        found: list[Process] = []
        current: Process = process
        while len(found) < _ANCESTORS_MAX:
            parent = self.parent(current)
            if parent is None or parent in (process, *found):
                break
            found.append(parent)
            if not parent.is_recorded:
                return (*found, *self._beyond(current))
            current = parent
        return tuple(found)

    def children(self, process: Process) -> tuple[Process, ...]:
        """What it started, in order."""
        return tuple(self[number] for number in self._children.get(process.key, ()))

    def descendants(self, process: Process) -> Iterator[tuple[int, Process]]:
        """What it started and what that started, each with its depth below; parents come first."""
        waiting = [(1, child) for child in reversed(self.children(process))]
        seen = {process.key}
        while waiting:
            depth, current = waiting.pop()
            if current.key in seen:
                continue
            seen.add(current.key)
            yield depth, current
            waiting += [(depth + 1, child) for child in reversed(self.children(current))]

    def with_descendants(self, processes: Iterable[Process]) -> list[Process]:
        """Processes and what they started, each once."""
        found: dict[Process, None] = {}
        for process in processes:
            found[process] = None
            found.update(dict.fromkeys(child for _, child in self.descendants(process)))
        return list(found)

    def _make(self, number: int) -> Process:
        states = self._states
        mine = self._states_of(number)
        first, last = mine[0], mine[-1]
        host = self._captures[int(states.capture[first])].footer.host
        start_ns = int(states.start_ns[first])
        return Process(
            ProcessKey(host.hostname, host.boot_id, int(states.pid[first]), start_ns),
            number,
            self._programs(mine),
            self,
            states.text("user.loginname", last),
            states.text("container.id", last),
            states.text("container.name", last),
            states.text("container.image.repository", last),
        )

    def _programs(self, mine: Sequence[int]) -> tuple[Program, ...]:
        found: dict[tuple[str, str], Program] = {}
        last: tuple[str, str] | None = None
        programs: list[Program] = []
        for state in mine:
            columns = ("proc.name", "proc.exepath", "proc.cmdline", "proc.cwd", "user.name")
            name, exepath, cmdline, cwd, user = (self._states.text(c, state) for c in columns)
            if last != (exepath, cmdline):
                last = (exepath, cmdline)
                programs.append(found.setdefault(last, Program(name, exepath, cmdline, cwd, user)))
        return tuple(programs)

    @cached_property
    def _order(self) -> tuple[list[int], list[int]]:
        """States by process, and where each process's begin."""
        process = self._states.process
        order = process.argsort(kind="stable")
        begins = process[order].searchsorted(range(len(self) + 1))
        return order.tolist(), begins.tolist()

    def _states_of(self, number: int) -> list[int]:
        order, begins = self._order
        return order[begins[number] : begins[number + 1]]

    @cached_property
    def _by_key(self) -> dict[tuple[int, int], int]:
        states = self._states
        places = zip(states.capture.tolist(), states.key.tolist(), strict=True)
        return dict(zip(places, states.process.tolist(), strict=True))

    @cached_property
    def _by_pid(self) -> dict[int, list[tuple[int, int]]]:
        """By pid, starts and numbers of processes, in order of their starts."""
        found: dict[int, list[tuple[int, int]]] = {}
        firsts = self._states.firsts
        starts, pids = self._states.start_ns[firsts].tolist(), self._states.pid[firsts].tolist()
        for number, (start, pid) in enumerate(zip(starts, pids, strict=True)):
            found.setdefault(pid, []).append((start, number))
        for lives in found.values():
            lives.sort()
        return found

    @cached_property
    def _children(self) -> dict[ProcessKey, list[int]]:
        found: dict[ProcessKey, list[int]] = {}
        for number in range(len(self)):
            parent = self._parent_number(number)
            if parent is not None:
                found.setdefault(self[parent].key, []).append(number)
        return found

    def birth(self, process: Process) -> Birth | None:
        """The fork that made it, if the parent was recorded."""
        return self._births.get(process.number)

    @cached_property
    def _births(self) -> dict[int, Birth]:
        numbers = [self.numbers_of(capture) for capture in range(len(self._captures))]
        return read_births(self._captures, self._states, numbers)

    def _parent_number(self, number: int) -> int | None:
        """Who forked it; else the life of the parent's pid that was going on when it began."""
        birth = self._births.get(number)
        if birth is not None:
            return birth.parent
        states = self._states
        first = int(states.firsts[number])
        ppid = int(states.ppid[first])
        boot = self._boot_of(number)
        known_start = int(states.parent_start_ns[first])
        start_ns = known_start or int(states.start_ns[first])
        found = self._life_at(boot, ppid, start_ns)
        if found is None or found == number:
            return None
        life_start = int(states.start_ns[states.firsts[found]])
        return found if life_start == known_start or not known_start else None

    def _boot_of(self, number: int) -> tuple[str, str]:
        host = self._captures[int(self._states.capture[self._states.firsts[number]])].footer.host
        return (host.hostname, host.boot_id)

    def _parent(self, process: Process) -> Process | None:
        number = self._parent_number(process.number)
        if number is not None:
            return self[number]
        ancestors = self._known_ancestors(process)
        return ancestors[0] if ancestors else None

    def _beyond(self, process: Process) -> tuple[Process, ...]:
        """The ancestors behind its parent, as it names them."""
        return tuple(
            self._life_of(ancestor, process) for ancestor in self._known_ancestors(process)[1:]
        )

    def _life_of(self, ancestor: Process, process: Process) -> Process:
        """An ancestor whose start its descendant does not tell: the life that was going on then."""
        boot = (process.key.hostname, process.key.boot_id)
        number = self._life_at(boot, ancestor.pid, process.start_ns)
        if number is not None:
            return self[number]
        starts = self._parent_starts.get((*boot, ancestor.pid), ())
        place = bisect_right(starts, process.start_ns)
        if not place:
            return ancestor
        key = replace(ancestor.key, start_ns=starts[place - 1])
        return replace(ancestor, key=key)

    def _life_at(self, boot: tuple[str, str], pid: int, time_ns: int) -> int | None:
        """The process that had a pid at a time (0: nobody knows when); None without any."""
        lives = [one for one in self._by_pid.get(pid, ()) if self._boot_of(one[1]) == boot]
        if not time_ns:
            # Nobody knows when; of several lives none is likelier than another.
            return lives[0][1] if len(lives) == 1 else None
        place = bisect_right(lives, time_ns, key=lambda life: life[0])
        return lives[place - 1][1] if place else None

    @cached_property
    def _parent_starts(self) -> dict[tuple[str, str, int], list[int]]:
        """When parents began, by boot and pid, as their children tell: some did nothing since."""
        states = self._states
        firsts = states.firsts[states.parent_start_ns[states.firsts] > 0]
        columns = (states.capture, states.ppid, states.parent_start_ns)
        found: dict[tuple[str, str, int], set[int]] = {}
        for capture, pid, start in zip(*(c[firsts].tolist() for c in columns), strict=True):
            host = self._captures[capture].footer.host
            found.setdefault((host.hostname, host.boot_id, pid), set()).add(start)
        return {key: sorted(starts) for key, starts in found.items()}

    def _ancestry(
        self, capture: int, row_group: int
    ) -> tuple[dict[int, int], dict[str, pa.ChunkedArray]]:
        """Ancestors in a process table, and rows by `proc.key`; the last tables are kept."""
        place = (capture, row_group)
        if place not in self._tables:
            table = self._captures[capture].processes(row_group)
            if len(self._tables) >= _TABLES_KEPT:
                self._tables.pop(next(iter(self._tables)))
            rows = {key: row for row, key in enumerate(table["proc.key"].to_pylist())}
            self._tables[place] = (rows, {name: table[name] for name in _ANCESTRY})
        return self._tables[place]

    def _known_ancestors(self, process: Process) -> tuple[Process, ...]:
        """Ancestors as the first state of a process names them."""
        states = self._states
        first = self._states_of(process.number)[0]
        rows, columns = self._ancestry(int(states.capture[first]), int(states.row_group[first]))
        row = rows[int(states.key[first])]
        lists = {name: column[row].as_py() or [] for name, column in columns.items()}
        parent_start = int(states.parent_start_ns[first])
        host = process.key
        return tuple(
            Process(
                ProcessKey(host.hostname, host.boot_id, pid, parent_start if place == 0 else 0),
                -1,
                (Program(*(_at(lists[name], place) for name in _ANCESTRY[1:])),),
                self,
            )
            for place, pid in enumerate(lists["proc.apid"])
        )


_ANCESTRY = ("proc.apid", "proc.aname", "proc.aexepath", "proc.acmdline")
assert all(name in COLUMNS for name in _ANCESTRY)


def _at(values: Sequence[str | None], place: int) -> str:
    return (values[place] or "") if place < len(values) else ""
