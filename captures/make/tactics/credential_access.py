# ruff: noqa: INP001 - a script for a machine
"""Reads the memory of a child, in both ways that Linux has."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path


class Vector(ctypes.Structure):
    """The kernel's struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


child = subprocess.Popen(["/usr/bin/sleep", "5"])
time.sleep(0.2)
mapped = next(
    line for line in Path(f"/proc/{child.pid}/maps").read_text().splitlines() if "[stack]" in line
)
first, last = (int(part, 16) for part in mapped.split()[0].split("-"))
with Path(f"/proc/{child.pid}/mem").open("rb") as memory:
    memory.seek(first)
    memory.read(4096)
taken = ctypes.create_string_buffer(4096)
local = Vector(ctypes.addressof(taken), 4096)
remote = Vector(last - 4096, 4096)
library = ctypes.CDLL(None, use_errno=True)
library.process_vm_readv(child.pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
os.kill(child.pid, signal.SIGKILL)
child.wait()
