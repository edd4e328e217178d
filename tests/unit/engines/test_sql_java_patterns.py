"""Patterns for Java: every construct is printed so that it means there what RE2 says."""

import random
import re

import pytest
import re2

from falcotrace.engines.sql.java_patterns import complement, java_full_pattern, java_pattern, united
from falcotrace.engines.sql.posix import perl_pattern
from falcotrace.errors import UnsupportedError
from falcotrace.rules.regex import compile_regex
from unit.engines.test_sql_posix import PIECES, TEXTS


@pytest.mark.parametrize(
    ("pattern", "printed"),
    [
        ("/etc/.*", r"\A/etc/[^\n]*\z"),
        ("a|b", r"\A(?:a|b)\z"),
        ("(a|[b-d])+x", r"\A[a-d]+x\z"),
        ("[[:alpha:]_]", r"\A[A-Z_a-z]\z"),
        ("[^[:digit:]]", r"\A[^0-9]\z"),
        ("[a&&b]", r"\A[\&ab]\z"),
        ("[]^-]", r"\A[\-\]\^]\z"),
        ("(?m)x^y$", r"\Ax(?<![^\n])y(?![^\n])\z"),
        ("a{,2}", r"\Aa\{,2\}\z"),
        (r"\x{10FE00}\n", r"\A\x{10FE00}\n\z"),
        (r"\101\.", r"\AA\.\z"),
        ("(?:(a+)?b)*", r"\A(?:(?:a+)?b)*\z"),
        ("[^\\x{0}-\\x{10FFFF}]", r"\A(?!)\z"),
        ("", r"\A\z"),
    ],
)
def test_printed_pattern(pattern: str, printed: str) -> None:
    """Sets are spelled out, groups capture nothing, anchors look around."""
    assert java_full_pattern(pattern) == printed


def test_searched_patterns() -> None:
    """A pattern for a search has no anchors of its own, and keeps groups that somebody asks for."""
    assert java_pattern("^(..)*23") == r"\A(?:[^\n][^\n])*23"
    assert java_pattern("(.*)/", dot_all=True, keeps_groups=True) == r"([\s\S]*)/"


@pytest.mark.parametrize("pattern", ["(?i)a", r"a\b", r"\d", r"\1", "(a", "a)", "[a", "*a"])
def test_unknown_constructs_are_refused(pattern: str) -> None:
    """What no query of ours has is refused, not handed through."""
    with pytest.raises(UnsupportedError, match="regular expression"):
        java_pattern(pattern)


def test_sets() -> None:
    """Sets are in order and without overlap, and a complement's complement is the set."""
    ranges = united([(97, 99), (98, 120), (10, 10), (11, 12)])
    assert ranges == ((10, 12), (97, 120))
    assert complement(complement(ranges)) == ranges
    assert complement(()) == ((0, 0x10FFFF),)


def test_same_language() -> None:
    """Random patterns keep their language: Python reads nearly all of it as Java does."""
    chance = random.Random(4)
    tried = 0
    while tried < 1500:
        pattern = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))
        try:
            compiled = compile_regex(pattern)
        except re2.error:
            continue
        tried += 1
        printed = java_full_pattern(perl_pattern(pattern).text).replace(r"\z", r"\Z")
        printed = re.sub(r"\\x\{(\w+)\}", lambda code: rf"\U{int(code[1], 16):08X}", printed)
        found = re.compile(printed)
        for text in TEXTS:
            wanted = compiled.fullmatch(text.encode()) is not None
            assert (found.search(text) is not None) is wanted, (pattern, printed, text)
