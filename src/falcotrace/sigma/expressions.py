r"""Sigma's regular expressions as Falco's.

In: a pattern in RE2's Perl syntax that may match anywhere in a text. Out: a pattern in RE2's POSIX
syntax that matches the same texts as a whole. What differs:

    ==================  ===========================  =========================================
    written             means in Perl syntax         and is printed
    ==================  ===========================  =========================================
    ``x``               is somewhere in the text     ``(.|\n)*x(.|\n)*``
    ``^ $``             begin and end of the text    by leaving out ``(.|\n)*``
    ``\d \w \s``        sets                         sets: ``[0-9]``
    ``(?:x) x*? x+?``   groups, repetitions          ``(x) x* x+``: what matches is not asked
    ``(?i) (?s)``       any case, any character      ``[xX]``, ``(.|\n)``
    ==================  ===========================  =========================================

`\b`, Unicode classes and anchors that stand neither at the beginning nor at the end have no like.

Source: RE2 2025-11-05 re2/parse.cc; doc/syntax.txt.
"""

import dataclasses
import re

from falcotrace.sigma.expression_sets import (
    ANYTHING,
    PERL_SETS,
    read_set,
    spell_char,
    spell_perl_set,
)
from falcotrace.sigma.values import Expression

_REPETITION = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAMED = re.compile(r"\(\?P?<[A-Za-z_0-9]+>|\(\?:")
_CODE = re.compile(r"\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))|\\([0-7]{2,3})")
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}


class UntranslatableError(ValueError):
    """A pattern without a like; the message is a part of a sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Piece:
    """One thing that matches: a text of POSIX syntax, a group of alternatives, or an anchor.

    Args:
        text: as printed; of a group what it is repeated with.
        branches: the alternatives of a group.
        anchor: `^` or `$`, of the whole text.
        literal: the character, if it is one and case counts.
    """

    text: str = ""
    branches: "tuple[tuple[_Piece, ...], ...] | None" = None
    anchor: str = ""
    literal: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Translation:
    """A pattern in POSIX syntax for whole texts, or plain text at a place in them.

    Args:
        pattern: the pattern.
        literal: the text that it stands for, if it has nothing but characters and outer anchors.
        is_begin: the text begins with it.
        is_end: the text ends with it.
    """

    pattern: str
    literal: str | None
    is_begin: bool
    is_end: bool


def translate(expression: Expression) -> Translation:
    r"""Translate a pattern.

    Raises:
        UntranslatableError: it has no like.

    Example:
        >>> translate(Expression(r"^a\d+?$", False, False, False)).pattern
        'a[0-9]+'
    """
    flags = {
        flag
        for flag, is_set in (
            ("i", expression.ignores_case),
            ("m", expression.has_lines),
            ("s", expression.dot_is_all),
        )
        if is_set
    }
    reader = _Reader(expression.pattern)
    branches = reader.read_branches(frozenset(flags))
    if not reader.at_end:
        raise UntranslatableError("has a parenthesis too many")
    whole = "|".join(_print(_close(_open(branch), is_outermost=True)) for branch in branches)
    if len(branches) > 1:
        whole = f"({whole})"
    return _describe(whole, branches)


def _describe(pattern: str, branches: tuple[tuple[_Piece, ...], ...]) -> Translation:
    pieces = list(branches[0])
    is_begin = bool(pieces) and pieces[0].anchor == "^"
    is_end = len(pieces) > is_begin and pieces[-1].anchor == "$"
    inner = pieces[is_begin : len(pieces) - is_end]
    characters = [piece.literal for piece in inner]
    literal = None
    if len(branches) == 1 and all(character is not None for character in characters):
        literal = "".join(character or "" for character in characters)
    return Translation(pattern, literal, is_begin, is_end)


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._at >= len(self._pattern)

    def read_branches(self, flags: frozenset[str]) -> tuple[tuple[_Piece, ...], ...]:
        """Alternatives up to the end or the closing parenthesis."""
        branches: list[tuple[_Piece, ...]] = []
        pieces: list[_Piece] = []
        while not self.at_end and not self._peek(")"):
            if self._take("|"):
                branches.append(tuple(pieces))
                pieces = []
                continue
            changed = self._read_flags(flags)
            if changed is None:
                pieces += self._read_repeated(flags)
                continue
            flags, is_group = changed
            if is_group:
                raise UntranslatableError("changes flags within a group")
        return (*branches, tuple(pieces))

    def _read_flags(self, flags: frozenset[str]) -> tuple[frozenset[str], bool] | None:
        match = _FLAGS.match(self._pattern, self._at)
        if match is None or match.group() == "(?:":
            return None
        self._at = match.end()
        changed = (flags | set(match[1])) - set(match[2] or "")
        return frozenset(changed), match[3] == ":"

    def _read_repeated(self, flags: frozenset[str]) -> list[_Piece]:
        pieces = self._read_piece(flags)
        match = _REPETITION.match(self._pattern, self._at)
        if match is None or not pieces:
            return pieces
        self._at = match.end()
        self._take("?")
        last = pieces[-1]
        if last.anchor or _has_anchor(last):
            raise UntranslatableError("repeats an anchor")
        return [*pieces[:-1], _Piece(_print((last,)) + match.group())]

    def _read_piece(self, flags: frozenset[str]) -> list[_Piece]:
        if self._take("("):
            return [self._read_group(flags)]
        if self._take("["):
            text, self._at = read_set(self._pattern, self._at, ignores_case="i" in flags)
            return [_Piece(text)]
        if self._take("."):
            return [_Piece("(.|\\n)" if "s" in flags else ".")]
        for anchor in "^$":
            if self._take(anchor):
                return [_Piece(anchor) if "m" in flags else _Piece(anchor=anchor)]
        if self._take("\\"):
            return self._read_escape(flags)
        self._at += 1
        return [_character(self._pattern[self._at - 1], flags)]

    def _read_group(self, flags: frozenset[str]) -> _Piece:
        self._at -= 1
        match = _NAMED.match(self._pattern, self._at)
        if match is None and self._pattern.startswith("(?", self._at):
            raise UntranslatableError("has a group of a kind that RE2 does not know")
        self._at = match.end() if match else self._at + 1
        branches = self.read_branches(flags)
        if not self._take(")"):
            raise UntranslatableError("has a parenthesis that is never closed")
        return _Piece(branches=branches)

    def _read_escape(self, flags: frozenset[str]) -> list[_Piece]:
        code = _CODE.match(self._pattern, self._at - 1)
        if code is not None:
            self._at = code.end()
            digits = code[1] or code[2]
            number = int(digits, 16) if digits else int(code[3], 8)
            return [_character(chr(number), flags)]
        char = self._pattern[self._at : self._at + 1]
        self._at += 1
        if char in PERL_SETS:
            return [_Piece(spell_perl_set(char))]
        if char in {"A", "z"}:
            return [_Piece(anchor="^" if char == "A" else "$")]
        if char == "Q":
            end = self._pattern.find("\\E", self._at)
            quoted = self._pattern[self._at : end if end >= 0 else None]
            self._at = end + 2 if end >= 0 else len(self._pattern)
            return [_character(each, flags) for each in quoted]
        if char in _CONTROLS:
            return [_character(_CONTROLS[char], flags)]
        if not char or char.isalnum() or not char.isascii():
            raise UntranslatableError(f"has \\{char}, which Falco's expressions do not know")
        return [_character(char, flags)]

    def _peek(self, text: str) -> bool:
        return self._pattern.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        if self._peek(text):
            self._at += len(text)
            return True
        return False


def _character(char: str, flags: frozenset[str]) -> _Piece:
    variants = sorted({char, *(v for v in (char.lower(), char.upper()) if len(v) == 1)})
    if "i" not in flags or len(variants) == 1:
        return _Piece(spell_char(char), literal=char)
    return _Piece(f"[{''.join(map(spell_char, variants))}]")


def _has_anchor(piece: _Piece) -> bool:
    return any(
        inner.anchor or _has_anchor(inner) for branch in piece.branches or () for inner in branch
    )


def _open(pieces: tuple[_Piece, ...]) -> tuple[_Piece, ...]:
    """Let anything stand before pieces, unless they are anchored."""
    if pieces and pieces[0].anchor == "^":
        rest = pieces
        while rest and rest[0].anchor == "^":
            rest = rest[1:]
        return rest
    if pieces and pieces[0].branches is not None and _has_anchor(pieces[0]):
        opened = tuple(_open(branch) for branch in pieces[0].branches)
        return (dataclasses.replace(pieces[0], branches=opened), *pieces[1:])
    return (_Piece(ANYTHING), *pieces)


def _close(pieces: tuple[_Piece, ...], *, is_outermost: bool) -> tuple[_Piece, ...]:
    """Let anything stand behind pieces, unless they are anchored; no anchor may be left over."""
    if pieces and pieces[-1].anchor == "$":
        rest = pieces
        while rest and rest[-1].anchor == "$":
            rest = rest[:-1]
        closed = rest
    elif pieces and pieces[-1].branches is not None and _has_anchor(pieces[-1]):
        inner = tuple(_close(branch, is_outermost=False) for branch in pieces[-1].branches)
        closed = (*pieces[:-1], dataclasses.replace(pieces[-1], branches=inner))
    else:
        closed = (*pieces, _Piece(ANYTHING))
    if is_outermost and any(piece.anchor or _has_anchor(piece) for piece in closed):
        raise UntranslatableError("has an anchor within")
    return closed


def _print(pieces: tuple[_Piece, ...]) -> str:
    return "".join(
        piece.text
        if piece.branches is None
        else "(" + "|".join(map(_print, piece.branches)) + ")" + piece.text
        for piece in pieces
    )
