"""What the functions of conditions and outputs compute, for one value at a time.

The meaning that both engines share: replay calls these functions once for each distinct value, SQL
is held to them by tests. Texts are in the form of `events.text.to_text`; None is a missing value,
and a function of a missing value is missing.

Source: libs 48dfd53c userspace/libsinsp/sinsp_filter_transformer*.cpp.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import assert_never

from falcotrace.events.text import to_bytes, to_text
from falcotrace.rules.ast import Transform

Scalar = str | bytes | int | float | bool
Result = Scalar | Sequence[str] | None

_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
_UPPER = str.maketrans({chr(code): chr(code - 32) for code in range(ord("a"), ord("z") + 1)})


def fold_case(text: str) -> str:
    """Turn A-Z into a-z and leave everything else, as `icontains`, `iglob` and `tolower` do."""
    return text.translate(_LOWER)


def apply_transform(
    function: Transform, arguments: Sequence[Result], argument: str | None = None
) -> Result:
    """Compute a function of values.

    Args:
        function: which one.
        arguments: its inputs; a list value is a sequence of texts.
        argument: the text in brackets behind `getopt(..)`.

    Returns:
        The value, or None if an input is missing or makes no sense.

    Example:
        >>> apply_transform(Transform.BASENAME, ["/usr/bin/vi"])
        'vi'
    """
    if any(value is None for value in arguments):
        return None
    first = arguments[0]
    match function:
        case Transform.TOLOWER:
            return _each(first, fold_case)
        case Transform.TOUPPER:
            return _each(first, lambda text: text.translate(_UPPER))
        case Transform.BASENAME:
            return _each(first, lambda text: text.rpartition("/")[2])
        case Transform.B64:
            return decode_base64(first) if isinstance(first, str | bytes) else None
        case Transform.LEN:
            return measure(first)
        case Transform.CONCAT:
            return "".join(str(value) for value in arguments)
        case Transform.JOIN:
            items = _as_list(arguments[1])
            return None if items is None else str(first).join(items)
        case Transform.GETOPT:
            return read_options(first, str(arguments[1]), argument)
        case Transform.VAL:
            return first
        case _:
            assert_never(function)


def decode_base64(value: str | bytes) -> str | bytes | None:
    """Decode base64 with or without padding; None if it is not base64.

    Strict: padding is whole or left out, and bits that mean nothing must be zero. A text ends at
    its first NUL, as everywhere in Falco.
    """
    raw = to_bytes(value) if isinstance(value, str) else value
    bare = raw.rstrip(b"=")
    full = bare + b"=" * (-len(bare) % 4)
    try:
        decoded = base64.b64decode(full, validate=True)
    except binascii.Error:
        return None
    if raw not in {bare, full} or base64.b64encode(decoded) != full:
        return None
    return to_text(decoded.partition(b"\0")[0]) if isinstance(value, str) else decoded


def measure(value: Result) -> int | None:
    """Count the bytes of a text or buffer, or the elements of a list."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(to_bytes(value))
    return len(value) if isinstance(value, bytes | Sequence) else None


def read_options(words: Result, options: str, wanted: str | None) -> Result:
    """Read options from arguments as POSIX getopt does: up to the first word that is none.

    Args:
        words: the arguments without the program's name; a text is split at blanks.
        options: letters, each followed by a colon if it takes a value.
        wanted: give this option's value instead of the letters found.

    Returns:
        The letters in order, or the value of `wanted` (empty if it takes none), or None.
    """
    items = words.split() if isinstance(words, str) else list(_as_list(words) or ())
    found: dict[str, str] = {}
    while items and items[0].startswith("-") and len(items[0]) > 1:
        word = items.pop(0)
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            takes_value = f"{letter}:" in options
            if takes_value:
                value = letters or (items.pop(0) if items else "")
                found.setdefault(letter, value)
                break
            if letter in options:
                found.setdefault(letter, "")
    return found.get(wanted) if wanted is not None else list(found)


def _each(value: Result, change: Callable[[str], str]) -> Result:
    if isinstance(value, str):
        return change(value)
    items = _as_list(value)
    return None if items is None else [change(item) for item in items]


def _as_list(value: Result) -> Sequence[str] | None:
    if value is None or isinstance(value, str | bytes | int | float):
        return None
    return value
