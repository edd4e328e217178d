# ruff: noqa: INP001 - a script for a machine
"""Gives a file an extended attribute under which things are hidden, and another time."""

import os
from pathlib import Path

hidden = Path("/srv/notes")
hidden.write_text("notes\n")
os.setxattr(hidden, "user.payload", b"kept where few look")
os.utime(hidden, (1_500_000_000, 1_500_000_000))
