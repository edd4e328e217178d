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
            text = _replace(text, item, edits)
            if len(edits) > before:
                used.append(item.name)
    return (ExpandedSource(source, text, edits) if edits else source), used


def _replace(text: str, item: ExpandedList, edits: list[Edit]) -> str:
    position = text.find(item.name)
    while position >= 0:
        end = position + len(item.name)
        if _is_delimited(text, position, end):
            position, end = _widen(text, position, end, is_empty=not item.text)
            before = text[:position] + " " if position else ""
            replacement = item.text + " "
            text = before + replacement + text[end:]
            if len(text) > MAX_CONDITION_LENGTH:
                limit = MAX_CONDITION_LENGTH // 2**20
                raise Fault(f"a condition grows beyond {limit} MiB with its lists", item.definition)
            lead = 1 if position else 0
            offsets = [(offset + lead, origin) for offset, origin in item.items]
            length = len(replacement) + lead
            edits.append(Edit(position, end, length, offsets, item.name, item.definition))
            position += len(item.text) + 1
        position = text.find(item.name, position + 1)
    return text


def _is_delimited(text: str, start: int, end: int) -> bool:
    return (start == 0 or text[start - 1] in _DELIMITERS) and (
        end >= len(text) or text[end] in _DELIMITERS
    )


def _widen(text: str, start: int, end: int, *, is_empty: bool) -> tuple[int, int]:
    """Take the blanks around a name, and for an empty list one comma."""
    while start > 0 and text[start - 1] in _BLANKS:
        start -= 1
    while end < len(text) and text[end] in _BLANKS:
        end += 1
    if is_empty and start > 0 and text[start - 1] == ",":
        return start - 1, end
    if is_empty and end < len(text) and text[end] == ",":
        return start, end + 1
    return start, end
