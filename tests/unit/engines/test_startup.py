"""What a scan and a query import: start-up is a part of their time."""

import subprocess
import sys
from pathlib import Path

import pytest

CAPTURE = Path(__file__).parents[3] / "captures" / "first_light.parquet"


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


@pytest.mark.parametrize("form", ["table", "json", "csv", "parquet"])
@pytest.mark.parametrize("options", [[], ["--count-by", "proc.name,proc.aname,evt.num"]])
def test_asking_imports_no_heavy_package(form: str, options: list[str]) -> None:
    """A query's first rows wait for nothing that they do not need, whatever their form."""
    program = """
import sys
from falcotrace.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
heavy = {"pandas", "duckdb", "sqlglot", "rich.table", "scapy"} & sys.modules.keys()
assert not heavy, heavy
"""
    question = ["query", str(CAPTURE), "proc.name=bash", "--format", form, *options]
    command = [sys.executable, "-c", program, *question]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)


def test_a_scan_imports_no_heavy_package() -> None:
    """Shipped rules, those about several events among them, find their alerts without pandas."""
    program = """
import sys
from falcotrace.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert end.code == 1, end.code
heavy = {"pandas", "duckdb", "sqlglot", "scapy"} & sys.modules.keys()
assert not heavy, heavy
"""
    command = [sys.executable, "-c", program, "scan", str(CAPTURE), "--format", "text"]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
