# ruff: noqa: INP001 - a script for a machine
"""Asks for what no program in a container needs: a file by its handle, its own program to write."""

import ctypes
import os
from contextlib import suppress


class Handle(ctypes.Structure):
    """The kernel's struct file_handle, with a handle that names nothing."""

    _fields_ = (
        ("size", ctypes.c_uint),
        ("kind", ctypes.c_int),
        ("handle", ctypes.c_ubyte * 8),
    )


library = ctypes.CDLL(None, use_errno=True)
mounted = os.open("/etc/hosts", os.O_RDONLY)
library.open_by_handle_at(mounted, ctypes.byref(Handle(8, 1)), os.O_RDONLY)
for path in ("/proc/self/exe", "/proc/1/exe"):
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY))
