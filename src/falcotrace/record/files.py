"""Open files by number: what is known of each, and under which name it was opened.

In: file descriptions from the kernel, and the names that opens gave. Out: names of the files behind
    events. A loop for each file, none for each event. What has not been used for long is forgotten.
"""

from collections.abc import Iterable

import numpy as np

from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.derived import OTHER_TYPECHAR, TYPECHAR_BY_FD_TYPE
from falcotrace.record.open_file import OpenFile, describe_file, name_of

REMEMBERED_FILES = 400_000
"""Files that may have been described since one was used last, before that is forgotten; three times
as many as the kernel side remembers."""

FIRST_EXCHANGE_ID = 1 << 48
"""Numbers from here on are datagram sockets with the peer of an exchange, and not the kernel's."""


_PROTOCOL_CHARS = {"tcp": "t", "udp": "u", "icmp": "i", "raw": "r"}


class OpenFiles:
    """Every open file of a recording by `file_id`, which is dense and begins at 1.

    Beside the kernel's there are datagram sockets seen with a certain peer, from FIRST_EXCHANGE_ID.
    """

    def __init__(self, pool: TextPool) -> None:
        self._pool = pool
        self._files: list[OpenFile | None] = [None]
        self._alike: dict[OpenFile, OpenFile] = {}
        self._exchanges: list[OpenFile] = []
        self._exchange_names = np.empty(0, np.int32)
        self.names = np.full(1024, MISSING, np.int32)
        self.raw_names = np.full(1024, MISSING, np.int32)
        self._used = np.zeros(1024, np.bool_)
        self._newly_named: list[np.ndarray] = []
        self._last_use = np.zeros(1024, np.int64)
        self._forgotten_at = 0

    def __getitem__(self, file_id: int) -> OpenFile | None:
        if file_id >= FIRST_EXCHANGE_ID:
            return self._exchanges[file_id - FIRST_EXCHANGE_ID]
        return self._files[file_id] if file_id < len(self._files) else None

    def __len__(self) -> int:
        return len(self._files)

    def texts(self, codes: np.ndarray) -> list[str | None]:
        """The names behind codes."""
        return self._pool.texts(codes)

    def add(self, sample: np.void, path: str, name: str) -> None:
        """Take in one description.

        Args:
            sample: of `layout.FILE`.
            path: the kernel's path.
            name: of an anonymous inode, a memfd or a unix socket.
        """
        file_id = int(sample["file_id"])
        self._reserve(file_id)
        file = describe_file(sample, path, name)
        # The same library is opened by every program: its description is kept once.
        file = self._files[file_id] = self._alike.setdefault(file, file)
        known = self.names[file_id] != MISSING
        if not known:
            self.names[file_id] = self._pool.code(name_of(file))
            self.raw_names[file_id] = self._pool.code("")

    def name_opened(self, file_ids: np.ndarray, names: np.ndarray, raw_names: np.ndarray) -> None:
        """Give files the names, by code, that their programs opened them by."""
        self.reserve(file_ids)
        self.names[file_ids] = names
        self.raw_names[file_ids] = raw_names
        self._newly_named.append(file_ids)

    def take_newly_named(self) -> np.ndarray:
        """Files that opens have named since this was asked last."""
        ids = np.unique(np.concatenate([np.zeros(0, np.int64), *self._newly_named]))
        self._newly_named = []
        return ids

    def add_exchange(self, file: OpenFile) -> int:
        """Take in a datagram socket together with a peer; returns its number."""
        self._exchanges.append(file)
        code = self._pool.code(name_of(file))
        self._exchange_names = np.append(self._exchange_names, np.int32(code))
        return FIRST_EXCHANGE_ID + len(self._exchanges) - 1

    def name_codes(self, file_ids: np.ndarray) -> np.ndarray:
        """Codes of `fd.name`; MISSING where nothing is known of the file."""
        self.reserve(file_ids)
        self._touch(file_ids)
        if not self._exchanges:
            return self.names[file_ids]
        is_exchange = file_ids >= FIRST_EXCHANGE_ID
        codes = self.names[np.where(is_exchange, 0, file_ids)]
        codes[is_exchange] = self._exchange_names[file_ids[is_exchange] - FIRST_EXCHANGE_ID]
        return codes

    def raw_name_codes(self, file_ids: np.ndarray) -> np.ndarray:
        """Codes of `fd.nameraw`: only an open gives one, others have the empty text."""
        self.reserve(file_ids)
        if not self._exchanges:
            return self.raw_names[file_ids]
        is_exchange = file_ids >= FIRST_EXCHANGE_ID
        codes = self.raw_names[np.where(is_exchange, 0, file_ids)]
        return np.where(is_exchange, self._pool.code(""), codes)

    def name(self, file_id: int) -> str | None:
        """`fd.name` of a file; None while nothing is known of it."""
        return self._pool.texts(self.name_codes(np.array([file_id])))[0]

    def descriptor_text(self, file_id: int) -> str | None:
        """A file as an argument of type descriptor shows it: `<f>/etc/passwd`, `<4t>` and tuple.

        Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `render_fd`.
        """
        file = self[file_id]
        if file is None:
            return None
        char = TYPECHAR_BY_FD_TYPE.get(file.type or "", OTHER_TYPECHAR)
        if file.is_ip:
            char += _PROTOCOL_CHARS.get(file.l4proto, "")
        return f"<{char}>{self.name(file_id) or ''}"

    def _reserve(self, file_id: int) -> None:
        if file_id >= len(self._files):
            self._files.extend([None] * (file_id + 1 - len(self._files)))
        if file_id >= len(self.names):
            grown = max(file_id + 1, 2 * len(self.names))
            self.names = _grow(self.names, grown, MISSING)
            self.raw_names = _grow(self.raw_names, grown, MISSING)
            self._used = _grow(self._used, grown, fill=False)
            self._last_use = _grow(self._last_use, grown, 0)

    def mark_used(self, file_ids: np.ndarray) -> np.ndarray:
        """Note that events name these files; which of them no event named before (0 never is)."""
        self.reserve(file_ids)
        is_own = (file_ids > 0) & (file_ids < FIRST_EXCHANGE_ID)
        own = np.where(is_own, file_ids, 0)
        fresh = ~self._used[own] & is_own
        self._used[own] = True
        self._touch(file_ids)
        return fresh

    def _touch(self, file_ids: np.ndarray) -> None:
        """Note a use; the clock is the number of the file that was described last."""
        own = file_ids[file_ids < FIRST_EXCHANGE_ID] if self._exchanges else file_ids
        self._last_use[own] = self.newest_id

    @property
    def newest_id(self) -> int:
        """The greatest number of a file that was described."""
        return len(self._files) - 1

    def knows(self, file_ids: np.ndarray) -> np.ndarray:
        """Which of these files are described and not forgotten."""
        return np.array(
            [number < len(self._files) and self._files[number] is not None for number in file_ids],
            np.bool_,
        )

    def forget_unused(self, kept: Iterable[int]) -> bool:
        """Drop what no event that is still to come can name; whether anything was looked at.

        The kernel side remembers the files that were used last (`files` in bpf/maps.bpf.h holds
        131,072), and describes others anew under another number. Several times as many are kept
        here.

        Args:
            kept: files that are kept although no event names them, as those of descriptor 0.
        """
        if self.newest_id - self._forgotten_at < REMEMBERED_FILES:
            return False
        self._forgotten_at = self.newest_id
        is_old = self._last_use[: len(self._files)] + REMEMBERED_FILES < self.newest_id
        is_old[list(kept)] = False
        is_old[0] = False
        old = np.flatnonzero(is_old)
        for number in old.tolist():
            self._files[number] = None
        self.names[old] = self.raw_names[old] = MISSING
        self._alike = {file: file for file in self._files if file is not None}
        return True

    def recode(self, pool: TextPool, codes: np.ndarray) -> None:
        """Take another pool, given for each code of the old one that in the new one."""
        self._pool = pool
        for names in (self.names, self.raw_names, self._exchange_names):
            is_there = names != MISSING
            names[is_there] = codes[names[is_there]]

    def used_codes(self) -> np.ndarray:
        """Codes of all names."""
        codes = np.concatenate([self.names, self.raw_names, self._exchange_names])
        return np.unique(codes[codes != MISSING])

    def reserve(self, file_ids: np.ndarray) -> None:
        """Make room for names of files whose description has not come yet."""
        own = file_ids[file_ids < FIRST_EXCHANGE_ID]
        if len(own) and int(own.max()) >= len(self.names):
            self._reserve(int(own.max()))


def _grow(old: np.ndarray, size: int, fill: int) -> np.ndarray:
    new = np.full(size, fill, old.dtype)
    new[: len(old)] = old
    return new
