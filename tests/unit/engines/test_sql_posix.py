"""Regular expressions for DuckDB: the same language as RE2's POSIX syntax, or a refusal."""

import itertools
import random

import duckdb
import pytest
import re2

from falcotrace.engines.sql.posix import perl_pattern
from falcotrace.errors import UnsupportedError
from falcotrace.rules.regex import compile_regex

PIECES = [
    *"ab()|*+?^$.[]{}\\,1-n\n",
    *("[a-b]", "[^a]", "[[:alpha:]]", "{1,2}", "\\.", "(a", "b)", "\\n", "[]a]", "\\x61", "^*"),
]
TEXTS = ["".join(t) for size in range(5) for t in itertools.product("ab\n", repeat=size)]
TEXTS += ["a.b", "a{", "b1", "-", "\\", "(", "n", "{,1}", "A", "ä"]


@pytest.mark.parametrize(
    ("pattern", "printed"),
    [
        ("/etc/.*", "/etc/.*"),
        ("^/etc/.*$", "/etc/.*"),
        ("a+?", "(?:a+)?"),
        ("a**", "(?:a*)*"),
        ("a{2}{3}", "(?:a{2}){3}"),
        ("a{,2}", "a{,2}"),
        ("(a|^b)$", "(?m)(a|^b)"),
        ("x^y", "(?m)x^y"),
        ("[]^$a]", "[]^$a]"),
        ("[[:alpha:]_]*\\.sh", "[[:alpha:]_]*\\.sh"),
        ("a\nb", "a\\x{A}b"),
        ("", ""),
    ],
)
def test_printed_pattern(pattern: str, printed: str) -> None:
    """A pattern is changed where the two syntaxes differ, and nowhere else."""
    assert perl_pattern(pattern).text == printed


@pytest.mark.parametrize("pattern", ["\\d", "(?i)a", "(?:a)", "a\\b", "[", "(", "*a", "[z-a]"])
def test_what_posix_refuses_is_refused(pattern: str) -> None:
    """Perl's shorthands and broken patterns are refused by name, not passed to DuckDB."""
    with pytest.raises(UnsupportedError, match="regular expression"):
        perl_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "is_open"),
    [("a.", True), ("[^a]", True), ("[[:^alpha:]]", True), ("[a-z]+", False)],
)
def test_open_patterns_are_known(pattern: str, *, is_open: bool) -> None:
    """Patterns that could match stand-ins of bytes are told from those that could not."""
    assert perl_pattern(pattern).is_open is is_open


def test_same_language_as_posix() -> None:
    """Random patterns match the same texts in DuckDB as in RE2's POSIX syntax."""
    chance = random.Random(20)
    connection = duckdb.connect()
    tried = 0
    while tried < 800:
        pattern = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))
        try:
            compiled = compile_regex(pattern)
        except re2.error:
            continue
        tried += 1
        wanted = [compiled.fullmatch(text.encode()) is not None for text in TEXTS]
        query = (
            "SELECT list(regexp_full_match(text, $1) ORDER BY place)"
            " FROM unnest($2) WITH ORDINALITY AS texts(text, place)"
        )
        found = connection.execute(query, [perl_pattern(pattern).text, TEXTS]).fetchall()
        assert found == [(wanted,)], pattern
