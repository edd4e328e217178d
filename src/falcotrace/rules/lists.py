"""Lists put into conditions, as text, the way Falco does it.

Before a condition is parsed, each list's name in it is replaced by the list's items wherever
blanks, parentheses, commas or `=` stand around it: in quoted texts and in the place of fields, too.
Lists inside lists are opened one level deep.

Source: falco 13074749 userspace/engine/rule_loader_compiler.cpp, resolve_list and
compile_list_infos.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from falcotrace.errors import Source, Span
from falcotrace.rules.faults import Fault
from falcotrace.rules.texts import Edit, ExpandedSource

MAX_CONDITION_LENGTH = 4 * 1024 * 1024
MAX_REPLACEMENTS = 10_000
_BLANKS = " \t\n\r"
_DELIMITERS = _BLANKS + "(),="


@dataclasses.dataclass(frozen=True, slots=True)
class ExpandedList:
    """A list ready to be put into conditions.

    Args:
        name: the word that it replaces.
        text: its items, quoted where they contain blanks, joined by comma and blank.
        items: offset in `text`, and origin, of each item.
        definition: where the list is defined.
    """

    name: str
    text: str
    items: Sequence[tuple[int, Span]]
    definition: Span

    @classmethod
    def of(cls, name: str, items: Iterable[Span], definition: Span) -> "ExpandedList":
        """Join the items of a list."""
        offsets: list[tuple[int, Span]] = []
        parts: list[str] = []
        length = 0
        for item in items:
            text = quote_item(item.text)
            offsets.append((length + (text is not item.text), item))
            parts.append(text)
            length += len(text) + 2
            if length > MAX_CONDITION_LENGTH:
                message = f"list `{name}` expands to more than {MAX_CONDITION_LENGTH // 2**20} MiB"
                raise Fault(message, definition)
        return cls(name, ", ".join(parts), offsets, definition)


def quote_item(text: str) -> str:
    """Put a text with blanks in double quotes, unless it begins with a quote; escape nothing."""
    return f'"{text}"' if " " in text and text[0] not in "\"'" else text


def expand_lists(source: Source, lists: Iterable[ExpandedList]) -> tuple[Source, list[str]]:
    """Replace the names of lists in a condition by their items.

    Args:
        source: the condition.
        lists: in the order of their definition.

    Returns:
        The new text, and the names of the lists that were used.

    Raises:
        Fault: the text grows beyond all bounds.
    """
    text = source.text
    edits: list[Edit] = []
    used: list[str] = []
    for item in lists:
        if item.name in text:
            before = len(edits)
            text = _Replacement(text, item, edits).run()
            if len(edits) > before:
                used.append(item.name)
    return (ExpandedSource(source, text, edits) if edits else source), used


class _Replacement:
    """Puts one list into a text, from left to right.

    What has been read of the old text stands replaced in `_done`; the rest begins at `_cursor`.
    """

    def __init__(self, text: str, item: ExpandedList, edits: list[Edit]) -> None:
        self._text = text
        self._item = item
        self._edits = edits
        self._done: list[str] = []
        self._length = 0
        self._cursor = 0

    def run(self) -> str:
        """Replace every occurrence; return the new text."""
        name = self._item.name
        found = self._text.find(name)
        while found >= 0:
            following = found + 1
            if self._is_delimited(found, found + len(name)):
                following = self._replace(found, found + len(name))
            found = self._text.find(name, following)
        return "".join((*self._done, self._text[self._cursor :]))

    def _is_delimited(self, start: int, end: int) -> bool:
        if start > self._cursor:
            before = self._text[start - 1]
        else:
            before = self._done[-1][-1] if self._length else " "
        return before in _DELIMITERS and (end >= len(self._text) or self._text[end] in _DELIMITERS)

    def _replace(self, start: int, end: int) -> int:
        """Replace one occurrence; return where to look for the next."""
        text, item = self._text, self._item
        self._take(text[self._cursor : start])
        taken = self._length
        self._strip(_BLANKS)
        tail = end
        while tail < len(text) and text[tail] in _BLANKS:
            tail += 1
        # One comma goes with an empty list, the one before it rather than the one after it.
        if not item.text and not self._strip_comma() and text[tail : tail + 1] == ",":
            tail += 1
        lead = 1 if self._length else 0
        replacement = f"{' ' * lead}{item.text} "
        edit_end = taken + tail - start
        self._edits.append(
            Edit(
                self._length,
                edit_end,
                len(replacement),
                lead,
                item.items,
                item.name,
                item.definition,
            )
        )
        self._take(replacement)
        self._cursor = tail
        if self._length > MAX_CONDITION_LENGTH or len(self._edits) > MAX_REPLACEMENTS:
            message = (
                f"with its lists a condition is longer than {MAX_CONDITION_LENGTH // 2**20} MiB "
                f"or names more than {MAX_REPLACEMENTS:,} of them"
            )
            raise Fault(message, item.definition)
        return tail if lead else tail + 1

    def _take(self, text: str) -> None:
        if text:
            self._done.append(text)
            self._length += len(text)

    def _strip(self, chars: str) -> None:
        while self._done:
            last = self._done.pop()
            kept = last.rstrip(chars)
            self._length -= len(last) - len(kept)
            if kept:
                self._done.append(kept)
                return

    def _strip_comma(self) -> bool:
        if not self._length or not self._done[-1].endswith(","):
            return False
        last = self._done.pop()[:-1]
        self._length -= len(last) + 1
        self._take(last)
        return True
