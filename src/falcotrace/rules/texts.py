"""Texts put together from others: every character still knows where it was written.

Falco joins appended conditions, exceptions and lists as text before it parses. `JoinedSource` is
one text after another; `ExpandedSource` is a text in which words were replaced by lists. Both do
their work of looking up only when a diagnostic asks.
"""

import bisect
import dataclasses
from collections.abc import Sequence

from falcotrace.errors import Context, Location, Source, Span
from falcotrace.rules.codes import ItemKind


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a joined text.

    Args:
        text: the characters.
        origin: where they were written; for words that nobody wrote, what they were made for.
        is_verbatim: whether `text` is the text of `origin`, character by character.
    """

    text: str
    origin: Span
    is_verbatim: bool = True

    @classmethod
    def of(cls, span: Span) -> "Piece":
        """Return a span's own text."""
        return cls(span.text, span)


class JoinedSource:
    """Pieces one after another, without anything between them.

    Args:
        pieces: at least one.
        context: the item whose text this is, if it is put into others (a macro).
    """

    def __init__(self, pieces: Sequence[Piece], context: Context | None = None) -> None:
        self._pieces = pieces
        self._context = () if context is None else (context,)
        self._starts = [0]
        for piece in pieces:
            self._starts.append(self._starts[-1] + len(piece.text))
        self.text = "".join(piece.text for piece in pieces)

    def locate(self, start: int, end: int) -> Location:
        """Return where the characters were written."""
        span = self._origin(start, end)
        return span.locate()

    def usages(self, start: int) -> Sequence[Context]:
        """Return how the piece itself came about."""
        return (*self._context, *self._origin(start, start).usages())

    def _origin(self, start: int, end: int) -> Span:
        index = min(bisect.bisect_right(self._starts, start), len(self._pieces)) - 1
        piece = self._pieces[index]
        if not piece.is_verbatim:
            return piece.origin
        offset = piece.origin.start - self._starts[index]
        return Span(
            piece.origin.source, start + offset, min(max(start, end) + offset, piece.origin.end)
        )


def join(pieces: Sequence[Piece]) -> Source:
    """Return the pieces as one text; a single whole piece stays what it is."""
    if len(pieces) == 1 and pieces[0].is_verbatim:
        origin = pieces[0].origin
        if origin.start == 0 and origin.end == len(origin.source.text):
            return origin.source
    return JoinedSource(pieces)


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """One replacement: characters `start` to `end` became `length` others, those of a list.

    Args:
        start: in the text before this edit.
        end: in the text before this edit.
        length: in the text after it.
        lead: 1 if the replacement begins with a blank of its own.
        items: offset behind `lead`, and origin, of each list item.
        name: the list's name.
        definition: where the list is defined.
    """

    start: int
    end: int
    length: int
    lead: int
    items: Sequence[tuple[int, Span]]
    name: str
    definition: Span


class ExpandedSource:
    """A text after a series of edits, each made on the result of those before it."""

    def __init__(self, base: Source, text: str, edits: Sequence[Edit]) -> None:
        self.text = text
        self._base = base
        self._edits = edits

    def locate(self, start: int, end: int) -> Location:
        """Return where the characters were written: in the base text, or in a list."""
        position, edits = self._trace(start)
        if not edits:
            last, inside = self._trace(max(start, end - 1))
            length = last + 1 - position if end > start and not inside else 0
            return self._base.locate(position, position + max(0, length))
        return self._locate_item(edits[0], start, end)

    def usages(self, start: int) -> Sequence[Context]:
        """Return the lists that brought the character here, outermost first."""
        position, edits = self._trace(start)
        lists = [Context(ItemKind.LIST, edit.name, edit.definition) for edit in reversed(edits)]
        return (*self._base.usages(position), *lists)

    def _trace(self, position: int) -> tuple[int, list[Edit]]:
        """Go back through the edits: the position in the base text, and the edits around it."""
        around: list[Edit] = []
        for edit in reversed(self._edits):
            if position >= edit.start + edit.length:
                position += edit.end - edit.start - edit.length
            elif position >= edit.start:
                around.append(edit)
                position = edit.start
        return position, around

    def _locate_item(self, edit: Edit, start: int, end: int) -> Location:
        offset = start
        for later in reversed(self._edits):
            if later is edit:
                break
            if offset >= later.start + later.length:
                offset += later.end - later.start - later.length
        offset -= edit.start + edit.lead
        index = bisect.bisect_right([first for first, _ in edit.items], offset) - 1
        if index < 0:
            return edit.definition.locate()
        first, origin = edit.items[index]
        begin = min(origin.start + offset - first, origin.end)
        return origin.source.locate(begin, min(begin + end - start, origin.end))


def spaced(parts: Sequence[Span]) -> list[Piece]:
    """The pieces of a text that was appended to, joined by one blank."""
    pieces: list[Piece] = []
    for part in parts:
        if pieces:
            pieces.append(Piece(" ", part, is_verbatim=False))
        pieces.append(Piece.of(part))
    return pieces


def without(source: Source, word: str) -> list[Piece]:
    """The pieces of a text between the places of a word."""
    pieces: list[Piece] = []
    start = 0
    while (found := source.text.find(word, start)) >= 0:
        pieces.append(Piece.of(Span(source, start, found)))
        start = found + len(word)
    return [*pieces, Piece.of(Span(source, start, len(source.text)))]
