# ruff: noqa: INP001 - a script for a machine
"""Runs a program whose file is removed already, through the descriptor that is left."""

import os

program = os.open("/srv/gone", os.O_RDONLY)
os.unlink("/srv/gone")  # noqa: PTH108 - as a dropper would
os.execve(program, ["gone", "0.1"], {})
