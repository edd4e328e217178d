"""The order in which packets of conversations would have gone over a wire.

In: moves of conversations in the order of events. Out: packets with the numbers of TCP. A
connection gets a handshake before its first move and an end behind its last; what was moved and not
recorded is jumped over in the numbers, as if those packets had been lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.model import Conversation
from falcotrace.network.packets import ACK, FIN, PUSH, SYN, Ends, Packets
from falcotrace.network.ragged import starts_of
from falcotrace.network.traffic import Direction

SEGMENT_BYTES_MAX = 32_768

OPEN, MOVE, CLOSE = 0, 1, 2
"""Kinds of steps, in the order in which they stand at one event."""

_OPEN_FLAGS = (SYN, SYN | ACK, ACK)
_CLOSE_FLAGS = (FIN | ACK, FIN | ACK, ACK)
_CONTROL_FROM_CLIENT = np.array([True, False, True])
_CONTROL_PACKETS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Moves, beginnings and ends in their order, an entry for each.

    Attributes:
        conversations: places of conversations among those that are written.
        kinds: OPEN, MOVE or CLOSE.
        is_from_client: of moves, who sent.
        moved: of moves, the bytes.
        data_starts: where the contents of a move begin.
        data_lengths: how many there are.
        files: captures of the events.
        nums: events.
        times_ns: when.
        batch_rows: rows of moves in their batch; -1 of others.
    """

    conversations: Integers
    kinds: Integers
    is_from_client: Bools
    moved: Integers
    data_starts: Integers
    data_lengths: Integers
    files: Integers
    nums: Integers
    times_ns: Integers
    batch_rows: Integers

    def take(self, rows: Integers) -> "Steps":
        """Some of the steps, in the order of `rows`."""
        return Steps(*(getattr(self, name)[rows] for name in self.__slots__))


def control_steps(conversations: Sequence[Conversation]) -> Steps:
    """Beginnings of TCP connections, and ends of those that ended, in the order of events."""
    tcp = [(place, item) for place, item in enumerate(conversations) if item.transport == "tcp"]
    found = [(place, OPEN, item.first) for place, item in tcp]
    found += [
        (place, CLOSE, item.last)
        for place, item in tcp
        if any(end.was_closed for end in item.sockets)
    ]
    found.sort(key=lambda item: (item[2], item[1]))
    count = len(found)
    columns = [
        [
            (place, kind, event.file, event.num, event.time_ns)[column]
            for place, kind, event in found
        ]
        for column in range(5)
    ]
    places, kinds, files, nums, times_ns = (np.array(column, np.int64) for column in columns)
    nothing = np.zeros(count, np.int64)
    return Steps(
        conversations=places,
        kinds=kinds,
        is_from_client=np.ones(count, np.bool_),
        moved=nothing,
        data_starts=nothing,
        data_lengths=nothing,
        files=files,
        nums=nums,
        times_ns=times_ns,
        batch_rows=nothing - 1,
    )


def move_steps(
    batch: pa.RecordBatch, directions: Mapping[Direction, tuple[int, bool]], data_starts: Integers
) -> Steps:
    """The moves of a batch.

    Args:
        batch: of `Traffic.moves_in_time`.
        directions: the conversation of each direction, and whether the client is the sender.
        data_starts: where the contents of each move begin, and the end of the last.
    """
    keys = batch["socket"].to_numpy() * 2 + batch["is_sent"].to_numpy(zero_copy_only=False)
    distinct, indices = np.unique(keys, return_inverse=True)
    known = [directions[key >> 1, bool(key & 1)] for key in distinct.tolist()]
    return Steps(
        conversations=np.array([place for place, _ in known], np.int64)[indices],
        kinds=np.full(len(keys), MOVE),
        is_from_client=np.array([is_client for _, is_client in known], np.bool_)[indices],
        moved=batch["moved_bytes"].to_numpy(),
        data_starts=data_starts[:-1],
        data_lengths=np.diff(data_starts),
        files=batch["file"].to_numpy().astype(np.int64),
        nums=batch["num"].to_numpy(),
        times_ns=batch["time_ns"].to_numpy(),
        batch_rows=np.arange(len(keys)),
    )


def merge_steps(first: Steps, second: Steps) -> Steps:
    """Steps of two lists in the order of events."""
    joined = Steps(
        *(np.concatenate([getattr(first, name), getattr(second, name)]) for name in Steps.__slots__)
    )
    return joined.take(np.lexsort((joined.kinds, joined.nums, joined.files)))


class Numbering:
    """Turns steps into packets; knows how far each direction of each conversation is."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._next = np.zeros((len(ends.is_udp), 2), np.int64)

    def packets(self, steps: Steps) -> tuple[Packets, Integers]:
        """Packets of steps, and the place of each one's step."""
        is_udp = self._ends.is_udp[steps.conversations]
        sequences, acknowledged = self._numbers(steps)
        is_control = steps.kinds != MOVE
        pieces = np.maximum(-(-steps.data_lengths // SEGMENT_BYTES_MAX), 1)
        counts = np.where(is_control, _CONTROL_PACKETS, np.where(is_udp, 1, pieces))
        rows = np.repeat(np.arange(len(counts)), counts)
        nth = np.arange(len(rows)) - starts_of(counts)[:-1][rows]
        skipped = np.where(is_control | is_udp, 0, SEGMENT_BYTES_MAX)[rows] * nth
        lengths = steps.data_lengths[rows] - skipped
        lengths = np.where(is_udp[rows], lengths, np.minimum(lengths, SEGMENT_BYTES_MAX))
        control = is_control[rows]
        from_client = np.where(
            control, _CONTROL_FROM_CLIENT[nth % _CONTROL_PACKETS], steps.is_from_client[rows]
        )
        # Each end's first and last packet take a number of their own.
        own, other = sequences[rows], acknowledged[rows]
        own = np.where(control & ~from_client, acknowledged[rows], own)
        other = np.where(control & ~from_client, sequences[rows], other)
        own = own + np.where(control & (nth == 2), 1, 0)
        other = other + np.where(control & (nth >= 1), 1, 0)
        packets = Packets(
            conversations=steps.conversations[rows],
            is_from_client=from_client,
            flags=_flags(steps.kinds[rows], nth, lengths),
            sequences=own & 0xFFFFFFFF,
            acknowledged=other & 0xFFFFFFFF,
            data_starts=steps.data_starts[rows] + skipped,
            data_lengths=lengths,
            missing_lengths=np.where(is_udp, steps.moved - steps.data_lengths, 0)[rows],
        )
        return packets, rows

    def _numbers(self, steps: Steps) -> tuple[Integers, Integers]:
        """For each step how far its sender is, and the other end (of controls client, server)."""
        order = np.argsort(steps.conversations, kind="stable")
        numbers = steps.conversations[order]
        is_first = np.diff(numbers, prepend=-1) != 0
        is_move = steps.kinds[order] == MOVE
        taken = np.where(is_move, steps.moved[order], 1)
        before = np.empty((len(order), 2), np.int64)
        for side in (0, 1):
            is_own = ~is_move | (steps.is_from_client[order] == (side == 0))
            total = starts_of(np.where(is_own, taken, 0))
            base = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
            before[:, side] = self._next[numbers, side] + total[:-1] - total[base]
            is_last = np.append(is_first[1:], True)
            ends = np.flatnonzero(is_last)
            self._next[numbers[ends], side] = before[ends, side] + np.diff(total)[ends]
        placed = np.empty_like(before)
        placed[order] = before
        sender = np.where(steps.is_from_client, 0, 1)
        rows = np.arange(len(order))
        return placed[rows, sender], placed[rows, 1 - sender]


def _flags(kinds: Integers, nth: Integers, lengths: Integers) -> Integers:
    table = np.array([_OPEN_FLAGS, (ACK,) * 3, _CLOSE_FLAGS])
    flags: Integers = table[kinds, nth % _CONTROL_PACKETS]
    pushed: Integers = np.where((kinds == MOVE) & (lengths > 0), PUSH, 0)
    return np.asarray(flags | pushed, np.int64)
