"""Texts as Falco 0.44.1 prints them: one U+FFFD for whatever it takes for unfit to print.

FalcoTrace shows the bytes that were recorded; this is for comparisons with that Falco only.

In: texts in the form of captures. Out: texts as that Falco's JSON has them.

Source: libs 0.25.4, userspace/libsinsp/utils.cpp, sanitize_string: each ASCII control, DEL, C1
control and non-character, and each maximal ill-formed part of UTF-8. `evt.args` and `evt.info` have
dots there already.
"""

import re

from falcotrace.alerts import FieldValue
from falcotrace.events.text import to_bytes

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(chr((plane << 16) + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def printed(value: FieldValue) -> FieldValue:
    r"""A value as it is printed; only texts change.

    Example:
        >>> printed("a\tb"), printed(3)
        ('a�b', 3)
    """
    if not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", to_bytes(value).decode(errors="replace"))
