"""Batches of events for tests, from the values of their parameters; and a state to ask."""

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import TextPool
from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.argument_values import WIDTHS
from falcotrace.scap.batch import NO_ROW, EventBatch, Params
from falcotrace.scap.resolver import Codes, Integers

CODES = {event.constant: event.code for event in EVENT_TYPES}


def packed(kind: str, value: object) -> bytes:
    """A value of a parameter of type `kind` as a capture holds it; None is no value."""
    if value is None or isinstance(value, bytes):
        return value or b""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape") + b"\0"
    assert isinstance(value, int)
    width = WIDTHS[kind]
    return (value % (1 << 8 * width)).to_bytes(width, "little")


def poll_list(*entries: tuple[int, int]) -> bytes:
    """A list of descriptors and their flags."""
    return struct.pack("<H", len(entries)) + b"".join(struct.pack("<qh", *one) for one in entries)


def made_batch(*events: tuple[str, Mapping[str, object]], hidden: Sequence[int] = ()) -> EventBatch:
    """Events of the given constants, with values of some parameters.

    Args:
        events: constant and parameters by name; those that are not given have no value.
        hidden: rows that are not delivered.
    """
    data = bytearray(b"\xff")  # no value begins at 0, which a mistake might read
    found: dict[int, list[tuple[int, list[int]]]] = {}
    for row, (constant, given) in enumerate(events):
        event = EVENT_TYPES[CODES[constant]]
        ends = [len(data)]
        for param in event.params:
            data += packed(param.type, given.get(param.name))
            ends.append(len(data))
        found.setdefault(event.code, []).append((row, ends))
    is_delivered = np.ones(len(events), np.bool_)
    is_delivered[list(hidden)] = False
    codes = np.array([CODES[constant] for constant, _ in events], np.int32)
    count = len(events)
    return EventBatch(
        data=np.frombuffer(bytes(data), np.uint8),
        nums=np.arange(1, count + 1),
        times_ns=np.arange(count),
        tids=np.ones(count, np.int64),
        cpus=np.zeros(count, np.int32),
        codes=codes,
        is_delivered=is_delivered,
        is_carried=np.zeros(count, np.bool_),
        enters=np.full(count, NO_ROW, np.int32),
        params={code: _params(rows) for code, rows in found.items()},
    )


def _params(events: list[tuple[int, list[int]]]) -> Params:
    count = len(events[0][1]) - 1
    ends = np.array([ends for _, ends in events], np.int64)
    lengths = [[stop - start for start, stop in pairwise(one)] for _, one in events]
    return Params(
        rows=np.array([row for row, _ in events], np.int64),
        offsets=ends[:, :-1].reshape(len(events), count),
        lengths=np.array(lengths, np.int32).reshape(len(events), count),
    )


class MadeState:
    """A state that is the same for all events: a `Resolver`.

    Args:
        descriptors: texts such as `<f>/etc/passwd` by number.
        threads, users, groups: names by number.
        cwd: the working directory; None when unknown.
        own: the number of the events' own descriptor.
    """

    def __init__(
        self,
        *,
        descriptors: Mapping[int, str] | None = None,
        threads: Mapping[int, str] | None = None,
        users: Mapping[int, str] | None = None,
        groups: Mapping[int, str] | None = None,
        cwd: str | None = None,
        own: int = -1,
    ) -> None:
        self.pool = TextPool()
        self._texts = dict(descriptors or {})
        self._names = {fd: text.partition(">")[2] for fd, text in self._texts.items()}
        self._threads, self._users, self._groups = threads or {}, users or {}, groups or {}
        self._cwd, self._own = cwd, own

    def _codes(self, known: Mapping[int, str], numbers: Integers) -> Codes:
        return self.pool.codes([known.get(number) for number in numbers.tolist()])

    def descriptor_texts(self, rows: Integers, fds: Integers) -> Codes:
        """Texts of descriptors."""
        assert len(rows) == len(fds)
        return self._codes(self._texts, fds)

    def descriptor_names(self, rows: Integers, fds: Integers) -> Codes:
        """Names of descriptors."""
        assert len(rows) == len(fds)
        return self._codes(self._names, fds)

    def directory_names(self, rows: Integers, fds: Integers) -> Codes:
        """Names of directories."""
        assert len(rows) == len(fds)
        is_directory = {fd for fd, text in self._texts.items() if text.startswith("<d>")}
        return self._codes({fd: self._names[fd] for fd in is_directory}, fds)

    def thread_names(self, rows: Integers, tids: Integers) -> Codes:
        """Names of threads."""
        assert len(rows) == len(tids)
        return self._codes(self._threads, tids)

    def user_names(self, rows: Integers, uids: Integers) -> Codes:
        """Names of users."""
        assert len(rows) == len(uids)
        return self._codes(self._users, uids)

    def group_names(self, rows: Integers, gids: Integers) -> Codes:
        """Names of groups."""
        assert len(rows) == len(gids)
        return self._codes(self._groups, gids)

    def working_directories(self, rows: Integers) -> Codes:
        """The working directory."""
        return np.full(len(rows), self.pool.code(self._cwd), np.int32)

    def directories(self, rows: Integers, dirfds: Integers) -> Codes:
        """What paths are relative to."""
        names = self.descriptor_names(rows, dirfds)
        return np.where(dirfds == -100, self.working_directories(rows), names)

    def event_descriptor_names(self, rows: Integers) -> Codes:
        """The name of the events' own descriptor."""
        return np.full(len(rows), self.pool.code(self._names.get(self._own)), np.int32)


def columns_for(batch: EventBatch, state: MadeState) -> Columns:
    """Columns for the delivered events of a batch."""
    places = np.cumsum(batch.is_delivered) - 1
    places[~batch.is_delivered] = len(batch)  # nothing may be put there
    return Columns(int(batch.is_delivered.sum()), state.pool, places)


def shown(columns: Columns) -> dict[str, list[object]]:
    """The columns as lists."""
    return {path: array.to_pylist() for path, array in columns.arrow().items()}
