r"""Regular expressions of Falco, printed for engines that have RE2's Perl syntax.

In: a pattern in RE2's POSIX syntax, which Falco matches against whole values. Out: the same
language in Perl syntax, for a full match. What differs between the two:

    =========  ==============================  ===============================
    written    means in POSIX syntax           in Perl syntax, and so printed
    =========  ==============================  ===============================
    ``a+?``    an optional ``a+``              not greedy: ``(?:a+)?``
    ``a**``    ``a*``                          an error: ``(?:a*)*``
    ``^ $``    beginning and end of any line   of the text: ``(?m)`` in front
    =========  ==============================  ===============================

Everything else that the POSIX syntax accepts means the same there. What it does not accept is
refused here too.

Source: RE2 2025-11-05 re2/parse.cc (Regexp::Parse, RepetitionOp, ParseCharClass), re2/re2.cc
(RE2::Options::ParseFlags).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import re2

from falcotrace.engines.sql.context import ENGINE
from falcotrace.errors import UnsupportedError
from falcotrace.rules.regex import compile_regex

_REPETITION = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")
_ESCAPE = re.compile(r"\\(?:x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)


@dataclass(slots=True)
class _Piece:
    """One thing that matches, and the repetitions behind it; a group has alternatives instead."""

    text: str = ""
    alternatives: "list[list[_Piece]] | None" = None
    repetitions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PerlPattern:
    """A pattern in Perl syntax.

    Args:
        text: the pattern, for a match of the whole text.
        is_open: whether it has a dot or a set that could match any character, stand-ins for bytes
            that are no UTF-8 among them. RE2 never matches such bytes.
    """

    text: str
    is_open: bool


def perl_pattern(pattern: str) -> PerlPattern:
    r"""Print a POSIX pattern in Perl syntax.

    Raises:
        UnsupportedError: it is no pattern in POSIX syntax, or the other syntax refuses it.

    Example:
        >>> perl_pattern("^/etc/(a+?|b**)$").text, perl_pattern("a$|b").text
        ('/etc/((?:a+)?|(?:b*)*)', 'a|b')
    """
    try:
        compile_regex(pattern)
        alternatives = _parse(pattern)
        for pieces in alternatives:
            _drop_outer_anchors(pieces)
        flags = "(?m)" if _some(alternatives, _is_anchor) else ""
        printed = flags + _print(alternatives)
        re2.compile(printed)
    except (re2.error, RecursionError):
        raise UnsupportedError(f"regular expression {pattern!r}", ENGINE) from None
    return PerlPattern(printed, is_open=_some(alternatives, _is_open))


def _parse(pattern: str) -> list[list[_Piece]]:
    """Split into alternatives of pieces; the pattern is known to be well formed."""
    outer: list[list[list[_Piece]]] = []
    alternatives: list[list[_Piece]] = [[]]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        repetition = _REPETITION.match(pattern, at)
        if repetition:
            alternatives[-1][-1].repetitions.append(repetition.group())
            at = repetition.end()
            continue
        end = _end_of_piece(pattern, at)
        if char == "(":
            group = _Piece(alternatives=[[]])
            alternatives[-1].append(group)
            outer.append(alternatives)
            alternatives = group.alternatives or []
        elif char == ")":
            alternatives = outer.pop()
        elif char == "|":
            alternatives.append([])
        else:
            alternatives[-1].append(_Piece(pattern[at:end]))
        at = end
    return alternatives


def _end_of_piece(pattern: str, at: int) -> int:
    if pattern[at] == "\\":
        match = _ESCAPE.match(pattern, at)
        return match.end() if match else at + 1
    return _end_of_class(pattern, at) if pattern[at] == "[" else at + 1


def _end_of_class(pattern: str, at: int) -> int:
    at += 1
    at += pattern.startswith("^", at)
    first = True
    while first or pattern[at] != "]":
        first = False
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
            at = end + 2
        elif pattern[at] == "\\" and (escape := _ESCAPE.match(pattern, at)):
            at = escape.end()
        else:
            at += 1
    return at + 1


def _drop_outer_anchors(pieces: list[_Piece]) -> None:
    """Remove anchors that a match of the whole text implies."""
    while pieces and pieces[0].text == "^" and not pieces[0].repetitions:
        del pieces[0]
    while pieces and pieces[-1].text == "$" and not pieces[-1].repetitions:
        del pieces[-1]


def _some(alternatives: list[list[_Piece]], test: Callable[[str], bool]) -> bool:
    return any(
        test(piece.text) or (piece.alternatives is not None and _some(piece.alternatives, test))
        for pieces in alternatives
        for piece in pieces
    )


def _is_anchor(text: str) -> bool:
    return text in {"^", "$"}


def _is_open(text: str) -> bool:
    """Whether a dot, or a set with a complement or a range that may reach as far as stand-ins."""
    is_set = text.startswith("[")
    spelled = any(part in text for part in ("[^", "[:^", "\\x"))
    return text == "." or (is_set and (spelled or not text.isascii()))


def _print(alternatives: list[list[_Piece]]) -> str:
    return "|".join("".join(map(_print_piece, pieces)) for pieces in alternatives)


def _print_piece(piece: _Piece) -> str:
    if piece.alternatives is not None:
        text = f"({_print(piece.alternatives)})"
    else:
        text = _spell(piece.text)
    for index, repetition in enumerate(piece.repetitions):
        text = f"(?:{text}){repetition}" if index else text + repetition
    return text


def _spell(text: str) -> str:
    """Spell characters that cannot be printed; a backslash in front of one is dropped."""
    if text.isprintable():
        return text
    return re.sub(
        r"\\?(.)",
        lambda match: (
            match.group() if match.group(1).isprintable() else rf"\x{{{ord(match.group(1)):X}}}"
        ),
        text,
        flags=re.DOTALL,
    )
