r"""Patterns of Falco as patterns of SQL: fnmatch as LIKE or RE2, path prefixes as RE2.

In: patterns as rules write them. Out: the same meaning as text for LIKE, or for RE2 in the Perl
syntax that DuckDB has; always for the whole value. Nothing here builds SQL.

Source: `falcotrace.engines.glob` for sets in brackets.
"""

import re
from collections.abc import Iterable

from falcotrace.engines.glob import glob_body

LIKE_ESCAPE = "\\"
_NEEDS_ESCAPE = re.compile(r"[%_\\]")
_RE2_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
NOTHING = r"[^\x{0}-\x{10FFFF}]"
"""A pattern that matches no text."""

_STAR_ONLY = re.compile(r"\*+")


def like_pattern(glob: str) -> str | None:
    r"""An fnmatch pattern for LIKE with a backslash as escape; None if it has sets or escapes.

    Example:
        >>> like_pattern("/home/*/.ssh/id_?sa")
        '/home/%/.ssh/id\\__sa'
    """
    if "[" in glob or "\\" in glob:
        return None
    escaped = _NEEDS_ESCAPE.sub(lambda match: LIKE_ESCAPE + match.group(), glob)
    return _STAR_ONLY.sub("%", escaped).replace("?", "_")


def quote(text: str) -> str:
    r"""A text as RE2 pattern for itself; what cannot be printed is spelled `\x{..}`.

    Example:
        >>> quote("a.b\n")
        'a\\.b\\x{A}'
    """
    return "".join(map(_quote_char, text))


def _quote_char(char: str) -> str:
    if not char.isprintable():
        return rf"\x{{{ord(char):X}}}"
    return "\\" + char if _RE2_SPECIAL.match(char) else char


def components(path: str) -> list[str]:
    """The parts of a path between slashes, empty ones dropped."""
    return [part for part in path.split("/") if part]


def prefix_pattern(paths: Iterable[str]) -> str:
    r"""One pattern for all values that begin with one of the paths, by whole components.

    Slashes at the beginning, at the end and doubled ones do not matter, in paths and in values.

    Args:
        paths: with at least one component each, and without sets in brackets.

    Example:
        >>> prefix_pattern(["/etc", "/home/*/.ssh/"])
        '/*(etc|home/+[^/]+/+\\.ssh)(/.*)?'
    """
    alternatives = dict.fromkeys("/+".join(map(_component, components(path))) for path in paths)
    return f"/*({'|'.join(alternatives)})(/.*)?"


def _component(part: str) -> str:
    if _STAR_ONLY.fullmatch(part):
        return "[^/]+"
    # DIFFERS: libs 48dfd53c tests the next component with the second of two wildcards that match
    # the same one, and may crash; here every listed path is tried as it stands.
    pieces = re.split(r"(\*+|\?)", part)
    return "".join(_WILDCARDS.get(piece[:1]) or quote(piece) for piece in pieces)


_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}


def set_pattern(glob: str) -> str:
    """An fnmatch pattern with sets or escapes for RE2; the dot must match newlines."""
    return "".join(
        char if char.isprintable() else rf"\x{{{ord(char):X}}}" for char in glob_body(glob)
    )
