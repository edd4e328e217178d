"""Bytes behind text, and text made of bytes, as SQL computes them."""

import random
from collections.abc import Callable

import duckdb
import pytest
from sqlglot import exp

from falcotrace.engines.sql import build, raw_text
from falcotrace.engines.sql.printer import print_sql
from falcotrace.events.text import to_text

PIECES = [
    *(
        b"a",
        b"\xc3\xa9",
        b"\xff",
        b"\x80",
        b"\xe2\x82\xac",
        b"\xf0\x9f\x98\x80",
        b"\xc3",
        b"\xe2\x82",
    ),
    *(b"\xf4\x8f\xb8\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xed\xa0\x80", b"\x7f"),
    *(b"\\", b'"', b"'", b"\n", b"\0", b"x27", b"\xc0\xaf"),
]


def ended(raw: bytes) -> bytes:
    """Bytes up to the first NUL."""
    return raw.partition(b"\0")[0]


def dotted(raw: bytes) -> str:
    """Bytes with a dot for each that is not printable ASCII."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in raw)


@pytest.mark.parametrize(
    ("of", "function", "wanted"),
    [
        ("raw", raw_text.text_of_bytes, lambda raw: to_text(ended(raw))),
        ("raw", raw_text.printable_bytes, dotted),
        ("text", raw_text.byte_length, lambda raw: len(ended(raw))),
        ("text", raw_text.byte_digits, lambda raw: ended(raw).hex().upper()),
    ],
)
def test_bytes_and_text(
    of: str, function: Callable[[exp.Expr], exp.Expr], wanted: Callable[[bytes], object]
) -> None:
    """Every sequence of bytes, valid UTF-8 or not, is read and written as Python does it."""
    chance = random.Random(7)
    rows = [b"".join(chance.choices(PIECES, k=chance.randint(0, 6))) for _ in range(1500)]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE rows (place INT, raw BLOB, text TEXT)")
    values = [(place, raw, to_text(ended(raw))) for place, raw in enumerate(rows)]
    connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", values)
    sql = print_sql(function(build.column(of)))
    found = connection.execute(f"SELECT {sql} FROM rows ORDER BY place").fetchall()
    assert [value for (value,) in found] == [wanted(raw) for raw in rows]
    missing = connection.execute(f"SELECT {sql} FROM (SELECT NULL::{_type(of)} AS {of})")
    assert missing.fetchall() == [(None,)]


def _type(of: str) -> str:
    return "BLOB" if of == "raw" else "TEXT"
