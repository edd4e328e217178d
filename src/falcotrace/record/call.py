"""The events of one system call: registers, parts, descriptions, all of them as arrays.

In: the merged events of a block and what is known of files and processes. Out: what argument
    sources ask for. Arrays are as long as the call has events; rows are their places in the row
    group.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from falcotrace.events.paths import join_path
from falcotrace.events.text import to_bytes
from falcotrace.record.accounts import NO_NAME, UNSET_ID, Accounts
from falcotrace.record.distinct import distinct
from falcotrace.record.files import OpenFiles
from falcotrace.record.layout import BACKLOG, USAGE, PartFlag, PartKind
from falcotrace.record.processes import Processes, State
from falcotrace.record.samples import gather
from falcotrace.record.text_pool import MISSING, TextPool, distinct_bytes

PartsOf = Callable[[int], Sequence[tuple[PartKind, int]]]
"""The variable parts that events of a system call carry, by its number: kind and argument."""


@dataclass(frozen=True)
class Known:
    """What is known beside the events themselves."""

    arch: str
    pool: TextPool
    files: OpenFiles
    processes: Processes
    accounts: Accounts
    parts_of: PartsOf
    joined_paths: dict[tuple[int, int], int]


@dataclass(frozen=True)
class MergedEvents:
    """The events of a block in the order of the stream, as arrays."""

    data: np.ndarray
    position: np.ndarray
    fixed: np.ndarray
    with_data: np.ndarray
    data_index: np.ndarray
    parts_start: np.ndarray
    first_use: np.ndarray


class CallEvents:
    """The events of one system call."""

    def __init__(self, number: int, rows: np.ndarray, events: MergedEvents, known: Known) -> None:
        self.number = number
        self.rows = rows
        self.count = len(rows)
        self._events = events
        self._known = known
        self._fixed = events.fixed[rows]

    @property
    def results(self) -> np.ndarray:
        """Results, or negative errno values."""
        return self._fixed["ret"]

    @cached_property
    def file_ids(self) -> np.ndarray:
        """The open file behind each event's descriptor; 0 none."""
        return self._fixed["file_id"].astype(np.int64)

    @property
    def first_uses(self) -> np.ndarray:
        """Which events are the first that name their file."""
        return self._events.first_use[self.rows]

    @property
    def file_names(self) -> np.ndarray:
        """Codes of the names of those files."""
        return self._known.files.names[self.file_ids]

    def arguments(self, place: int) -> np.ndarray:
        """The registers of one argument, unsigned."""
        return self._fixed["args"][:, place]

    @cached_property
    def _with_data(self) -> tuple[np.ndarray, np.ndarray]:
        """Which events carry parts (a mask), and their index among those."""
        index = self._events.data_index[self.rows]
        return index >= 0, index[index >= 0]

    @property
    def is_cut(self) -> np.ndarray:
        """Which events have a part that is longer than its limit or could not be read."""
        cut = np.zeros(self.count, np.bool_)
        mask, index = self._with_data
        flags = self._events.with_data["part"]["flags"][index]
        cut[mask] = (flags & (PartFlag.CUT | PartFlag.FAULT) != 0).any(axis=1)
        return cut

    def directory_ids(self, slot: int) -> np.ndarray:
        """The open file behind a directory argument; 0 none."""
        ids = np.zeros(self.count, np.int64)
        mask, index = self._with_data
        ids[mask] = self._events.with_data["dir_file_id"][index, slot]
        return ids

    @cached_property
    def other_file_ids(self) -> np.ndarray:
        """The second new or second used descriptor's file; 0 none."""
        ids = np.zeros(self.count, np.int64)
        mask, index = self._with_data
        ids[mask] = self._events.with_data["other_file_id"][index]
        return ids

    def _part(self, kind: PartKind, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Where a part lies: which events have it (indices), start, length; None if none can."""
        wanted = list(self._known.parts_of(self.number))
        if (kind, place) not in wanted:
            return None
        number = wanted.index((kind, place))
        mask, index = self._with_data
        parts = self._events.with_data["part"][index]
        starts = self._events.parts_start[index] + parts["len"][:, :number].sum(
            axis=1, dtype=np.int64
        )
        is_null = parts["flags"][:, number] & PartFlag.NULL != 0
        present = (parts["kind"][:, number] == kind) & ~is_null
        where = np.flatnonzero(mask)[present]
        return where, starts[present], parts["len"][present, number].astype(np.int64)

    def part_codes(self, kind: PartKind, place: int) -> np.ndarray:
        """Codes of a text part; MISSING where there is none."""
        codes = np.full(self.count, MISSING, np.int32)
        part = self._part(kind, place)
        if part is not None and len(part[0]):
            where, starts, lengths = part
            codes[where] = self._known.pool.codes_in(self._events.data, starts, lengths)
        return codes

    def part_bytes(self, kind: PartKind, place: int) -> tuple[np.ndarray, list[bytes], np.ndarray]:
        """A part's bytes: rows that have it, the distinct values, and which one each row has."""
        part = self._part(kind, place)
        if part is None:
            return np.empty(0, np.int64), [], np.empty(0, np.int64)
        where, starts, lengths = part
        distinct, indices = distinct_bytes(self._events.data, starts, lengths)
        return self.rows[where], distinct, indices

    def struct_numbers(self, place: int, offset: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """A number inside the struct at an argument."""
        values = np.zeros(self.count, np.uint64)
        valid = np.zeros(self.count, np.bool_)
        part = self._part(PartKind.BYTES, place)
        if part is not None:
            where, starts, lengths = part
            whole = lengths >= offset + length
            dtype = np.dtype([("number", f"<u{length}")])
            values[where[whole]] = gather(self._events.data, starts[whole] + offset, dtype)[
                "number"
            ]
            valid[where[whole]] = True
        return values, valid

    def part_numbers(self, name: str, member: str) -> tuple[np.ndarray, np.ndarray]:
        """A member of a usage or backlog part."""
        kind = PartKind.USAGE if name == "usage" else PartKind.BACKLOG
        dtype = USAGE if name == "usage" else BACKLOG
        values = np.zeros(self.count, np.uint64)
        valid = np.zeros(self.count, np.bool_)
        for candidate, place in self._known.parts_of(self.number):
            if candidate is kind and (part := self._part(kind, place)):
                where, starts, lengths = part
                whole = lengths >= dtype.itemsize
                values[where[whole]] = gather(self._events.data, starts[whole], dtype)[member]
                valid[where[whole]] = True
        return values, valid

    def absolute_paths(self, given: np.ndarray, slot: int | None) -> np.ndarray:
        """Codes of absolute paths: joined with the directory in a slot, or the working directory.

        Args:
            given: codes of the paths as given; MISSING stays so.
            slot: which directory argument they are relative to; None for the working directory.
        """
        bases = self._working_directories()
        if slot is not None:
            ids = self.directory_ids(slot)
            bases = np.where(ids > 0, self._known.files.names[ids], bases)
        pairs = bases.astype(np.int64) << 32 | given.astype(np.int64) & 0xFFFFFFFF
        found, indices = distinct(pairs)
        codes = np.fromiter(
            (self._join(pair >> 32, _code(pair & 0xFFFFFFFF)) for pair in found.tolist()),
            np.int32,
            len(found),
        )
        return codes[indices]

    def _join(self, base: int, given: int) -> int:
        if given == MISSING:
            return MISSING
        memo = self._known.joined_paths
        found = memo.get((base, given))
        if found is None:
            pool = self._known.pool
            directory = "" if base == MISSING else pool[base]
            path = pool[given]
            absolute = join_path(directory, path) if path else ""
            found = memo[base, given] = pool.code(absolute)
        return found

    @cached_property
    def _states(self) -> tuple[list[State | None], np.ndarray]:
        """The distinct states behind the events, and which one each event has."""
        found, indices = distinct(self._fixed["process_id"])
        states = self._known.processes.states
        return [states.get(number) for number in found.tolist()], indices

    def _working_directories(self) -> np.ndarray:
        states, indices = self._states
        pool = self._known.pool
        codes = pool.codes([None if state is None else state.cwd for state in states])
        return codes[indices]

    def exec_filenames(self) -> np.ndarray:
        """Codes of the names given to exec: from the program, or of a failed call its argument."""
        states, indices = self._states
        names = [None if state is None else state.image.filename for state in states]
        codes = self._known.pool.codes(names)[indices]
        return np.where(self.results < 0, self.part_codes(PartKind.STRING, 0), codes)

    def file_numbers(self, member: str) -> tuple[np.ndarray, np.ndarray]:
        """A number of the file behind each event's descriptor."""
        found, indices = distinct(self.file_ids)
        files = [self._known.files[number] for number in found.tolist()]
        values = np.array([getattr(file, member) if file else 0 for file in files], np.uint64)
        valid = np.array([file is not None for file in files], np.bool_)
        return values[indices], valid[indices] | (self.file_ids == 0)

    def file_flags(self, *members: str) -> list[np.ndarray]:
        """Truths about the file behind each event's descriptor; false without one."""
        found, indices = distinct(self.file_ids)
        files = [self._known.files[number] for number in found.tolist()]
        return [
            np.array([bool(file) and getattr(file, member) for file in files], np.bool_)[indices]
            for member in members
        ]

    def thread_name(self, tid: int) -> str | None:
        """The name of a thread by its id, now."""
        face = self._known.processes.face_of_pid(tid)
        return face.name if face else None

    def account_name(self, kind: str, number: int) -> str:
        """What a uid or gid argument shows: the name, `<NA>`, or `<NONE>` for -1."""
        if number == UNSET_ID:
            return "<NONE>"
        accounts = self._known.accounts
        if kind == "UID":
            return accounts.user(number, in_container=False).name
        return accounts.group(number, in_container=False) or NO_NAME

    def process_values(self, what: str) -> tuple[list[str | int | bytes | None], np.ndarray]:
        """What is known of the processes: distinct values, and which one each event has."""
        states, indices = self._states
        values = [None if state is None else _process_value(state, what) for state in states]
        return values, indices

    def file_texts(self, ids: np.ndarray) -> np.ndarray:
        """Codes of files as descriptors show them: `<f>/etc/passwd`; MISSING for 0."""
        found, indices = distinct(ids)
        texts = [self._known.files.descriptor_text(number) for number in found.tolist()]
        return self._known.pool.codes(texts)[indices]

    def codes(self, texts: Sequence[str | None]) -> np.ndarray:
        """Codes of distinct texts."""
        return self._known.pool.codes(texts)


def _code(bits: int) -> int:
    """A code from its 32 bits: MISSING is negative."""
    return bits - (1 << 32) if bits >> 31 else bits


def _process_value(state: State, what: str) -> str | int | bytes | None:
    image = state.image
    match what:
        case "exe":
            return image.argv[0] if image.argv else ""
        case "exepath":
            return image.exepath
        case "args":
            return _block(image.argv[1:])
        case "env":
            return _block(image.env)
        case "cwd" | "comm":
            return state.cwd if what == "cwd" else state.comm
        case "exe_ino":
            return image.ino
        case "exe_ino_ctime" | "exe_ino_mtime":
            return image.ctime_ns if what == "exe_ino_ctime" else image.mtime_ns
        case "image_flags":
            return image.flags & 0xF
        case "pidns_start":
            return state["pidns_start_ns"]
    return state[{"uid": "euid", "gid": "egid"}.get(what, what)]


def _block(items: tuple[str, ...]) -> bytes:
    return b"".join(to_bytes(item) + b"\0" for item in items)
