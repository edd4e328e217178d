r"""Makes recorded text safe to show: `\xHH` for odd bytes, escapes for control characters.

Everything recorded is written by whoever was recorded. Terminals get `for_terminal`, JSON
`readable` (JSON escapes control characters itself); HTML and CSV have their own rules on top.
"""

import re

from falcotrace.errors import escape_controls
from falcotrace.events.text import RAW_BYTE_BASE

_RAW_BYTE = re.compile(f"[{chr(RAW_BYTE_BASE)}-{chr(RAW_BYTE_BASE + 0xFF)}]")


def readable(text: str) -> str:
    r"""Spell bytes that are not part of valid UTF-8 as `\xHH`.

    Example:
        >>> from falcotrace.events.text import to_text
        >>> print(readable(to_text(b"caf\xe9")))
        caf\xe9
    """
    return _RAW_BYTE.sub(lambda found: f"\\x{ord(found.group()) - RAW_BYTE_BASE:02x}", text)


def for_terminal(text: str) -> str:
    r"""Text that cannot move the cursor, change colours or begin a new line.

    Example:
        >>> print(for_terminal("rm\x1b[2K\rls"))
        rm\x1b[2K\rls
    """
    return escape_controls(readable(text))
