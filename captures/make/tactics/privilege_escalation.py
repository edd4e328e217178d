# ruff: noqa: INP001 - a script for a machine
"""Moves part of a file into a pipe without copying it: one of root's, or, told so, one's own."""

import os
import sys
from pathlib import Path

if sys.argv[1:]:
    Path("/tmp/page").write_text("a page\n")  # noqa: S108 - in a machine of its own
    source = "/tmp/page"  # noqa: S108
else:
    source = "/etc/passwd"
file = os.open(source, os.O_RDONLY)
read_end, write_end = os.pipe()
os.splice(file, write_end, 1, offset_src=0)
os.read(read_end, 1)
