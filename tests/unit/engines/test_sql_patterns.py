"""Globs and path prefixes as patterns of SQL."""

import fnmatch
import itertools

import duckdb
import pytest
import re2

from falcotrace.engines.sql.patterns import like_pattern, prefix_pattern
from property.naive_conditions import is_path_prefix

PATHS = [
    "/".join(parts)
    for size in range(5)
    for parts in itertools.product(["", "a", "bc"], repeat=size)
]


@pytest.mark.parametrize(
    ("glob", "like"),
    [("/etc/*", "/etc/%"), ("a?c", "a_c"), ("50%_", "50\\%\\_"), ("**", "%"), ("[a]", None)],
)
def test_like_pattern(glob: str, like: str | None) -> None:
    """Stars and question marks become LIKE's; its own wildcards are escaped; sets are left."""
    assert like_pattern(glob) == like


def test_like_means_what_glob_means() -> None:
    """LIKE agrees with fnmatch on every short pattern and text of a small alphabet."""
    alphabet = "a%_*?\n"
    texts = ["".join(t) for size in range(4) for t in itertools.product("a%_\n", repeat=size)]
    globs = ["".join(t) for size in range(4) for t in itertools.product(alphabet, repeat=size)]
    connection = duckdb.connect()
    query = (
        "SELECT list(text LIKE $1 ESCAPE '\\' ORDER BY place)"
        " FROM unnest($2) WITH ORDINALITY AS texts(text, place)"
    )
    for glob in globs[::3]:
        wanted = [fnmatch.fnmatchcase(text, glob) for text in texts]
        assert connection.execute(query, [like_pattern(glob), texts]).fetchall() == [(wanted,)], (
            glob
        )


@pytest.mark.parametrize(
    "listed",
    [["/a"], ["a/bc"], ["//a//"], ["/*"], ["/*/bc"], ["/b?", "/a/a"], ["/**/a*"], ["b*c/?"]],
)
def test_prefix_pattern(listed: list[str]) -> None:
    """Whole components count, however many slashes stand around them."""
    pattern = re2.compile(prefix_pattern(listed))
    for path in PATHS:
        wanted = any(is_path_prefix(prefix, path) for prefix in listed)
        assert (pattern.fullmatch(path) is not None) is wanted, path
