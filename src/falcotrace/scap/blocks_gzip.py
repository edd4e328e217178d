"""Decompresses captures piece by piece.

In: an open file. Out: pieces of limited size, whatever the file claims. A damaged file gives all
bytes before the damage.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from isal import igzip_lib

GZIP_MAGIC = b"\x1f\x8b"
_COMPRESSED_BYTES = 1 << 18
_PIECE_BYTES = 4 << 20
_RESCUE_BYTES = 1 << 12
_GZIP_WINDOW_BITS = 31


class BrokenStreamError(Exception):
    """Data that cannot be read further."""


def plain_pieces(file: BinaryIO) -> Iterator[bytes]:
    """What a pipe yields."""
    while piece := file.read(_PIECE_BYTES):
        yield piece


def gzip_pieces(file: BinaryIO) -> Iterator[bytes]:
    """The content of one gzip member after the other.

    Raises:
        BrokenStreamError: the rest is damaged or missing.
    """
    left = file.read(_COMPRESSED_BYTES)
    while left:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        begin = file.tell() - len(left) if file.seekable() else None
        yield from _member_pieces(file, member, left, begin)
        left = member.unused_data or file.read(_COMPRESSED_BYTES)
        if len(left) < len(GZIP_MAGIC):
            left += file.read(_COMPRESSED_BYTES)
        if not left.strip(b"\0"):
            return
        if not left.startswith(GZIP_MAGIC):
            raise BrokenStreamError("what follows the compressed data is not compressed: ignored")


def _member_pieces(
    file: BinaryIO, member: igzip_lib.IgzipDecompressor, compressed: bytes, begin: int | None
) -> Iterator[bytes]:
    """The content of the member that begins at the byte `begin` of the file."""
    done_bytes = 0
    try:
        while True:
            if piece := member.decompress(compressed, _PIECE_BYTES):
                done_bytes += len(piece)
                yield piece
            if member.eof:
                return
            compressed = file.read(_COMPRESSED_BYTES) if member.needs_input else b""
            if member.needs_input and not compressed:
                raise BrokenStreamError("the compressed data end too early")
    except igzip_lib.IsalError as error:  # type: ignore[misc]
        if begin is not None:
            file.seek(begin)
            yield from _rescued_pieces(file, done_bytes)
        raise BrokenStreamError("the compressed data are damaged") from error


def _rescued_pieces(file: BinaryIO, done_bytes: int) -> Iterator[bytes]:
    """What a damaged member holds before the damage, beyond the first `done_bytes`.

    The fast decompressor keeps what it made of the piece in which it failed; the slow one can be
    copied, so that the last piece is tried again byte by byte.
    """
    member = zlib.decompressobj(_GZIP_WINDOW_BITS)
    position = 0
    is_sound = True
    while is_sound and (compressed := file.read(_RESCUE_BYTES)) and not member.eof:
        before = member.copy()
        try:
            piece = member.decompress(compressed)
        except zlib.error:
            is_sound = False
            piece = b"".join(_until_error(before, compressed))
        position += len(piece)
        if position > done_bytes:
            yield piece[-(position - done_bytes) :]
            done_bytes = position


def _until_error(member: "zlib._Decompress", compressed: bytes) -> Iterator[bytes]:
    for byte in compressed:
        try:
            yield member.decompress(bytes([byte]))
        except zlib.error:
            return
