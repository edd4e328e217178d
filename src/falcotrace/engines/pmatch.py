"""Path prefixes by whole components, as one RE2 pattern over normalised paths.

In: the paths that `pmatch` lists. Out: a pattern, and the normal form of values that it expects:
components each led by one slash, so that leading, trailing and doubled slashes do not matter.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2

from falcotrace.engines.glob import glob_body, glob_regex, quote
from falcotrace.engines.vectors import Bools, arrow_text, bools_of

_WILDCARDS = frozenset("?*[")

_PATHS_PER_PATTERN = 256
"""RE2 refuses patterns that compile to more than 8 MiB."""


def components(path: str) -> list[str]:
    """The parts of a path between slashes, empty ones dropped.

    Example:
        >>> components("/etc//ssh/")
        ['etc', 'ssh']
    """
    return [part for part in path.split("/") if part]


def prefix_regex(paths: Iterable[str]) -> str | None:
    r"""One pattern for all listed paths; None if one of them has no components.

    Example:
        >>> prefix_regex(["/etc", "home/*/.ssh/"])
        '(?s)\\A(?:/etc|/home/[^/]*/\\.ssh)(?:/|\\z)'
    """
    alternatives: dict[str, None] = {}
    for path in paths:
        parts = components(path)
        if not parts:
            return None
        alternatives["".join("/" + _component(part) for part in parts)] = None
    return rf"(?s)\A(?:{'|'.join(alternatives)})(?:/|\z)"


def _component(part: str) -> str:
    if not _WILDCARDS & set(part):
        return quote(part)
    # DIFFERS: libs 48dfd53c tests the next component with the second of two wildcards that match
    # the same one, and may crash; here every listed path is tried as it stands.
    return glob_body(part, star="[^/]*", any_char="[^/]")


def match_prefixes(values: pa.Array, paths: Collection[str]) -> Bools:
    """Which values begin with one of the paths.

    Args:
        values: texts without nulls.
        paths: the listed paths; without any the result is false throughout.
    """
    truth = np.zeros(len(values), np.bool_)
    if not paths:
        return truth
    normal = _normalise(values)
    listed = iter([path for path in paths if "[" not in path])
    while chunk := list(itertools.islice(listed, _PATHS_PER_PATTERN)):
        pattern = prefix_regex(chunk)
        if pattern is None:
            return np.ones(len(values), np.bool_)
        truth |= bools_of(pc.match_substring_regex(normal, pattern=pattern))
    for path in paths:
        if "[" in path:
            truth |= _match_by_component(normal, components(path))
    return truth


def _match_by_component(normal: pa.Array, parts: Sequence[str]) -> Bools:
    """Match a path with sets, component by component: a set may hold the slash, a component not."""
    tests = [re2.compile(glob_regex(part)) for part in parts]
    split = (value.split("/")[1:] for value in normal.to_pylist())
    return np.array(
        [
            len(found) >= len(tests)
            and all(test.search(one) for test, one in zip(tests, found, strict=False))
            for found in split
        ],
        np.bool_,
    )


def _normalise(values: pa.Array) -> pa.Array:
    irregular = pc.or_(
        pc.or_(pc.match_substring(values, "//"), pc.ends_with(values, "/")),
        pc.invert(pc.starts_with(values, "/")),
    )
    if not pc.any(irregular).as_py():
        return values
    slashed = pc.binary_join_element_wise(arrow_text("/"), values, arrow_text(""))
    single = pc.replace_substring_regex(slashed, "/+", "/")
    return pc.if_else(irregular, pc.replace_substring_regex(single, r"/\z", ""), values)
