"""Finds what was changed in the journal of a recording that was interrupted.

In: its files. Out: what is not as it was written. What was cut off at the end cannot be told from
what the interruption tore, and neither can a change of the last batch.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from falcotrace.errors import RecordError
from falcotrace.record.journal import BATCH, BATCH_MARK, CHAINED_BYTES, HEAD, MARK, segments

_BUFFER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _State:
    """Where the chain stands: position in samples, and the link so far."""

    position: int
    link: bytes


def journal_changes(folder: Path, magic: int, position: int) -> Iterator[str]:
    """What is not as it was written.

    Args:
        folder: where the journal's files are.
        magic: the session's number.
        position: samples before it are converted; their files may be gone.

    Raises:
        RecordError: a file cannot be read.
    """
    state: _State | None = None
    paths = segments(folder)
    for path in paths:
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror}") from None
        try:
            head = os.pread(file, HEAD.size, 0)
            if len(head) < HEAD.size or not head.startswith(MARK):
                # The reader says what is wrong with it, or that it is the last one.
                return
            _, found_magic, first, link = HEAD.unpack(head)
            if found_magic != magic:
                return
            if state is None and path == paths[0] and first > position:
                yield f"the journal before {path.name} is missing"
            if state is not None and state != _State(first, link):
                yield f"{path.name} does not follow the file before it"
            state, broken = _walk(file, _State(first, link))
            if broken and (path != paths[-1] or _goes_on(file, broken)):
                yield f"samples in {path.name} from its byte {broken:,} on"
                state = None
        finally:
            os.close(file)


def _walk(file: int, state: _State) -> tuple[_State, int]:
    """Where the chain stands behind a file, and the byte at which it is broken; 0 for nowhere."""
    place = HEAD.size
    size = os.fstat(file).st_size
    while place < size:
        frame = os.pread(file, BATCH.size, place)
        if len(frame) < BATCH.size:
            return state, place
        mark, count, stored, _, link = BATCH.unpack(frame)
        end = place + BATCH.size + stored
        if mark != BATCH_MARK or end > size:
            return state, place
        found = sha256(state.link + frame[:CHAINED_BYTES])
        for begin in range(place + BATCH.size, end, _BUFFER_BYTES):
            found.update(os.pread(file, min(_BUFFER_BYTES, end - begin), begin))
        if found.digest() != link:
            return state, place
        state = _State(state.position + count, link)
        place = end
    return state, 0


def _goes_on(file: int, place: int) -> bool:
    """Whether another batch stands behind a place: then nothing was torn there."""
    overlap = len(BATCH_MARK) - 1
    begin = place + 1
    while window := os.pread(file, _BUFFER_BYTES + overlap, begin):
        if BATCH_MARK in window:
            return True
        begin += _BUFFER_BYTES
    return False
