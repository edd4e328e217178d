"""The version of FalcoTrace, and of the Falco engine whose language it speaks."""

__version__ = "0.1.0"

ENGINE_VERSION = (0, 63, 0)
"""Falco engine version that rule files may require (`required_engine_version`)."""
