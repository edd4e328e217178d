"""Open files by number: what is known of each, and under which name it was opened.

In: file descriptions from the kernel, and the names that opens gave. Out: names of the files behind
    events. A loop for each distinct description: the same library is opened by every program, and
    each open makes a file of its own. What has not been used for long is forgotten.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.derived import OTHER_TYPECHAR, TYPECHAR_BY_FD_TYPE
from falcotrace.record.file_slots import FileSlots
from falcotrace.record.open_file import OpenFile, name_of

REMEMBERED_FILES = 400_000
"""Files that may have been described since one was used last, before that is forgotten; three times
as many as the kernel side remembers."""

FIRST_EXCHANGE_ID = 1 << 48
"""Numbers from here on are datagram sockets with the peer of an exchange, and not the kernel's."""


_EXCHANGE_CODES = 1 << 30
"""Codes from here on are descriptions of such sockets."""

_PROTOCOL_CHARS = {"tcp": "t", "udp": "u", "icmp": "i", "raw": "r"}


class OpenFiles:
    """Every open file of a recording by `file_id`, which is dense and begins at 1.

    Beside the kernel's there are datagram sockets seen with a certain peer, from FIRST_EXCHANGE_ID.
    """

    def __init__(self, pool: TextPool) -> None:
        self._pool = pool
        self._described: list[OpenFile] = []
        self._codes_of: dict[OpenFile, int] = {}
        self._slots = FileSlots()
        self._newest_id = 0
        self._exchanges: list[OpenFile] = []
        self._exchange_names = np.empty(0, np.int32)
        self._newly_named: list[np.ndarray] = []
        self._forgotten_at = 0

    def __getitem__(self, file_id: int) -> OpenFile | None:
        return self._described_as(int(self.codes(np.array([file_id]))[0]))

    def __len__(self) -> int:
        return self._newest_id + 1

    def codes(self, file_ids: np.ndarray) -> np.ndarray:
        """Which description each file has; MISSING where none is known."""
        is_exchange, slots = self._own_slots(file_ids)
        codes = self._slots.codes[slots]
        if is_exchange is not None:
            codes[is_exchange] = file_ids[is_exchange] - FIRST_EXCHANGE_ID + _EXCHANGE_CODES
        return codes

    def _own_slots(self, file_ids: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Which files are exchanges, None if there are none at all, and slots of the others."""
        if not self._exchanges:
            return None, self._slots.of(file_ids)
        is_exchange = file_ids >= FIRST_EXCHANGE_ID
        return is_exchange, self._slots.of(np.where(is_exchange, 0, file_ids))

    def distinct(self, file_ids: np.ndarray) -> tuple[list[OpenFile | None], np.ndarray]:
        """The distinct descriptions of files, and which one each of them has."""
        found, indices = distinct(self.codes(file_ids))
        return [self._described_as(code) for code in found.tolist()], indices

    def _described_as(self, code: int) -> OpenFile | None:
        if code >= _EXCHANGE_CODES:
            return self._exchanges[code - _EXCHANGE_CODES]
        return None if code == MISSING else self._described[code]

    def texts(self, codes: np.ndarray) -> list[str | None]:
        """The names behind codes."""
        return self._pool.texts(codes)

    def add(self, file_ids: np.ndarray, described: Sequence[OpenFile], which: np.ndarray) -> None:
        """Take in descriptions.

        Args:
            file_ids: the files.
            described: distinct descriptions.
            which: the one that each file has.
        """
        if not len(file_ids):
            return
        self._newest_id = max(self._newest_id, int(file_ids.max()))
        slots = self._slots.of(file_ids)
        codes = np.array([self._code_of(file) for file in described], np.int32)
        self._slots.codes[slots] = codes[which]
        is_unnamed = self._slots.names[slots] == MISSING
        unnamed = slots[is_unnamed]
        names = self._pool.codes([name_of(file) for file in described])
        self._slots.names[unnamed] = names[which[is_unnamed]]
        self._slots.raw_names[unnamed] = self._pool.code("")
        self._slots.clear_none()

    def _code_of(self, file: OpenFile) -> int:
        code = self._codes_of.setdefault(file, len(self._described))
        if code == len(self._described):
            self._described.append(file)
        return code

    def name_opened(self, file_ids: np.ndarray, names: np.ndarray, raw_names: np.ndarray) -> None:
        """Give files the names, by code, that their programs opened them by."""
        slots = self._slots.of(file_ids)
        self._slots.names[slots] = names
        self._slots.raw_names[slots] = raw_names
        self._slots.clear_none()
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
        is_exchange, slots = self._own_slots(file_ids)
        self._slots.last_use[slots] = self._newest_id
        codes = self._slots.names[slots]
        if is_exchange is not None:
            codes[is_exchange] = self._exchange_names[file_ids[is_exchange] - FIRST_EXCHANGE_ID]
        return codes

    def raw_name_codes(self, file_ids: np.ndarray) -> np.ndarray:
        """Codes of `fd.nameraw`: only an open gives one, others have the empty text."""
        is_exchange, slots = self._own_slots(file_ids)
        codes = self._slots.raw_names[slots]
        if is_exchange is not None:
            codes[is_exchange] = self._pool.code("")
        return codes

    def descriptor_texts(self, file_ids: np.ndarray) -> np.ndarray:
        """Codes of files as arguments of type descriptor show them; MISSING for those not known.

        Such as `<f>/etc/passwd`, or `<4t>` and a tuple. Source: libs 48dfd53c,
        userspace/libsinsp/event.cpp, `render_fd`.
        """
        names = self.name_codes(file_ids).astype(np.int64)
        pairs = self.codes(file_ids).astype(np.int64) << 32 | names & 0xFFFFFFFF
        found, indices = distinct(pairs)
        texts = [
            None if file is None else _descriptor_text(file, name or "")
            for file, name in zip(
                map(self._described_as, (found >> 32).tolist()),
                self._pool.texts(found.astype(np.uint32).view(np.int32)),
                strict=True,
            )
        ]
        return self._pool.codes(texts)[indices]

    def mark_used(self, file_ids: np.ndarray) -> np.ndarray:
        """Note that events name these files; which of them no event named before (0 never is)."""
        _, slots = self._own_slots(file_ids)
        fresh = ~self._slots.used[slots] & (slots > 0)
        self._slots.used[slots] = True
        self._slots.last_use[slots] = self._newest_id
        return fresh

    @property
    def newest_id(self) -> int:
        """The greatest number of a file that was described."""
        return self._newest_id

    def knows(self, file_ids: np.ndarray) -> np.ndarray:
        """Which of these files are described and not forgotten."""
        return self.codes(file_ids) != MISSING

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
        is_kept = self._slots.last_use + REMEMBERED_FILES >= self.newest_id
        is_kept[self._slots.of(np.array(list(kept), np.int64))] = True
        self._slots.keep(self.newest_id - REMEMBERED_FILES, is_kept)
        self._forget_descriptions()
        return True

    def _forget_descriptions(self) -> None:
        """Drop descriptions that no file has."""
        used, places = distinct(self._slots.codes)
        first = int(used[0] == MISSING)
        self._described = [self._described[code] for code in used[first:].tolist()]
        self._codes_of = {file: code for code, file in enumerate(self._described)}
        self._slots.codes[:] = places - first

    def recode(self, pool: TextPool, codes: np.ndarray) -> None:
        """Take another pool, given for each code of the old one that in the new one."""
        self._pool = pool
        for names in (self._slots.names, self._slots.raw_names, self._exchange_names):
            is_there = names != MISSING
            names[is_there] = codes[names[is_there]]

    def used_codes(self) -> np.ndarray:
        """Codes of all names."""
        codes = np.concatenate([self._slots.names, self._slots.raw_names, self._exchange_names])
        return np.unique(codes[codes != MISSING])


def _descriptor_text(file: OpenFile, name: str) -> str:
    char = TYPECHAR_BY_FD_TYPE.get(file.type or "", OTHER_TYPECHAR)
    if file.is_ip:
        char += _PROTOCOL_CHARS.get(file.l4proto, "")
    return f"<{char}>{name}"
