"""All states of all processes of some captures, as columns in order of time.

In: open captures. Out: one row for each `proc.key`, and which process it belongs to. Read from the
process tables beside row groups: no event is looked at, so 20 M events take half a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from falcotrace.capture.reader import Capture

STATE_TEXTS = (
    "proc.name",
    "proc.exepath",
    "proc.cmdline",
    "proc.cwd",
    "user.name",
    "user.loginname",
    "container.id",
    "container.name",
    "container.image.repository",
)
"""What is kept of a state, as text."""

_NUMBERS = (
    *("proc.key", "proc.pid", "proc.start", "proc.pid_ts", "proc.ppid", "proc.ppid_ts"),
    *("proc.vpid", "proc.pidns"),
)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ProcessStates:
    """States of processes, in order of time.

    Attributes:
        capture: number of the capture, by state.
        row_group: the first row group that has it.
        key: its `proc.key`.
        pid: process id.
        start_ns: when the process began, ns since the epoch; 0 where nobody knows.
        ppid: its parent then; 0 without one.
        parent_start_ns: when that began; 0 where nobody knows.
        vpid: process id in its own pid namespace.
        pidns: inode of that.
        texts: columns of `STATE_TEXTS`.
        process: number of the process, by state; processes are numbered by their first state.
        firsts: the first state, by process.
    """

    capture: Numbers
    row_group: Numbers
    key: Numbers
    pid: Numbers
    start_ns: Numbers
    ppid: Numbers
    parent_start_ns: Numbers
    vpid: Numbers
    pidns: Numbers
    texts: dict[str, pa.ChunkedArray]
    process: Numbers
    firsts: Numbers

    def text(self, column: str, state: int) -> str:
        """A text of a state; empty where it has none."""
        value: str | None = self.texts[column][state].as_py()
        return value or ""


def read_states(captures: Sequence[Capture]) -> ProcessStates:
    """Read the states of all processes.

    Args:
        captures: in order of time.

    Raises:
        CaptureError: one is damaged.
    """
    tables = [
        _states_of(capture, number, group.index)
        for number, capture in enumerate(captures)
        for group in capture.row_groups
        if group.row_count
    ]
    if not tables:
        tables = [_empty()]
    table = _first_of_each_key(pa.concat_tables(tables))
    numbers = {name: _integers(table[name]) for name in ("capture", "row_group", *_NUMBERS)}
    start = np.where(numbers["proc.start"] > 0, numbers["proc.start"], numbers["proc.pid_ts"])
    boots = _boots(captures)[numbers["capture"]] if len(table) else numbers["capture"]
    process, firsts = _number(boots, numbers["proc.pid"], start)
    return ProcessStates(
        numbers["capture"],
        numbers["row_group"],
        numbers["proc.key"],
        numbers["proc.pid"],
        start,
        numbers["proc.ppid"],
        numbers["proc.ppid_ts"],
        numbers["proc.vpid"],
        numbers["proc.pidns"],
        {name: table[name] for name in STATE_TEXTS},
        process,
        firsts,
    )


def _states_of(capture: Capture, number: int, row_group: int) -> pa.Table:
    states = capture.processes(row_group)
    columns: dict[str, Any] = {name: states[name] for name in (*_NUMBERS, *STATE_TEXTS)}
    rows = len(columns["proc.key"])
    columns = {
        name: column.cast(pa.string() if name in STATE_TEXTS else pa.int64())
        for name, column in columns.items()
    }
    columns["capture"] = pa.array(np.full(rows, number))
    columns["row_group"] = pa.array(np.full(rows, row_group))
    return pa.table(columns)


def _empty() -> pa.Table:
    names = ("capture", "row_group", *_NUMBERS)
    numbers = {name: pa.array([], pa.int64()) for name in names}
    return pa.table({**numbers, **{name: pa.array([], pa.string()) for name in STATE_TEXTS}})


def _first_of_each_key(table: pa.Table) -> pa.Table:
    """A state stands beside every row group in which it occurs; keys are given in order of time."""
    key = _integers(table["proc.key"])
    capture = _integers(table["capture"])
    order = np.lexsort((np.arange(len(key)), key, capture))
    is_new = np.ones(len(order), bool)
    is_new[1:] = (np.diff(key[order]) != 0) | (np.diff(capture[order]) != 0)
    return table.take(pa.array(order[is_new]))


def _integers(column: pa.ChunkedArray) -> Numbers:
    filled = pc.fill_null(column, 0)
    return np.asarray(filled.combine_chunks().to_numpy(zero_copy_only=False), np.int64)


def _boots(captures: Sequence[Capture]) -> Numbers:
    """By capture, a number of the host and its boot."""
    numbers: dict[tuple[str, str], int] = {}
    found = [(one.footer.host.hostname, one.footer.host.boot_id) for one in captures]
    return np.array([numbers.setdefault(boot, len(numbers)) for boot in found], np.int64)


def _number(boots: Numbers, pids: Numbers, starts: Numbers) -> tuple[Numbers, Numbers]:
    """Number processes in the order of their first states."""
    if not len(pids):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((np.arange(len(pids)), starts, pids, boots))
    changed = np.zeros(len(order), bool)
    changed[0] = True
    for column in (boots, pids, starts):
        changed[1:] |= np.diff(column[order]) != 0
    sorted_firsts = order[changed]
    rank = np.argsort(np.argsort(sorted_firsts))
    process = np.empty(len(order), np.int64)
    process[order] = rank[np.cumsum(changed) - 1]
    return process, np.sort(sorted_firsts)
