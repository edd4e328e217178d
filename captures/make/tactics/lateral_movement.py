# ruff: noqa: INP001 - a script for a machine
"""Stands for a script with arguments; it does nothing."""
