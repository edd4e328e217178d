"""Java's engine reads the patterns that are printed for it as RE2 reads what was written."""

import random

import pyarrow as pa
import re2

from falcotrace.engines.spark import SparkEngine
from falcotrace.engines.sql.dialects import spark_text
from falcotrace.engines.sql.java_patterns import java_full_pattern
from falcotrace.engines.sql.posix import perl_pattern
from falcotrace.events.text import to_text
from falcotrace.rules.regex import compile_regex
from unit.engines.test_sql_posix import PIECES, TEXTS

ODD = ["\r", "a\r\n", "\x85", "\u2028", "\u212a", "K", "k", "\U0001f600", "\ufeff", "ä", "a\u0308"]
MORE_PIECES = (
    "[[:^alpha:]]",
    "[^\\n]",
    "[[:space:]]",
    "[[:upper:]k]",
    "&&",
    "#",
    "~",
    " ",
    "/",
    "'",
)


def test_same_language_as_re2(engine: SparkEngine) -> None:
    """Random patterns match the same texts, ends of lines and rare characters among them."""
    chance = random.Random(21)
    texts = [text for text in TEXTS if len(text) < 4] + ODD
    patterns: dict[str, list[bool]] = {}
    while len(patterns) < 300:
        pattern = "".join(
            chance.choice([*PIECES, *MORE_PIECES]) for _ in range(chance.randint(1, 7))
        )
        try:
            compiled = compile_regex(pattern)
        except re2.error:
            continue
        patterns[pattern] = [compiled.fullmatch(text.encode()) is not None for text in texts]
    columns = [
        f"regexp_like(text, '{spark_text(java_full_pattern(perl_pattern(pattern).text))}') AS c{at}"
        for at, pattern in enumerate(patterns)
    ]
    events = engine.session.createDataFrame(pa.table({"text": texts}))
    found = events.selectExpr(*columns).toArrow()
    for place, (pattern, wanted) in enumerate(patterns.items()):
        assert found.column(f"c{place}").to_pylist() == wanted, pattern


def test_literals(engine: SparkEngine) -> None:
    """Any text survives as a literal: quotes, backslashes, settings, control characters, bytes."""
    texts = ["it's", 'a"b', "\\", "\\n", "a\nb\0", "${env:HOME}", "%\\_", "\u202e", "\U0001f600"]
    texts += [to_text(b"a\xff\x80"), "x'); DROP TABLE t; -- */", "\\u0041", "`"]
    query = ", ".join(f"'{spark_text(text)}' AS c{place}" for place, text in enumerate(texts))
    assert list(engine.session.sql(f"SELECT {query}").collect()[0]) == texts
