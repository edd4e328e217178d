r"""Characters and sets of characters of regular expressions, printed in POSIX syntax.

In: a set such as `[^\d_]` in RE2's Perl syntax. Out: the same set as ranges.

Source: RE2 2025-11-05 re2/perl_groups.cc (the sets behind \d, \s, \w), re2/parse.cc.
"""

import re

ANYTHING = "(.|\\n)*"
"""Any text; a dot alone does not match a newline."""

_LAST = 0x10FFFF
_Ranges = list[tuple[int, int]]

_DIGITS: _Ranges = [(0x30, 0x39)]
_SPACES: _Ranges = [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)]
_WORDS: _Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]

PERL_SETS = {"d": _DIGITS, "s": _SPACES, "w": _WORDS, "D": _DIGITS, "S": _SPACES, "W": _WORDS}
"""The ranges behind each letter; upper case stands for what is not in them."""

_POSIX_CLASS = re.compile(r"\[:(\^?[a-z]+):\]")
_CODE = re.compile(r"\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))|\\([0-7]{2,3})")
_SPECIAL = "\\.+*?()|[]{}^$"
_SPECIAL_IN_SETS = "\\[]^-"
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_ESCAPED = {char: f"\\{letter}" for letter, char in _CONTROLS.items()}


def spell_char(char: str, special: str = _SPECIAL) -> str:
    """A character that means itself; `special` are those that need a backslash."""
    if char in special:
        return f"\\{char}"
    if char.isprintable():
        return char
    return _ESCAPED.get(char, f"\\x{{{ord(char):x}}}")


def spell_perl_set(letter: str) -> str:
    """The set behind a backslash and a letter."""
    return f"[{_spell(_perl_ranges(letter))}]"


def read_set(pattern: str, start: int, *, ignores_case: bool) -> tuple[str, int]:
    r"""Read the set behind a `[`.

    Returns:
        The set in POSIX syntax, and where the pattern goes on.

    Raises:
        ValueError: it is never closed, or has a class that POSIX syntax does not know.

    Example:
        >>> read_set(r"[^\d-]x", 1, ignores_case=False)
        ('[^0-9\\-]', 6)
    """
    at = start
    negated = pattern.startswith("^", at)
    at += negated
    ranges: _Ranges = []
    classes: list[str] = []
    first = True
    while first or not pattern.startswith("]", at):
        first = False
        posix = _POSIX_CLASS.match(pattern, at)
        if posix is not None:
            classes.append(posix.group())
            at = posix.end()
            continue
        found, at = _read_member(pattern, at)
        ranges += found
    if ignores_case:
        ranges += [other for each in ranges for other in _other_case(each)]
        classes = [re.sub("(upper|lower)", "alpha", name) for name in classes]
    body = _spell(_united(ranges)) + "".join(classes)
    return f"[{'^' if negated else ''}{body}]", at + 1


def _read_member(pattern: str, at: int) -> tuple[_Ranges, int]:
    """One character, range or set in a set."""
    if pattern.startswith("\\", at) and pattern[at + 1 : at + 2] in PERL_SETS:
        return _perl_ranges(pattern[at + 1]), at + 2
    low, at = _read_char(pattern, at)
    if not pattern.startswith("-", at) or pattern[at + 1 : at + 2] in {"]", ""}:
        return [(low, low)], at
    high, at = _read_char(pattern, at + 1)
    return [(low, high)], at


def _read_char(pattern: str, at: int) -> tuple[int, int]:
    if at >= len(pattern):
        raise ValueError("has a set that is never closed")
    if pattern[at] != "\\":
        return ord(pattern[at]), at + 1
    code = _CODE.match(pattern, at)
    if code is not None:
        digits = code[1] or code[2]
        return (int(digits, 16) if digits else int(code[3], 8)), code.end()
    char = pattern[at + 1 : at + 2]
    if char in _CONTROLS:
        return ord(_CONTROLS[char]), at + 2
    if not char or char.isalnum():
        raise ValueError(f"has \\{char} in a set, which Falco's expressions do not know")
    return ord(char), at + 2


def _perl_ranges(letter: str) -> _Ranges:
    ranges = PERL_SETS[letter]
    if letter.islower():
        return list(ranges)
    edges = [-1, *(edge for pair in ranges for edge in pair), _LAST + 1]
    return [(low + 1, high - 1) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def _other_case(span: tuple[int, int]) -> _Ranges:
    """The letters of ASCII in a range, in the other case; of others only single ones."""
    low, high = span
    if low == high and low > 0x7F:
        char = chr(low)
        others = (other for other in (char.lower(), char.upper()) if len(other) == 1)
        return [(ord(other), ord(other)) for other in others]
    found: _Ranges = []
    for first, last, shift in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
        start, end = max(low, first), min(high, last)
        if start <= end:
            found.append((start + shift, end + shift))
    return found


def _united(ranges: _Ranges) -> _Ranges:
    united: _Ranges = []
    for low, high in sorted(ranges):
        if united and low <= united[-1][1] + 1:
            united[-1] = (united[-1][0], max(high, united[-1][1]))
        else:
            united.append((low, high))
    return united


def _spell(ranges: _Ranges) -> str:
    return "".join(
        _spell_code(low)
        + ("-" if high > low + 1 else "")
        + (_spell_code(high) if high > low else "")
        for low, high in ranges
    )


def _spell_code(code: int) -> str:
    return spell_char(chr(code), _SPECIAL_IN_SETS)
