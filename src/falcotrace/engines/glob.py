"""POSIX fnmatch patterns as RE2 patterns.

In: a pattern of `glob`, `iglob` or one component of `pmatch`. Out: a pattern for RE2's Perl syntax,
the one that Arrow and DuckDB use, for the whole text. Without flags `*` and `?` match slashes and
a leading dot; braces mean nothing. Case is not folded here.

Source: POSIX.1-2017 XCU 2.13, XBD 9.3.5; glibc posix/fnmatch_loop.c for what it leaves open.
"""

_CLASSES = frozenset(
    {"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space"}
    | {"upper", "xdigit"}
)

_SPECIAL = frozenset(r"\.+*?()|[]{}^$-&~#")

_NOTHING = r"[^\x{0}-\x{10FFFF}]"
"""A set that no character is in."""


def glob_regex(pattern: str, *, star: str = ".*", any_char: str = ".") -> str:
    r"""Translate an fnmatch pattern; the result matches a whole text, newlines included.

    Args:
        pattern: text with `*`, `?`, `[..]` and backslashes.
        star: what `*` becomes.
        any_char: what `?` becomes.

    Example:
        >>> glob_regex("/etc/[!a-c]*.d?")
        '(?s)\\A(?:/etc/[^a-c].*\\.d.)\\z'
    """
    return rf"(?s)\A(?:{glob_body(pattern, star=star, any_char=any_char)})\z"


def glob_body(pattern: str, *, star: str = ".*", any_char: str = ".") -> str:
    """The inner part of `glob_regex`, without anchors and flags."""
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if pieces[-1:] != [star]:
                pieces.append(star)
        elif char == "?":
            pieces.append(any_char)
        elif char == "[":
            translated, end = _set(pattern, at)
            pieces.append(translated)
            at = end
        elif char == "\\":
            # glibc: a backslash at the end of a pattern matches nothing at all.
            pieces.append(quote(pattern[at]) if at < len(pattern) else _NOTHING)
            at += 1
        else:
            pieces.append(quote(char))
    return "".join(pieces)


def quote(text: str) -> str:
    """Text as an RE2 pattern that matches only itself."""
    return "".join("\\" + char if char in _SPECIAL else char for char in text)


def _set(pattern: str, start: int) -> tuple[str, int]:
    """Translate the set behind a `[`; an unclosed one is a bracket and nothing more."""
    at = start
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    members: list[str] = []
    first = True
    while at < len(pattern):
        if pattern[at] == "]" and not first:
            body = "".join(members)
            if not body:
                return (".", at + 1) if negated else (_NOTHING, at + 1)
            return f"[{'^' if negated else ''}{body}]", at + 1
        first = False
        member, at = _member(pattern, at)
        if member is None:
            break
        members.append(member)
    return quote("["), start


def _member(pattern: str, at: int) -> tuple[str | None, int]:
    """One member of a set: a class, a range or a character; None where the pattern ends early."""
    if pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
        name = pattern[at + 2 : end]
        return (f"[:{name}:]" if name in _CLASSES else "", end + 2)
    low, at = _set_char(pattern, at)
    if low is None:
        return None, at
    if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in {"", "]"}:
        high, end = _set_char(pattern, at + 1)
        if high is None:
            return None, end
        # An empty range such as z-a is no member; RE2 would refuse the whole set.
        return (f"{quote(low)}-{quote(high)}" if low <= high else "", end)
    return quote(low), at


def _set_char(pattern: str, at: int) -> tuple[str | None, int]:
    if pattern[at] == "\\":
        at += 1
    return (pattern[at], at + 1) if at < len(pattern) else (None, at)
