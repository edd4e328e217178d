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

_MAKE_SOCKETS = frozenset({"socket", "pidfd_getfd"})
"""Events that make a socket without a connection, or take one over."""

_IP_FAMILIES = (2, 10)

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
    transfers = []
    for code, params in batch.params.items():
        event = EVENT_TYPES[code]
        if event.direction == "enter" and event.origin == "syscall":
            continue
        if event.name in _TRANSFERS:
            transfers.append(code)
        elif event.name in _MOVED:
            parts.append(_moved(batch, code))
        elif event.name in read:
            fill = np.zeros(len(params.rows), np.int64)
            place = np.arange(len(params.rows))
            parts.append([params.rows, fill + MoveKind.READ, fill + code, place, fill])
    sockets = _with_duplicates(_sockets(batch, unconnected), parts)
    parts += [_transfers(batch, code, sockets) for code in transfers]
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


def _sockets(batch: EventBatch, unconnected: frozenset[int]) -> set[int]:
    """Numbers of sockets that may not be connected yet."""
    found = set(unconnected)
    for code in batch.params:
        event = EVENT_TYPES[code]
        if event.name in _MAKE_SOCKETS and event.is_exit:
            fds = numbers(batch, code, "fd", -1)
            if event.name == "socket":
                # Others cannot become IP sockets, and most programs make only such.
                fds = fds[np.isin(numbers(batch, code, "domain"), _IP_FAMILIES)]
            found.update(np.unique(fds).tolist())
    return found


def _with_duplicates(sockets: set[int], parts: list[list[Integers]]) -> Integers:
    """The same numbers, and those that they are duplicated to."""
    new_of: dict[int, set[int]] = {}
    for _, kinds, old, new, _ in parts if sockets else []:
        is_duplicate = np.asarray(kinds) == MoveKind.DUPLICATE
        pairs = np.unique((old[is_duplicate] << 32) | (new[is_duplicate] & 0xFFFF_FFFF))
        for one, other in zip((pairs >> 32).tolist(), (pairs & 0xFFFF_FFFF).tolist(), strict=True):
            new_of.setdefault(one, set()).add(other)
    found, waiting = set(sockets), list(sockets)
    while waiting:
        further = new_of.pop(waiting.pop(), set()) - found
        found |= further
        waiting.extend(further)
    return np.array(sorted(found), np.int64)


def _transfers(batch: EventBatch, code: int, sockets: Integers) -> list[Integers]:
    """Successful reads and writes of what may be a socket that is not connected yet."""
    fds = numbers(batch, code, "fd", -1)
    wanted = np.isin(fds, sockets) & (numbers(batch, code, "res", -1) >= 0)
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
