r"""Patterns of RE2's Perl syntax, printed for engines that have Java's regular expressions.

In: a pattern as queries for DuckDB have it (`posix`, `patterns`). Out: a pattern of
`java.util.regex` that matches the same texts. Every construct is read and printed anew, for the two
share most spellings and not all meanings:

    ==================  ===============================  =====================================
    written             means in RE2                     in Java, and so printed
    ==================  ===============================  =====================================
    ``[[:alpha:]]``     letters of ASCII                 any of ``:alph``: ``[A-Za-z]``
    ``[a[b]`` ``[a&&b]``  brackets, two ampersands       a union, an intersection: escaped
    ``.``               anything but ``\n``              nor ``\r``, U+0085 ...: ``[^\n]``
    ``$``               the end                          also before a last ``\n``: ``\z``
    ``(?m)^`` ``(?m)$``  beside ``\n``, and both ends    other ends of lines: ``(?<![^\n])``
    ``a{,2}``           itself                           an error: ``a\{,2\}``
    ==================  ===============================  =====================================

Java's engine tries one way after another: a group that is repeated costs stack for each time, and
nested repetitions cost time. So groups that capture nothing are left out where they can be, and
alternatives of single characters become one set.

Source: RE2 2025-11-05 re2/parse.cc; OpenJDK 17 java.util.regex.Pattern.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from falcotrace.errors import UnsupportedError

Ranges = tuple[tuple[int, int], ...]
"""Code points of a set: first and last, in order, apart from each other."""

_LAST_CODE_POINT = 0x10FFFF
_REPETITION = re.compile(r"[*+?]\??|\{[0-9]+(?:,[0-9]*)?\}\??")
_NUMBERED = re.compile(r"\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2}))")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_CLASS_NAME = re.compile(r"\[:(\^?)([a-z]+):\]")
_CONTROL_ESCAPES: Mapping[str, int] = MappingProxyType(
    {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
)


def _spans(*spans: str) -> Ranges:
    return tuple((ord(span[0]), ord(span[-1])) for span in spans)


_CLASSES: Mapping[str, Ranges] = MappingProxyType(
    {
        "alnum": _spans("09", "AZ", "az"),
        "alpha": _spans("AZ", "az"),
        "ascii": _spans("\0\x7f"),
        "blank": _spans("\t", " "),
        "cntrl": _spans("\0\x1f", "\x7f"),
        "digit": _spans("09"),
        "graph": _spans("!~"),
        "lower": _spans("az"),
        "print": _spans(" ~"),
        "punct": _spans("!/", ":@", "[`", "{~"),
        "space": _spans("\t\r", " "),
        "upper": _spans("AZ"),
        "word": _spans("09", "AZ", "_", "az"),
        "xdigit": _spans("09", "AF", "af"),
    }
)
"""Sets by name: RE2 knows them of ASCII only."""


@dataclass(slots=True)
class _Piece:
    """A set of characters, an anchor, or a group with alternatives; and what repeats it."""

    ranges: Ranges | None = None
    anchor: str = ""
    group: "list[list[_Piece]] | None" = None
    captures: bool = False
    repetition: str = ""


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from left to right."""

    pattern: str
    dot_all: bool
    at: int = 0
    lines: bool = False
    outer: list[tuple[list[list[_Piece]], _Piece]] = field(default_factory=list)

    def read(self) -> list[list[_Piece]]:
        if self.pattern.startswith("(?m)"):
            self.lines, self.at = True, 4
        alternatives: list[list[_Piece]] = [[]]
        while self.at < len(self.pattern):
            repetition = _REPETITION.match(self.pattern, self.at)
            if repetition and alternatives[-1] and not alternatives[-1][-1].repetition:
                alternatives[-1][-1].repetition = repetition.group()
                self.at = repetition.end()
                continue
            alternatives = self._step(alternatives)
        if self.outer:
            raise self.refused()
        return alternatives

    def refused(self) -> UnsupportedError:
        return UnsupportedError(f"regular expression {self.pattern!r}", "SQL (Java's patterns)")

    def _step(self, alternatives: list[list[_Piece]]) -> list[list[_Piece]]:
        char = self.pattern[self.at]
        match char:
            case "(":
                captures = not self.pattern.startswith("(?:", self.at)
                if captures and self.pattern.startswith("(?", self.at):
                    raise self.refused()
                group = _Piece(group=[[]], captures=captures)
                alternatives[-1].append(group)
                self.outer.append((alternatives, group))
                self.at += 1 if captures else 3
                return group.group or []
            case ")":
                if not self.outer:
                    raise self.refused()
                self.at += 1
                return self.outer.pop()[0]
            case "|":
                alternatives.append([])
                self.at += 1
            case "^" | "$":
                alternatives[-1].append(_Piece(anchor=_ANCHORS[char, self.lines]))
                self.at += 1
            case _:
                alternatives[-1].append(_Piece(ranges=self._set()))
        return alternatives

    def _set(self) -> Ranges:
        char = self.pattern[self.at]
        if char == "[":
            return self._bracket()
        if char == ".":
            self.at += 1
            return _ANYTHING if self.dot_all else complement(((10, 10),))
        if char in "*+?":
            raise self.refused()
        code = self._code_point()
        return ((code, code),)

    def _code_point(self) -> int:
        pattern, at = self.pattern, self.at
        if pattern[at] != "\\":
            self.at += 1
            return ord(pattern[at])
        if numbered := _NUMBERED.match(pattern, at):
            self.at = numbered.end()
            return int(numbered.group(1) or numbered.group(2), 16)
        if octal := _OCTAL.match(pattern, at):
            self.at = octal.end()
            return int(octal.group(1), 8)
        escaped = pattern[at + 1 : at + 2]
        self.at += 2
        if escaped in _CONTROL_ESCAPES:
            return _CONTROL_ESCAPES[escaped]
        if not escaped or (escaped.isascii() and (escaped.isalnum() or escaped == "_")):
            raise self.refused()
        return ord(escaped)

    def _bracket(self) -> Ranges:
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        found: list[tuple[int, int]] = []
        first = True
        while first or not self.pattern.startswith("]", self.at):
            first = False
            if self.at >= len(self.pattern):
                raise self.refused()
            found += self._members()
        self.at += 1
        ranges = united(found)
        return complement(ranges) if negated else ranges

    def _members(self) -> Ranges:
        named = _CLASS_NAME.match(self.pattern, self.at)
        if named and named.group(2) in _CLASSES:
            self.at = named.end()
            ranges = _CLASSES[named.group(2)]
            return complement(ranges) if named.group(1) else ranges
        low = self._code_point()
        is_range = self.pattern.startswith("-", self.at)
        if not is_range or self.pattern[self.at + 1 : self.at + 2] in {"", "]"}:
            return ((low, low),)
        self.at += 1
        return ((low, self._code_point()),)


_ANYTHING: Ranges = ((0, _LAST_CODE_POINT),)
_ANCHORS: Mapping[tuple[str, bool], str] = MappingProxyType(
    {
        ("^", False): r"\A",
        ("$", False): r"\z",
        ("^", True): r"(?<![^\n])",
        ("$", True): r"(?![^\n])",
    }
)


def united(ranges: "list[tuple[int, int]] | Ranges") -> Ranges:
    """The same code points in order, neighbours joined."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Ranges) -> Ranges:
    """All other code points.

    Example:
        >>> complement(((0, 9), (11, 0x10FFFF)))
        ((10, 10),)
    """
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            found.append((start, low - 1))
        start = high + 1
    if start <= _LAST_CODE_POINT:
        found.append((start, _LAST_CODE_POINT))
    return tuple(found)


def java_pattern(pattern: str, *, dot_all: bool = False, keeps_groups: bool = False) -> str:
    r"""Print a pattern of RE2's Perl syntax for Java, to be searched for anywhere in a text.

    Args:
        pattern: one that RE2 accepts.
        dot_all: the dot matches newlines too.
        keeps_groups: somebody asks what a group matched.

    Raises:
        UnsupportedError: a construct that no query of ours has.

    Example:
        >>> java_pattern("[[:digit:]]+(a|b)*.$")
        '[0-9]+[ab]*[^\\n]\\z'
    """
    pieces = _Reader(pattern, dot_all).read()
    if not keeps_groups:
        _simplify(pieces)
    return _print(pieces)


def java_full_pattern(pattern: str, *, dot_all: bool = False) -> str:
    r"""The same for a match of the whole text.

    Example:
        >>> java_full_pattern("a|b.", dot_all=True)
        '\\A(?:a|b[\\s\\S])\\z'
    """
    inside = _Reader(pattern, dot_all).read()
    _simplify(inside)
    printed = _print(inside)
    return rf"\A(?:{printed})\z" if len(inside) > 1 else rf"\A{printed}\z"


def _simplify(alternatives: list[list[_Piece]]) -> None:
    """Make sets of groups that are nothing but alternatives of single characters."""
    for pieces in alternatives:
        for piece in pieces:
            if piece.group is None:
                continue
            _simplify(piece.group)
            piece.captures = False
            if all(_is_character(inside) for inside in piece.group):
                members = [span for inside in piece.group for span in inside[0].ranges or ()]
                piece.ranges, piece.group = united(members), None


def _is_character(pieces: list[_Piece]) -> bool:
    return len(pieces) == 1 and pieces[0].ranges is not None and not pieces[0].repetition


def _print(alternatives: list[list[_Piece]]) -> str:
    return "|".join("".join(map(_print_piece, pieces)) for pieces in alternatives)


def _print_piece(piece: _Piece) -> str:
    if piece.group is not None:
        text = f"({'' if piece.captures else '?:'}{_print(piece.group)})"
    elif piece.ranges is not None:
        text = print_set(piece.ranges)
    else:
        text = f"(?:{piece.anchor})" if piece.repetition else piece.anchor
    return text + piece.repetition


def print_set(ranges: Ranges) -> str:
    r"""A set as Java spells it.

    Example:
        >>> print_set(((46, 46),)), print_set(((45, 45), (97, 102))), print_set(())
        ('\\.', '[\\-a-f]', '(?!)')
    """
    if not ranges:
        return "(?!)"
    if ranges == _ANYTHING:
        return r"[\s\S]"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _print_char(ranges[0][0])
    others = complement(ranges)
    if others and ranges[-1][1] == _LAST_CODE_POINT:
        return f"[^{_print_members(others)}]"
    return f"[{_print_members(ranges)}]"


def _print_members(ranges: Ranges) -> str:
    def member(low: int, high: int) -> str:
        if high - low < 2:
            return "".join(map(_print_char, range(low, high + 1)))
        return f"{_print_char(low)}-{_print_char(high)}"

    return "".join(member(low, high) for low, high in ranges)


_SPELLED: Mapping[int, str] = MappingProxyType({10: r"\n", 9: r"\t", 13: r"\r"})
_IS_ITSELF: Callable[[str], bool] = frozenset("/_ :;,=@%<>\"'`~!").__contains__


def _print_char(code: int) -> str:
    char = chr(code)
    if char.isalnum() or _IS_ITSELF(char):
        return char
    if char.isascii() and char.isprintable():
        return "\\" + char
    return _SPELLED.get(code) or rf"\x{{{code:X}}}"
