"""What DuckDB says about a query that it refuses, in one line that says what to do."""

import re

from falcotrace.errors import escape_controls

_HINTS = (
    (
        re.compile(r"Table with name .* does not exist"),
        "the captures are the view `events`, what is known of the files is in `captures`",
    ),
    (
        re.compile(
            r"Cannot access (file|directory)|extensions? is disabled|an error occurred while"
        ),
        "a query reads its captures and nothing else; --unrestricted lets it",
    ),
    (
        re.compile(r"configuration has been locked|\bin the \w+ extension"),
        "--memory-limit and --threads are options of the command, --unrestricted allows the rest",
    ),
    (
        re.compile(r"^Out of Memory"),
        "--memory-limit gives it more; fewer columns or groups take less",
    ),
    (
        re.compile(r"Could not find key|Referenced column .* not found"),
        "`DESCRIBE events` and captures/COLUMNS.md list the columns",
    ),
)

_LONGEST = 400


def described(error: Exception) -> str:
    r"""An error in one line, safe for a terminal, with what to do where that is known.

    Example:
        >>> described(ValueError('Parser Error: syntax error at "x"\n\nLINE 1: x\n        ^'))
        'Parser Error: syntax error at "x" (line 1: x)'
    """
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and set(line) != {"^"} and line[:5] != "LINE "]
    where = [line for line in lines if line.startswith("LINE ")]
    text = " ".join(told)[:_LONGEST] or type(error).__name__
    if where:
        number, _, line = where[0].removeprefix("LINE ").partition(": ")
        text += f" (line {number}: {line[:_LONGEST]})"
    hint = next((hint for pattern, hint in _HINTS if pattern.search(str(error))), "")
    return escape_controls(f"{text}; {hint}" if hint else text)
