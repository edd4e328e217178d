"""Tests that a developer runs."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import orders  # type: ignore[import-not-found]
import pytest


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    connected: sqlite3.Connection = orders.connect(tmp_path / "orders.db")
    return connected


@pytest.mark.parametrize("number", range(20))
def test_orders_are_kept(database: sqlite3.Connection, number: int) -> None:
    for item in range(number):
        orders.add(database, f"lamp {item}")
    assert len(orders.listed(database)) == number


def test_it_imports_alone() -> None:
    subprocess.run([sys.executable, "-c", "import orders"], check=True)


def test_revision_is_text() -> None:
    assert isinstance(orders.revision(), str)
