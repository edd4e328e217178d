"""The Python API: open captures, load rules, scan, and ask SQL.

    import falcotrace as ft

    with ft.open("capture.parquet") as capture:
        for alert in capture.scan(ft.rules("rules/")):
            print(alert.time_ns, alert.rule.name, alert.output)
        capture.query("proc.name=bash").count_by("evt.type", "fd.name").df()
        capture.sql("SELECT proc.name, count(*) FROM events GROUP BY ALL").df()

A thin layer: files and globs become open captures, everything else is done below. The command line
stands on it.
"""

from falcotrace.api.captures import Captures, open_captures
from falcotrace.api.scanning import ScanReport

__all__ = ["Captures", "ScanReport", "open_captures"]
