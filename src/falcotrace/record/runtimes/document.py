"""JSON documents of runtimes, read with limits: what is in them is nobody's promise.

In: places and names. Out: documents in which every question has an answer, if only an empty one.
A file is opened without following a link, must be a regular one, and is read to a limit; below a
user's home no link is followed on the way either, no other file system is entered, and only what
the user or root owns is read.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from falcotrace.events.text import storable, to_text

MOST_BYTES: Final = 4 << 20
"""Of one document; runtimes write some 10 KiB."""

MOST_ITEMS: Final = 4096
"""Entries of a list or an object that are looked at."""

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DocumentError(Exception):
    """A document is there and cannot be used."""


@dataclass(frozen=True, slots=True)
class Document:
    """A part of a JSON document; what is missing or of another type is empty."""

    value: object = None

    @classmethod
    def parse(cls, raw: bytes | str) -> "Document":
        """Parse JSON; bytes that are no UTF-8 are kept as captures keep them.

        Raises:
            DocumentError: it is none.
        """
        try:
            return cls(json.loads(to_text(raw) if isinstance(raw, bytes) else raw))
        except (ValueError, RecursionError) as error:
            raise DocumentError(f"no JSON: {type(error).__name__}") from None

    def at(self, *keys: str) -> "Document":
        """The part behind some keys, one inside the other."""
        value = self.value
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return Document(value)

    @property
    def is_there(self) -> bool:
        """Whether there is something, if only an empty list."""
        return self.value is not None

    @property
    def text(self) -> str:
        """Its text; empty for what is none."""
        return storable(self.value)

    @property
    def number(self) -> int:
        """Its whole number; 0 for what is none."""
        is_number = isinstance(self.value, int) and not isinstance(self.value, bool)
        return self.value if is_number and isinstance(self.value, int) else 0

    @property
    def is_true(self) -> bool:
        """Whether it is `true`."""
        return self.value is True

    @property
    def items(self) -> list["Document"]:
        """The items of a list."""
        value = self.value if isinstance(self.value, list) else []
        return [Document(item) for item in value[:MOST_ITEMS]]

    @property
    def texts(self) -> list[str]:
        """The texts of a list."""
        return [item.text for item in self.items if isinstance(item.value, str)]

    @property
    def members(self) -> dict[str, "Document"]:
        """The members of an object by name."""
        value = self.value if isinstance(self.value, dict) else {}
        pairs = list(value.items())[:MOST_ITEMS]
        return {storable(name): Document(member) for name, member in pairs}

    @property
    def labels(self) -> dict[str, str]:
        """The members of an object that are texts."""
        return {k: d.text for k, d in self.members.items() if isinstance(d.value, str)}

    def inner(self) -> "Document":
        """The document that a text holds; empty where it holds none."""
        with suppress(DocumentError):
            return Document.parse(self.text) if self.text else Document()
        return Document()


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a runtime.

    Attributes:
        path: the folder, or what it is below.
        below: the way from there, along which no link is followed.
        owner: the user whose home `path` is; None where only root can write.
    """

    path: Path
    below: tuple[str, ...] = ()
    owner: int | None = None

    def inside(self, *names: str) -> "Place":
        """A folder in it."""
        if self.owner is None:
            return Place(self.path.joinpath(*names))
        return Place(self.path, (*self.below, *names), self.owner)

    @property
    def is_there(self) -> bool:
        """Whether it can be entered."""
        with suppress(OSError), self._entered(()):
            return True
        return False

    def names(self, limit: int) -> list[str]:
        """What is in it, at most so many names, in order."""
        found: list[str] = []
        with suppress(OSError), self._entered(()) as folder, os.scandir(folder) as entries:
            for entry in entries:
                found.append(entry.name)
                if len(found) >= limit:
                    break
        return sorted(found)

    def read(self, *names: str) -> bytes | None:
        """A file in it; None where there is none.

        Raises:
            DocumentError: it is no regular file, too large, somebody else's, or cannot be read.
        """
        *folders, name = names
        if not all(_is_name(part) for part in names):
            return None
        try:
            with self._entered(tuple(folders)) as folder:
                file = os.open(name, _READ, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DocumentError(error.strerror) from None
        try:
            return self._read_open(file)
        except OSError as error:
            raise DocumentError(error.strerror) from None
        finally:
            os.close(file)

    def document(self, *names: str) -> Document | None:
        """A JSON document in it; None where there is none.

        Raises:
            DocumentError: it cannot be used.
        """
        raw = self.read(*names)
        return None if raw is None else Document.parse(raw)

    def _read_open(self, file: int) -> bytes:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise DocumentError("no regular file")
        if self.owner is not None and status.st_uid not in {0, self.owner}:
            raise DocumentError("somebody else's file")
        chunks: list[bytes] = []
        left = MOST_BYTES + 1
        while left and (chunk := os.read(file, left)):
            chunks.append(chunk)
            left -= len(chunk)
        if not left:
            raise DocumentError(f"more than {MOST_BYTES} bytes")
        return b"".join(chunks)

    @contextmanager
    def _entered(self, folders: tuple[str, ...]) -> Iterator[int]:
        """A descriptor of a folder below; in a home step by step."""
        if self.owner is None:
            folder = os.open(self.path.joinpath(*folders), os.O_RDONLY | os.O_DIRECTORY)
        else:
            folder = _descend(self.path, (*self.below, *folders))
        try:
            yield folder
        finally:
            os.close(folder)


def _descend(base: Path, names: tuple[str, ...]) -> int:
    """Open a folder below another one, without following a link or entering a file system."""
    folder = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    device = os.fstat(folder).st_dev
    for name in names:
        try:
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_dev != device:
                raise NotADirectoryError
            inner = os.open(name, _ENTER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and "\0" not in text and text not in {".", ".."}
