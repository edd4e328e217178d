"""Files that are there as a whole or not at all.

What is written goes to a file of mode 0600 under a name of its own, in the same folder, which takes
the place of the one wanted when it is complete. What was recorded is nobody else's business, and
half of an answer looks like all of it.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from falcotrace.errors import FalcoTraceError, escape_controls


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """A new, empty file, which becomes `path` when the block is left without an error.

    Args:
        path: the file wanted.
        force: whether a file of that name may be replaced.

    Raises:
        FalcoTraceError: the file exists, is no regular file, or cannot be written.
    """
    shown = escape_controls(str(path))
    _refuse_existing(path, shown, force=force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
    except OSError as error:
        raise FalcoTraceError(f"{shown}: cannot be written: {error.strerror}") from None
    new = Path(name)
    try:
        yield new
        _refuse_existing(path, shown, force=force)
        new.replace(path)
    except OSError as error:
        raise FalcoTraceError(f"{shown}: cannot be written: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def _refuse_existing(path: Path, shown: str, *, force: bool) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise FalcoTraceError(f"{shown}: is no regular file: name another one")
    if not force:
        raise FalcoTraceError(f"{shown}: exists already; --force overwrites it")
