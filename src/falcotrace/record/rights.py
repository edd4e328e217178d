"""Gives up rights that a thread does not need: what listens to attackers should not be root.

In: the capabilities to keep. Out: a thread without the others. Rights belong to threads, and a new
thread has those of the one that made it (capabilities(7)), so each gives up its own. Threads that
libraries have started before keep theirs; where the command line records there are none.
"""

import ctypes
import enum
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from falcotrace.errors import RecordError

_VERSION: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, include/uapi/linux/capability.h
_WORDS: Final = 2


_NO_THREADS: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


@contextmanager
def libraries_without_threads() -> Iterator[None]:
    """Have libraries that are imported in the block start no threads: these would keep all rights.

    The environment is as before afterwards; a command that is followed gets it.
    """
    before = {name: os.environ.get(name) for name in _NO_THREADS}
    os.environ.update(_NO_THREADS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Capability(enum.IntEnum):
    """Rights that recording needs, by their numbers in include/uapi/linux/capability.h."""

    DAC_OVERRIDE = 1
    DAC_READ_SEARCH = 2
    BPF = 39


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def keep_only(capabilities: Iterable[Capability]) -> None:
    """Give up all rights of the calling thread but some; it gets none that it does not have.

    Raises:
        RecordError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = _Header(_VERSION, 0)
    sets = (_Set * _WORDS)()
    if libc.capget(ctypes.byref(header), sets):
        raise RecordError(f"rights cannot be read: {os.strerror(ctypes.get_errno())}")
    kept = [0] * _WORDS
    for capability in capabilities:
        kept[capability // 32] |= 1 << capability % 32
    for one, mask in zip(sets, kept, strict=True):
        one.effective &= mask
        one.permitted &= mask
        one.inheritable = 0
    if libc.capset(ctypes.byref(header), sets):
        raise RecordError(f"rights cannot be given up: {os.strerror(ctypes.get_errno())}")


def needed_to_write(directory: Path) -> frozenset[Capability]:
    """What somebody who is root needs to make files in a directory: nothing if it is root's own."""
    path = directory.resolve()
    own = all(_may(parent, stat.S_IXUSR) for parent in (path, *path.parents))
    if own and _may(path, stat.S_IWUSR):
        return frozenset()
    return frozenset({Capability.DAC_OVERRIDE, Capability.DAC_READ_SEARCH})


def _may(path: Path, owners_bit: int) -> bool:
    """Whether the mode of a file allows something to whoever runs this, capabilities aside."""
    found = path.stat()
    if found.st_uid == os.geteuid():
        return bool(found.st_mode & owners_bit)
    if found.st_gid in (os.getegid(), *os.getgroups()):
        return bool(found.st_mode & owners_bit >> 3)
    return bool(found.st_mode & owners_bit >> 6)
