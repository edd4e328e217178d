"""A file to which bytes are added, and which can go on when a full disk gets room again.

In: bytes. Out: a file. A write that finds no room tells whoever may make some, and then goes on
where it stopped, so that no caller has to undo what was written before.
"""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final

MakeRoom = Callable[[], object]
"""Gives room back if there is any to give; may be called more than once, from any thread."""

_MAX_PARTS: Final = 1024
"""IOV_MAX of Linux: how many pieces of memory one call takes."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class AppendedFile:
    """A file of which positions are counted from its beginning; each write has reached the kernel.

    Args:
        descriptor: the open file, which is this object's from now on; it is gone on with at its
            end.
        make_room: see `insist`.
    """

    def __init__(self, descriptor: int, make_room: MakeRoom | None = None) -> None:
        self._descriptor = descriptor
        self._make_room = make_room
        self._end = os.lseek(descriptor, 0, os.SEEK_END)

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self._descriptor < 0

    def tell(self) -> int:
        """Its size, bytes."""
        return self._end

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes.

        Raises:
            OSError: they could not be written; some of them may have been.
        """
        self.writelines((data,))

    def writelines(self, parts: Iterable[bytes | memoryview]) -> None:
        """Add pieces, one behind the other.

        Raises:
            OSError: as `write`.
        """
        waiting = [view for view in map(_bytes_of, parts) if view]
        while waiting:
            some, waiting = waiting[:_MAX_PARTS], waiting[_MAX_PARTS:]
            while some:
                count = self._insist(os.writev, self._descriptor, some)
                self._end += count
                some = _behind(some, count)

    def copy_from(self, source: int, begin: int, end: int) -> None:
        """Add what stands in another file.

        Args:
            source: the other file, open for reading.
            begin: its first byte.
            end: the byte behind its last one.

        Raises:
            EOFError: the other file ends before that.
            OSError: as `write`.
        """
        while begin < end:
            count = self._insist(os.sendfile, self._descriptor, source, begin, end - begin)
            if not count:
                raise EOFError
            self._end += count
            begin += count

    def sync(self) -> None:
        """Have everything survive the machine's end.

        Raises:
            OSError: it cannot be made sure of.
        """
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _insist(self, call: Callable[..., int], *arguments: object) -> int:
        return insist(call, *arguments, make_room=self._make_room)


def insist(call: Callable[..., int], *arguments: object, make_room: MakeRoom | None) -> int:
    """Call something that writes, and once more with room made where the disk was full.

    Raises:
        OSError: it could not be done, or there was no room then either.
    """
    try:
        return call(*arguments)
    except OSError as error:
        if make_room is None or error.errno not in _FULL:
            raise
    make_room()
    return call(*arguments)


def write_whole(descriptor: int, data: bytes | memoryview, make_room: MakeRoom | None) -> None:
    """Write all of some bytes where a file stands.

    Raises:
        OSError: they could not be written; some of them may have been.
    """
    view = memoryview(data)
    while view:
        view = view[insist(os.write, descriptor, view, make_room=make_room) :]


def _bytes_of(part: bytes | memoryview) -> memoryview:
    return memoryview(part).cast("B")


def _behind(parts: Sequence[memoryview], count: int) -> list[memoryview]:
    """What is left of pieces when so many of their bytes are done."""
    for place, part in enumerate(parts):
        if count < len(part):
            return [part[count:], *parts[place + 1 :]]
        count -= len(part)
    return []
