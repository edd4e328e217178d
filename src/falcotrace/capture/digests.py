"""Digests of stretches of a file.

In: an open file, places in it. Out: SHA-256 of what stands there. A file that ends earlier has no
such digest; nothing is trusted about sizes, and memory is a buffer.
"""

import hashlib
import os
from hashlib import sha256
from typing import Final

BUFFER_BYTES: Final = 1 << 20


def digest_of(file: int, begin: int, size_bytes: int) -> bytes | None:
    """The digest of bytes of a file; None if they are not all there.

    Args:
        file: open for reading; its position does not matter and does not change.
        begin: the first byte.
        size_bytes: how many.

    Raises:
        OSError: they cannot be read.
    """
    if begin < 0 or size_bytes < 0 or begin + size_bytes > os.fstat(file).st_size:
        return None
    found = sha256()
    end = begin + size_bytes
    while begin < end:
        piece = os.pread(file, min(BUFFER_BYTES, end - begin), begin)
        if not piece:
            return None
        found.update(piece)
        begin += len(piece)
    return found.digest()


def whole_digest(file: int, name: str) -> bytes:
    """The digest of all bytes of a file.

    Args:
        file: open for reading; its position does not matter and does not change.
        name: of the digest, as hashlib has it.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.new(name)
    begin = 0
    while piece := os.pread(file, BUFFER_BYTES, begin):
        found.update(piece)
        begin += len(piece)
    return found.digest()
