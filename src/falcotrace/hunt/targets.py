"""Files that a hunt is to look at: on this machine, or in an object store.

In: paths, folders, patterns and URLs. Out: targets, each with what tells one content of it from
the next. URLs are read through fsspec, which takes credentials from the environment as the
store's own tools do.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from falcotrace.capture.sources import CAPTURE_SUFFIX, expand_source
from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.events.text import to_text

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Target:
    """A file that may be a capture.

    Attributes:
        name: its path, or its URL.
        size_bytes: how large it is.
        version: changes when its content does: a time of change, or the store's own mark.
        store: the file system behind a URL; None on this machine.
        key: its name there.
    """

    name: str
    size_bytes: int
    version: str
    store: "AbstractFileSystem | None" = None
    key: str = ""

    @property
    def text(self) -> str:
        """The name as text, whatever bytes it has."""
        return to_text(os.fsencode(self.name))

    @property
    def identity(self) -> str:
        """The same for the same content under the same name."""
        return f"{self.text}\n{self.size_bytes}\n{self.version}"

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The file on this machine; one from a store is fetched as a whole and removed again.

        A capture has hundreds of columns, each a piece of its own: fetching only some of them would
        take a request for each.

        Raises:
            CaptureError: it cannot be fetched.
        """
        if self.store is None:
            yield Path(self.name)
            return
        with TemporaryDirectory(prefix="falcotrace-") as folder:
            path = Path(folder) / f"fetched{CAPTURE_SUFFIX}"
            try:
                self.store.get_file(self.key, str(path))
            except Exception as error:  # noqa: BLE001 - each store raises errors of its own
                raise CaptureError(self.name, f"cannot be fetched: {_line(error)}") from None
            yield path


def find_targets(sources: Iterable[str | Path]) -> list[Target]:
    """What paths, folders, patterns and URLs stand for, each file once, sorted within each source.

    Raises:
        CaptureError: a source stands for nothing.
        FalcoTraceError: a URL's store cannot be reached, or what reads it is not installed.
    """
    found: dict[str, Target] = {}
    for source in sources:
        targets = _remote(str(source)) if "://" in str(source) else _local(source)
        for target in targets:
            found.setdefault(target.name, target)
    return list(found.values())


def _local(source: str | Path) -> Iterator[Target]:
    for path in expand_source(source):
        try:
            status = path.stat()
        except OSError as error:
            # It may go while others are hunted: what is wrong shows when it is opened.
            if path == Path(source):
                raise CaptureError(path, f"cannot be read: {error.strerror}") from None
            yield Target(str(path), 0, "")
        else:
            yield Target(str(path), status.st_size, str(status.st_mtime_ns))


def _remote(url: str) -> list[Target]:
    try:
        import fsspec  # noqa: PLC0415 - only URLs need it
    except ImportError:
        raise FalcoTraceError(
            f"{url}: reading URLs needs fsspec: pip install 'falcotrace[remote]'"
        ) from None
    try:
        store, key = fsspec.core.url_to_fs(url)
        entries = _entries(store, key)
    except ImportError as error:
        raise FalcoTraceError(f"{url}: {_line(error)}") from None
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise FalcoTraceError(f"{url}: cannot be listed: {_line(error)}") from None
    if not entries:
        raise CaptureError(url, "no file matches")
    return [
        Target(
            name=store.unstrip_protocol(name),
            size_bytes=int(entry.get("size") or 0),
            version=_version(entry),
            store=store,
            key=name,
        )
        for name, entry in sorted(entries.items())
    ]


def _entries(store: "AbstractFileSystem", key: str) -> dict[str, dict[str, Any]]:
    if set(key) & _PATTERN:
        return dict(store.glob(key, detail=True))
    if store.isdir(key):
        found = store.find(key, detail=True)
        return {name: entry for name, entry in found.items() if name.endswith(CAPTURE_SUFFIX)}
    return {key: store.info(key)}


_VERSION_KEYS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")


def _version(entry: dict[str, Any]) -> str:
    return next((str(entry[key]) for key in _VERSION_KEYS if entry.get(key)), "")


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
