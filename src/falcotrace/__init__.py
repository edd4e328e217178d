"""FalcoTrace: a flight recorder for Linux hosts, and the detective for what it recorded."""

from falcotrace.version import __version__

__all__ = ["__version__"]
