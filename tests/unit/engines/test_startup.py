"""What a scan imports: start-up is a part of every scan's time."""

import subprocess
import sys


def test_scanning_imports_no_heavy_package() -> None:
    """Replay works without pandas, DuckDB and sqlglot, which cost more than a small scan."""
    program = """
import sys
from falcotrace.evaluate import evaluate
assert evaluate("proc.name in (a, b) and fd.name pmatch (/etc) and fd.num > 3 and "
                "proc.cmdline icontains x and fd.directory = /etc and proc.exe glob a*",
                [{"proc.name": "a", "fd.name": "/etc/x", "fd.num": 4, "proc.cmdline": "X",
                  "fd.directory": "/etc", "proc.exe": "ab"}]) == [True]
heavy = {"pandas", "duckdb", "sqlglot", "rich", "typer"} & sys.modules.keys()
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
