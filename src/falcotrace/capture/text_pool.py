"""One pool of texts for a recording: every text is kept once and columns hold its code.

In: bytes in a sample buffer. Out: int32 codes, and at a row group's end Arrow dictionaries with
    only the
texts that occur. No loop per event: strings are found as Arrow views over the buffer, and only
distinct ones become Python objects.
"""

from collections.abc import Callable, Sequence
from itertools import count, repeat
from typing import cast

import numpy as np
import pyarrow as pa

from falcotrace.capture.distinct import distinct
from falcotrace.events.text import to_text

MISSING = -1
"""The code of no text."""

_NEW = -2

_INLINE_BYTES = 12  # Arrow's binary views keep strings up to this length in the view itself
_INLINE_MASKS = (
    np.where(np.arange(_INLINE_BYTES) < np.arange(_INLINE_BYTES + 1)[:, None], 0xFF, 0)
    .astype(np.uint8)
    .view(np.int32)
)
"""For each length the mask of a string's bytes in a view."""


class TextPool:
    """Texts by code, from 0. Grows until `reset`."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def reset(self) -> None:
        """Forget all texts; codes that were given mean nothing any more."""
        self._texts, self._codes = [], {}

    def __getitem__(self, code: int) -> str:
        return self._texts[code]

    def code(self, text: str | None) -> int:
        """The code of a text; MISSING for None."""
        if text is None:
            return MISSING
        found = self._codes.get(text)
        if found is None:
            found = self._codes[text] = len(self._texts)
            self._texts.append(text)
        return found

    def codes(self, texts: Sequence[str | None]) -> np.ndarray:
        """Codes of texts; a loop, so for distinct ones."""
        known = self._codes
        # Only texts that are new are looked at one by one, and those without bytecode too.
        find = cast("Callable[[str | None, int], int]", known.get)
        codes = np.fromiter(map(find, texts, repeat(_NEW)), np.int32, len(texts))
        is_new = codes == _NEW
        if is_new.any():
            if not isinstance(texts, list):
                texts = list(texts)
            new = [texts[place] for place in np.flatnonzero(is_new).tolist()]
            fresh = [text for text in dict.fromkeys(new) if text is not None]
            known.update(zip(fresh, count(len(self._texts))))
            self._texts.extend(fresh)
            codes[is_new] = np.fromiter(map(find, new, repeat(MISSING)), np.int32, len(new))
        return codes

    def codes_in(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Codes of the strings at `starts` in a buffer of bytes.

        Args:
            data: the buffer, uint8.
            starts: byte offsets.
            lengths: bytes; a string ends at its first NUL all the same.
        """
        found, indices = distinct_bytes(data, starts, lengths)
        codes = self.codes([to_text(raw.split(b"\0", 1)[0]) for raw in found])
        return codes[indices]

    def texts(self, codes: np.ndarray) -> list[str | None]:
        """Texts of (distinct) codes."""
        return [None if code < 0 else self._texts[code] for code in codes.tolist()]

    def arrow(self, codes: np.ndarray) -> pa.DictionaryArray:
        """A dictionary array of codes, with only the texts that occur."""
        found, places = distinct(codes)
        has_missing = found.size > 0 and found[0] < 0
        texts = [self._texts[code] for code in found[int(has_missing) :].tolist()]
        indices = places.astype(np.int32) - np.int32(has_missing)
        mask = indices < 0 if has_missing else None
        return pa.DictionaryArray.from_arrays(
            pa.array(indices, mask=mask), pa.array(texts, pa.string())
        )


def distinct_bytes(
    data: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> tuple[list[bytes], np.ndarray]:
    """The distinct strings at `starts` in a buffer, and for each start which one it is."""
    count = len(starts)
    if not count:
        return [], np.empty(0, np.int64)
    views = np.zeros((count, 4), np.int32)
    views[:, 0] = lengths
    # Beyond a short string anything may be read, it is masked out.
    heads = _heads(data, starts).view(np.int32).reshape(count, 3)
    views[:, 1:] = heads & _INLINE_MASKS[np.minimum(lengths, _INLINE_BYTES)]
    is_long = np.flatnonzero(lengths > _INLINE_BYTES)
    views[is_long, 2] = 0
    views[is_long, 3] = starts[is_long]
    buffers = [None, pa.py_buffer(views), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.binary_view(), count, buffers).cast(pa.binary())
    coded = array.dictionary_encode()
    # `to_numpy` imports pandas where it is installed, which takes longer than most scans.
    return coded.dictionary.to_pylist(), np.frombuffer(coded.indices.buffers()[1], np.int32, count)


def _heads(data: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The first bytes at each start, as many as an Arrow view holds; zeros beyond the buffer."""
    last = max(len(data) - _INLINE_BYTES, 0)
    tail = np.concatenate([data[last:], np.zeros(_INLINE_BYTES, np.uint8)])
    if last == 0:
        return _anywhere(tail)[starts]
    beyond = np.flatnonzero(starts > last)
    if not len(beyond):
        return _anywhere(data)[starts]
    heads = _anywhere(data)[np.minimum(starts, last)]
    heads[beyond] = _anywhere(tail)[starts[beyond] - last]
    return heads


def _anywhere(data: np.ndarray) -> np.ndarray:
    """A view of a buffer with an item of that many bytes at every byte."""
    count = len(data) - _INLINE_BYTES + 1
    return np.ndarray((count,), f"V{_INLINE_BYTES}", data, strides=(1,))
