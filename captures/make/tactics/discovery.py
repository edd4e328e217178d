# ruff: noqa: INP001 - a script for a machine
"""Reads where somebody logs in, as a worm does, and goes nowhere."""

from pathlib import Path

for line in Path("/home/ops/.ssh/known_hosts").read_text().splitlines():
    print(line.split()[0])  # noqa: T201 - it prints
