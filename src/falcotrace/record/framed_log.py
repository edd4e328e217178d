"""A file that only grows, record by record, and of which a crash can tear only the end.

In: kinds and payloads. Out: the same, up to the first record that is not whole.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from falcotrace.capture.appended_file import MakeRoom, write_whole

_FRAME: Final = struct.Struct("<III")  # kind, bytes of the payload, checksum of both and of it
FRAME_BYTES: Final = _FRAME.size
MAX_PAYLOAD_BYTES: Final = 1 << 30


class FramedLog:
    """Appends records.

    Args:
        path: the file; created where it is not there.
        end: what stands behind this byte is cut off.
        make_room: asked for room when the disk is full, before that is an error.
    """

    def __init__(self, path: Path, end: int = 0, make_room: MakeRoom | None = None) -> None:
        self._make_room = make_room
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)
        self.end = end

    def append(self, kind: int, payload: bytes) -> None:
        """Add a record.

        Raises:
            OSError: it could not be written; it does not count.
        """
        record = _frame(kind, payload) + payload
        try:
            write_whole(self._file, record, self._make_room)
        except OSError:
            os.ftruncate(self._file, self.end)
            os.lseek(self._file, self.end, os.SEEK_SET)
            raise
        self.end += len(record)

    def sync(self) -> None:
        """Have everything survive the machine's end."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def read_log(path: Path, end: int | None = None, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Kinds and payloads of the whole records of a file, from a byte and as far as a byte."""
    with path.open("rb") as file:
        file.seek(start)
        while end is None or file.tell() + _FRAME.size <= end:
            frame = file.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                return
            kind, size, _ = _FRAME.unpack(frame)
            payload = file.read(size) if size <= MAX_PAYLOAD_BYTES else b""
            if _frame(kind, payload) != frame:
                return
            yield kind, payload


def _frame(kind: int, payload: bytes) -> bytes:
    head = struct.pack("<II", kind, len(payload))
    return head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head)))
