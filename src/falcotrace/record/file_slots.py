"""Where what is known of an open file is kept: arrays by slot, and the slot of each file's number.

In: numbers of files, which are dense and never used again. Out: slots. The newest files have slots
in a row; of older ones only those that are still used have one, so memory does not grow with the
files that were ever opened.
"""

import numpy as np

from falcotrace.capture.text_pool import MISSING

_FIRST_SIZE = 1024


class FileSlots:
    """Arrays by slot; slot 0 is that of no file, and of those that were forgotten.

    Attributes:
        names: codes of names.
        raw_names: codes of names as they were given.
        codes: of descriptions.
        used: whether an event has named the file.
        last_use: the newest file when one did last.
    """

    def __init__(self) -> None:
        self._first_id = 1
        self._older_ids = np.zeros(1, np.int64)
        self.names = np.full(_FIRST_SIZE, MISSING, np.int32)
        self.raw_names = np.full(_FIRST_SIZE, MISSING, np.int32)
        self.codes = np.full(_FIRST_SIZE, MISSING, np.int32)
        self.used = np.zeros(_FIRST_SIZE, np.bool_)
        self.last_use = np.zeros(_FIRST_SIZE, np.int64)

    def of(self, file_ids: np.ndarray) -> np.ndarray:
        """The slots of files; there is room for each."""
        slots = file_ids.astype(np.int64) + (len(self._older_ids) - self._first_id)
        is_older = file_ids < self._first_id
        if is_older.any():
            wanted = file_ids[is_older]
            found = np.searchsorted(self._older_ids, wanted)
            found = np.minimum(found, len(self._older_ids) - 1)
            slots[is_older] = np.where(self._older_ids[found] == wanted, found, 0)
        if len(slots):
            self._reserve(int(slots.max()))
        return slots

    def keep(self, first_id: int, is_kept: np.ndarray) -> None:
        """Forget older files but some.

        Args:
            first_id: of the files from this one on all are kept.
            is_kept: for each slot whether an older file in it is kept.
        """
        first = max(first_id, self._first_id)
        # Files may have names before they are described: what counts is the last slot in use.
        in_use = np.flatnonzero((self.codes != MISSING) | (self.names != MISSING) | self.used)
        end = max(len(self._older_ids), int(in_use.max(initial=0)) + 1)
        row = np.arange(self._first_id, self._first_id + end - len(self._older_ids))
        ids = np.concatenate([self._older_ids, row])
        is_row = ids >= first
        is_kept[0] = True
        slots = np.flatnonzero(is_kept[:end] | is_row)
        self._older_ids = ids[slots][~is_row[slots]]
        self._first_id = first
        size = max(_FIRST_SIZE, len(slots))
        for name in ("names", "raw_names", "codes"):
            setattr(self, name, _resized(getattr(self, name)[slots], size, MISSING))
        self.used = _resized(self.used[slots], size, fill=False)
        self.last_use = _resized(self.last_use[slots], size, 0)
        self.clear_none()

    def clear_none(self) -> None:
        """Make slot 0 again that of no file, whatever was written to it."""
        self.names[0] = self.raw_names[0] = self.codes[0] = MISSING

    def _reserve(self, slot: int) -> None:
        if slot < len(self.names):
            return
        size = max(slot + 1, 2 * len(self.names))
        self.names = _resized(self.names, size, MISSING)
        self.raw_names = _resized(self.raw_names, size, MISSING)
        self.codes = _resized(self.codes, size, MISSING)
        self.used = _resized(self.used, size, fill=False)
        self.last_use = _resized(self.last_use, size, 0)


def _resized(old: np.ndarray, size: int, fill: int) -> np.ndarray:
    new = np.full(size, fill, old.dtype)
    new[: len(old)] = old
    return new
