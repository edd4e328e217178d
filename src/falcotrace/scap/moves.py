"""Events that change the state, as lists that a loop can go through.

In: an `EventBatch`. Out: `Moves`, ascending by row. Most of them only move numbers of descriptors
(open, close, dup) and are read from whole columns; the others are named by their code and read one
by one.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.opens import AT_FDCWD, O_CLOEXEC, Opens
from falcotrace.scap.parameters import numbers

Integers = npt.NDArray[np.int64]

_F_DUPFD, _F_SETFD, _F_DUPFD_CLOEXEC = 1, 3, 26

_TRANSFERS = frozenset({"read", "write", "readv", "writev", "pread", "pwrite", "preadv", "pwritev"})
"""Events that connect an IP socket when they succeed."""

_MOVED = frozenset({"close", "dup", "dup2", "dup3", "fcntl"})


class MoveKind(IntEnum):
    """What an event does, with the meaning of the numbers that go with it.

    OPEN: the new number; `directory << 1 | closed at an exec`, where the directory is below
    `AT_FDCWD` for absolute names; its place among the opens. CLOSE, TRANSFER: the number.
    DUPLICATE: old number, new number, closed at an exec. SET_CLOSING: the number, closed at an
    exec. READ: code and place among the events of the code.
    """

    OPEN = 0
    CLOSE = 1
    DUPLICATE = 2
    SET_CLOSING = 3
    TRANSFER = 4
    READ = 5


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Events that change the state.

    Attributes:
        rows: the events.
        items: for each of them row, thread, `MoveKind` and three numbers, see there.
        reads: places of those of kind READ, and the end.
    """

    rows: list[int]
    items: list[tuple[int, int, int, int, int, int]]
    reads: list[int]

    def __len__(self) -> int:
        return len(self.rows)


def find_moves(
    batch: EventBatch, opens: Opens, read: frozenset[str], unconnected: frozenset[int]
) -> Moves:
    """All of a batch.

    Args:
        batch: the events.
        opens: its opens.
        read: names of events to be read one by one.
        unconnected: numbers of sockets that a transfer may connect.
    """
    parts = [_opens(opens)]
    for code, params in batch.params.items():
        event = EVENT_TYPES[code]
        if event.direction == "enter" and event.origin == "syscall":
            continue
        if event.name in _TRANSFERS:
            parts.append(_transfers(batch, code, unconnected))
        elif event.name in _MOVED:
            parts.append(_moved(batch, code))
        elif event.name in read:
            fill = np.zeros(len(params.rows), np.int64)
            place = np.arange(len(params.rows))
            parts.append([params.rows, fill + MoveKind.READ, fill + code, place, fill])
    merged = [np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True)]
    order = np.argsort(merged[0], kind="stable")
    rows, *others = (column[order] for column in merged)
    reads = np.flatnonzero(others[0] == MoveKind.READ)
    listed = rows.tolist()
    columns = (part.tolist() for part in (batch.tids[rows], *others))
    items = list(zip(listed, *columns, strict=True))
    return Moves(listed, items, [*reads.tolist(), len(listed)])


def _opens(opens: Opens) -> list[Integers]:
    count = len(opens.rows)
    is_closing = (opens.flags & O_CLOEXEC) != 0
    relative = np.where(opens.is_relative, opens.dirfds, AT_FDCWD - 1)
    packed = (relative << 1) | is_closing
    return [opens.rows, np.full(count, MoveKind.OPEN), opens.fds, packed, np.arange(count)]


def _transfers(batch: EventBatch, code: int, unconnected: frozenset[int]) -> list[Integers]:
    """Successful reads and writes of what may be a socket that is not connected yet."""
    fds = numbers(batch, code, "fd", -1)
    made = [
        numbers(batch, socket, "fd", -1)
        for socket in batch.params
        if EVENT_TYPES[socket].name == "socket" and EVENT_TYPES[socket].is_exit
    ]
    candidates = np.concatenate([np.array(sorted(unconnected), np.int64), *made])
    wanted = np.isin(fds, candidates) & (numbers(batch, code, "res", -1) >= 0)
    rows = batch.params[code].rows[wanted]
    zeros = np.zeros(len(rows), np.int64)
    return [rows, zeros + MoveKind.TRANSFER, fds[wanted], zeros, zeros]


def _moved(batch: EventBatch, code: int) -> list[Integers]:
    """Successful events that only move numbers."""
    rows = batch.params[code].rows
    zeros = np.zeros(len(rows), np.int64)
    results = numbers(batch, code, "res", -1)
    wanted = results >= 0
    match EVENT_TYPES[code].name:
        case "close":
            columns = [rows, zeros + MoveKind.CLOSE, numbers(batch, code, "fd", -1), zeros, zeros]
        case "fcntl":
            commands = numbers(batch, code, "cmd")
            is_dup = (commands == _F_DUPFD) | (commands == _F_DUPFD_CLOEXEC)
            kinds = np.where(is_dup, MoveKind.DUPLICATE, MoveKind.SET_CLOSING)
            fds = numbers(batch, code, "fd", -1)
            second = np.where(is_dup, results, numbers(batch, code, "arg") & 1)
            closing = (commands == _F_DUPFD_CLOEXEC).astype(np.int64)
            columns = [rows, kinds, fds, second, closing]
            wanted &= is_dup | (commands == _F_SETFD)
        case name:
            old = numbers(batch, code, "oldfd", -1)
            flags = numbers(batch, code, "flags") if name == "dup3" else zeros
            closing = ((flags & O_CLOEXEC) != 0).astype(np.int64)
            columns = [rows, zeros + MoveKind.DUPLICATE, old, results, closing]
    return [column[wanted] for column in columns]
