"""Globs, path prefixes, parts of paths and addresses, each against a plain definition."""

import fnmatch
import posixpath

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.engines.addresses import match_addresses
from falcotrace.engines.glob import glob_regex
from falcotrace.engines.path_parts import base_names, directory_names, file_names
from falcotrace.engines.pmatch import match_prefixes
from falcotrace.engines.text_match import glob_matches

PATHS = st.lists(st.text(alphabet="/ab.\u00e4\n", max_size=8), max_size=8)


@given(st.text(alphabet="ab*?[]!-/", max_size=6), st.text(alphabet="ab[]!-/\n", max_size=6))
def test_glob_agrees_with_fnmatch(pattern: str, text: str) -> None:
    """Patterns without sets mean what Python's fnmatch means."""
    if "[" in pattern:
        assert pc.match_substring_regex(pa.array([text]), glob_regex(pattern)) is not None
    else:
        assert glob_matches(text, pattern) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("[[:digit:]x]", "7", "a"),
        ("[[:nosuch:]a]", "a", "n"),
        ("[a-]", "-", "b"),
        ("[z-a]", "", "m"),
        ("[!]]", "x", "]"),
        ("[\\]]", "]", "\\"),
        ("a[", "a[", "ab"),
        ("\\", "", "\\"),
        ("[[.a.]]", "", "b"),
        ("[é]", "é", "e"),
    ],
)
def test_sets_as_glibc_reads_them(pattern: str, yes: str, no: str) -> None:
    """Odd sets match what glibc's fnmatch matches, and never raise."""
    assert not yes or glob_matches(yes, pattern)
    assert not glob_matches(no, pattern)


def test_many_prefixes_do_not_exceed_the_pattern_limit() -> None:
    """Ten thousand paths are matched in portions that RE2 accepts."""
    paths = [f"/directory-number-{number}/with-a-long-name" for number in range(10_000)]
    values = pa.array(["/directory-number-9999/with-a-long-name/x", "/directory-number-9999/x"])
    assert match_prefixes(values, paths).tolist() == [True, False]


@given(PATHS)
def test_parts_of_paths(paths: list[str]) -> None:
    """Directory and last component are cut at the last slash, as Falco cuts them."""
    values = pa.array(paths, pa.string())
    assert base_names(values).to_pylist() == [path.rpartition("/")[2] for path in paths]
    assert file_names(values).to_pylist() == [
        path if path.endswith("/") else path.rpartition("/")[2] if "/" in path else "/"
        for path in paths
    ]
    assert directory_names(values).to_pylist() == [
        path if path.endswith("/") else (path.rpartition("/")[0] or "/") for path in paths
    ]


@given(PATHS)
def test_parts_of_a_slice(paths: list[str]) -> None:
    """A slice of a longer array is cut like an array of its own."""
    values = pa.array(["/x/y", *paths], pa.string()).slice(1)
    assert base_names(values).to_pylist() == [posixpath.basename(path) for path in paths]


def test_text_that_is_no_address_equals_none() -> None:
    """Hostile or empty text in an address column is unequal to everything."""
    assert match_addresses(pa.array(["", "x", "10.0.0.1/8"]), []).tolist() == [False] * 3
