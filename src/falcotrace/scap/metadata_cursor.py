"""Reads numbers and texts one after the other from the body of a block.

In: bytes. Out: values; `ShortEntryError` where an entry claims more than there is.
"""

import struct


class ShortEntryError(Exception):
    """An entry ends within a value."""


class Cursor:
    """A place in some bytes that moves on."""

    __slots__ = ("_body", "at", "end")

    def __init__(self, body: bytes, at: int = 0, end: int | None = None) -> None:
        self._body = body
        self.at = at
        self.end = len(body) if end is None else end

    @property
    def left_bytes(self) -> int:
        """Bytes up to the end."""
        return self.end - self.at

    def numbers(self, layout: struct.Struct) -> tuple[int, ...]:
        """The next numbers of a fixed layout."""
        at = self._advance(layout.size)
        return layout.unpack_from(self._body, at)

    def raw(self, size_bytes: int) -> bytes:
        """The next bytes."""
        at = self._advance(size_bytes)
        return self._body[at : at + size_bytes]

    def text(self) -> bytes:
        """The next text, which begins with its length in two bytes."""
        return self.raw(int.from_bytes(self.raw(2), "little"))

    def entry(self, size_bytes: int) -> "Cursor":
        """A cursor over the next bytes, which this one leaves behind."""
        at = self._advance(size_bytes)
        return Cursor(self._body, at, self.at)

    def _advance(self, size_bytes: int) -> int:
        at = self.at
        if size_bytes > self.end - at:
            raise ShortEntryError
        self.at = at + size_bytes
        return at
