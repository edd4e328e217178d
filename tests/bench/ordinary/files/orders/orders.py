"""A small application: orders in SQLite, served over HTTP."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

PATH = Path("/tmp/orders.db")


def connect(path: Path = PATH) -> sqlite3.Connection:
    """Open the database, with its table."""
    database = sqlite3.connect(path)
    database.execute("create table if not exists orders (id integer primary key, item text)")
    return database


def add(database: sqlite3.Connection, item: str) -> int | None:
    """Take an order."""
    with database:
        return database.execute("insert into orders (item) values (?)", (item,)).lastrowid


def listed(database: sqlite3.Connection) -> list[dict[str, object]]:
    """All orders."""
    return [{"id": key, "item": item} for key, item in database.execute("select * from orders")]


def revision() -> str:
    """Which commit this is."""
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def app(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
    """The application, for a server that speaks WSGI."""
    database = connect()
    if environ["PATH_INFO"] == "/api/orders":
        add(database, environ.get("REMOTE_ADDR", "somebody"))
    body = json.dumps(listed(database)[-20:]).encode()
    database.close()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
