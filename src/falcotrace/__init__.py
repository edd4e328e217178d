"""FalcoTrace: a flight recorder for Linux hosts, and the detective for what it recorded.

    import falcotrace as ft

    with ft.open("capture.parquet") as capture:
        alerts = list(capture.scan(ft.rules("rules/")))

Names are imported when they are first used, so that `import falcotrace` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

from falcotrace.version import __version__

if TYPE_CHECKING:
    from falcotrace.alerts import Alert
    from falcotrace.api import Captures, ScanReport
    from falcotrace.api import open_captures as open  # noqa: A004 - the name that users expect
    from falcotrace.errors import (
        CaptureError,
        FalcoTraceError,
        RecordError,
        RulesError,
        UnsupportedError,
    )
    from falcotrace.evaluate import evaluate
    from falcotrace.rules.load import RulesText
    from falcotrace.rules.shipped import load_plan as rules

__all__ = [
    "Alert",
    "CaptureError",
    "Captures",
    "FalcoTraceError",
    "RecordError",
    "RulesError",
    "RulesText",
    "ScanReport",
    "UnsupportedError",
    "__version__",
    "evaluate",
    "open",
    "rules",
]

_HOMES = {
    "Alert": ("alerts", "Alert"),
    "CaptureError": ("errors", "CaptureError"),
    "Captures": ("api", "Captures"),
    "FalcoTraceError": ("errors", "FalcoTraceError"),
    "RecordError": ("errors", "RecordError"),
    "RulesError": ("errors", "RulesError"),
    "RulesText": ("rules.load", "RulesText"),
    "ScanReport": ("api", "ScanReport"),
    "UnsupportedError": ("errors", "UnsupportedError"),
    "evaluate": ("evaluate", "evaluate"),
    "open": ("api", "open_captures"),
    "rules": ("rules", ""),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'falcotrace' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    home = importlib.import_module(f"falcotrace.{module}")
    value: object = getattr(home, attribute) if attribute else home
    globals()[name] = value
    return value
