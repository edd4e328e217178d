"""The events of one system call: registers, parts, descriptions, all of them as arrays.

In: the merged events of a block and what is known of files and processes. Out: what argument
    sources ask for. Arrays are as long as the call has events; rows are their places in the row
    group.
"""

import errno
import posixpath
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.control_groups import HOST
from falcotrace.events.numbers import AT_FDCWD
from falcotrace.events.paths import UNKNOWN_DIRECTORY, join_path
from falcotrace.events.text import to_bytes
from falcotrace.record.accounts import NO_NAME, UNSET_ID
from falcotrace.record.compat_calls import COMPAT_OFFSET
from falcotrace.record.event_parts import EventParts
from falcotrace.record.layout import HeaderFlag, PartKind
from falcotrace.record.states import State


class CallEvents(EventParts):
    """The events of one system call: registers, parts, and what stands behind them."""

    @property
    def pool(self) -> TextPool:
        """Where codes of texts come from."""
        return self._known.pool

    @property
    def arch(self) -> str:
        """Whose numbers and flags the events have."""
        return self._known.arch

    @property
    def is_compat(self) -> bool:
        """Whether they were made through the 32-bit entry."""
        return self.number >= COMPAT_OFFSET

    @property
    def positions(self) -> np.ndarray:
        """Where in the stream of samples they stand."""
        return self._events.position[self.rows]

    @property
    def results(self) -> np.ndarray:
        """Results, or negative errno values."""
        return self._fixed["ret"]

    @property
    def has_result(self) -> np.ndarray:
        """Which results are known: of some requests to an io_uring they are not, and negative."""
        return self._fixed["flags"] & HeaderFlag.NO_RESULT == 0

    @cached_property
    def file_ids(self) -> np.ndarray:
        """The open file behind each event's descriptor; 0 none."""
        return self._fixed["file_id"].astype(np.int64)

    @property
    def previous_files(self) -> np.ndarray:
        """The open file whose name each event's file had before it; 0 none, or the same."""
        return self._events.before[self.rows]

    @property
    def file_names(self) -> np.ndarray:
        """Codes of the names of those files."""
        return self._known.files.name_codes(self.file_ids)

    def arguments(self, place: int) -> np.ndarray:
        """The registers of one argument, unsigned."""
        return self._fixed["args"][:, place]

    def argument_files(self, register: int) -> np.ndarray:
        """The open files behind a descriptor argument; 0 none, or where the sample does not say."""
        call = self._syscall
        if call is not None and register == call.fd:
            return self.file_ids
        if call is not None and register == call.second:
            return self.other_file_ids
        if call is not None and register in call.dirs:
            return self.directory_ids(call.dirs.index(register))
        return np.zeros(self.count, np.int64)

    @property
    def result_files(self) -> np.ndarray:
        """The open files behind results that are descriptors; 0 for other results."""
        is_descriptor = self._fixed["flags"] & HeaderFlag.RESULT_FD != 0
        return np.where(is_descriptor, self.file_ids, 0)

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

    def absolute_paths(self, given: np.ndarray, slot: int | None) -> np.ndarray:
        """Codes of absolute paths: joined with the directory in a slot, or the working directory.

        Args:
            given: codes of the paths as given; MISSING stays so.
            slot: which directory argument they are relative to; None for the working directory.
        """
        bases = self._working_directories()
        if slot is not None:
            ids = self.directory_ids(slot)
            names = self._known.files.name_codes(ids)
            unknown = self._known.pool.code(UNKNOWN_DIRECTORY)
            is_cwd = self._as_descriptor(self._directory_register(slot)) == AT_FDCWD
            bases = np.where(is_cwd, bases, np.where(names >= 0, names, unknown))
        return self.joined_paths(bases, given)

    def joined_paths(self, bases: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Codes of paths made absolute below directories, all by code; MISSING stays so."""
        pairs = bases.astype(np.int64) << 32 | given.astype(np.int64) & 0xFFFFFFFF
        found, indices = distinct(pairs)
        codes = np.fromiter(
            (self._join(pair >> 32, _code(pair & 0xFFFFFFFF)) for pair in found.tolist()),
            np.int32,
            len(found),
        )
        return codes[indices]

    def _as_descriptor(self, register: int) -> np.ndarray:
        return self.arguments(register).astype(np.uint32).view(np.int32)

    def _directory_register(self, slot: int) -> int:
        assert self._syscall is not None
        return self._syscall.dirs[slot]

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
    def states(self) -> tuple[list[State | None], np.ndarray]:
        """The distinct states behind the events, and which one each event has."""
        found, indices = distinct(self._fixed["process_id"])
        states = self._known.processes.states
        return [states.get(number) for number in found.tolist()], indices

    def _working_directories(self) -> np.ndarray:
        states, indices = self.states
        pool = self._known.pool
        codes = pool.codes([None if state is None else state.cwd for state in states])
        return codes[indices]

    def exec_filenames(self) -> np.ndarray:
        """Codes of the names given to exec: from the program, or of a failed call its argument."""
        states, indices = self.states
        names = [None if state is None else state.image.filename for state in states]
        codes = self._known.pool.codes(names)[indices]
        place = next((arg for kind, arg in self.part_places if kind is PartKind.STRING), 0)
        return np.where(self.results < 0, self.part_codes(PartKind.STRING, place), codes)

    def exec_attempts(self, what: str) -> tuple[np.ndarray, list[bytes], np.ndarray]:
        """`argv` or `env` of failed exec calls: rows, distinct blocks, which one each row has."""
        places = [arg for kind, arg in self.part_places if kind is PartKind.ARGV]
        index = 0 if what == "argv" else 1
        if index >= len(places):
            return np.empty(0, np.int64), [], np.empty(0, np.int64)
        rows, found, indices = self.part_bytes(PartKind.ARGV, places[index])
        has_failed = self._events.fixed["ret"][rows] < 0
        return rows[has_failed], found, indices[has_failed]

    def tuple_codes(self, *, inbound: bool) -> np.ndarray:
        """Codes of source and destination of traffic; MISSING where nobody is known.

        Args:
            inbound: the other end is the source.
        """
        files, indices = self._known.files.distinct(self.file_ids)
        texts = [file.tuple_text(inbound=inbound) if file else None for file in files]
        codes = self._known.pool.codes(texts)[indices]
        has_traffic = (self.results >= 0) | (self.results == -errno.EINPROGRESS)
        return np.where(has_traffic, codes, MISSING)

    def file_numbers(self, member: str) -> tuple[np.ndarray, np.ndarray]:
        """A number of the file behind each event's descriptor."""
        files, indices = self._known.files.distinct(self.file_ids)
        values = np.array([getattr(file, member) if file else 0 for file in files], np.uint64)
        valid = np.array([file is not None for file in files], np.bool_)
        return values[indices], valid[indices] | (self.file_ids == 0)

    def file_flags(self, *members: str) -> list[np.ndarray]:
        """Truths about the file behind each event's descriptor; false without one."""
        files, indices = self._known.files.distinct(self.file_ids)
        return [
            np.array([bool(file) and getattr(file, member) for file in files], np.bool_)[indices]
            for member in members
        ]

    def codes_of(self, numbers: np.ndarray, text: Callable[[int], str]) -> np.ndarray:
        """Codes of the texts of numbers; `text` is asked once for each distinct one."""
        found, indices = distinct(numbers)
        return self._known.pool.codes([text(number) for number in found.tolist()])[indices]

    def thread_names(self, pids: np.ndarray, *, is_of_host: bool) -> np.ndarray:
        """Codes of the names that processes had at each event; MISSING where nobody is known.

        Args:
            pids: process ids.
            is_of_host: they are the host's; otherwise the caller's, which in a pid namespace means
                somebody else. DIFFERS: Falco looks them up among the host's there too.
        """
        if not is_of_host:
            states, indices = self.states
            is_inside = np.array([bool(state and state["pidns_level"]) for state in states])
            pids = np.where(is_inside[indices], -1, pids)
        positions = self._events.position[self.rows]
        return self._known.processes.names_at(pids, positions, self._known.pool)

    def account_names(self, kind: str, numbers: np.ndarray) -> np.ndarray:
        """Codes of what uid or gid arguments show: the name, `<NA>`, or `<NONE>` for -1."""
        states, indices = self.states
        containers = self._known.containers
        is_inside = np.array([bool(state and containers.id_of(state) != HOST) for state in states])
        pairs = numbers.astype(np.int64) << 1 | is_inside[indices]
        return self.codes_of(pairs, lambda pair: self._account_name(kind, pair >> 1, pair & 1))

    def _account_name(self, kind: str, number: int, in_container: int) -> str:
        if number == UNSET_ID:
            return "<NONE>"
        accounts = self._known.accounts
        if in_container:
            return NO_NAME
        return accounts.user_name(number) if kind == "UID" else accounts.group_name(number)

    def process_values(self, what: str) -> tuple[list[str | int | bytes | None], np.ndarray]:
        """What is known of the processes: distinct values, and which one each event has."""
        states, indices = self.states
        values = [None if state is None else _process_value(state, what) for state in states]
        return values, indices

    def parents(self, paths: np.ndarray) -> np.ndarray:
        """Codes of the directories in which paths lie."""
        found, indices = distinct(paths)
        texts = [
            None if path is None else posixpath.dirname(path)
            for path in self._known.pool.texts(found)
        ]
        return self._known.pool.codes(texts)[indices]

    def file_name_codes(self, ids: np.ndarray) -> np.ndarray:
        """Codes of the names of open files; MISSING where nothing is known."""
        return self._known.files.name_codes(ids)

    def file_texts(self, ids: np.ndarray) -> np.ndarray:
        """Codes of files as descriptors show them: `<f>/etc/passwd`; MISSING for 0."""
        return self._known.files.descriptor_texts(ids)

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
        case "cgroups":
            return _block(state.cgroups)
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
