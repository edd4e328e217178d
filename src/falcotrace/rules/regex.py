"""Regular expressions as Falco understands them: RE2 in POSIX syntax, on the whole text.

One place for the options, so that the checker and every engine that uses google-re2 mean the same.

Source: libs 48dfd53c userspace/libsinsp/sinsp_filtercheck.cpp (RE2::POSIX, FullMatch).
"""

import functools
import re

import re2

from falcotrace.errors import Span
from falcotrace.events.text import to_bytes
from falcotrace.rules.faults import Fault

_METACHARACTERS = re.compile(r"[.^$*+?()\[\]{}|\\]")
_PERL = re.compile(r"\\[dDwWsSbB]|\(\?")


@functools.cache
def compile_regex(pattern: str) -> "re2._Regexp[bytes]":
    """Compile a pattern; match with its `fullmatch` on bytes.

    Raises:
        re2.error: not a regular expression in POSIX syntax.
    """
    options = re2.Options()
    options.posix_syntax = True
    options.longest_match = True
    options.log_errors = False
    return re2.compile(to_bytes(pattern), options)


def check_regex(pattern: str, span: Span | None) -> None:
    """Refuse a pattern that RE2 does not take in POSIX syntax.

    Raises:
        Fault: what RE2 says, and what to write instead of Perl's shorthands.
    """
    try:
        compile_regex(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        help_text = None
        if _PERL.search(pattern):
            help_text = "only POSIX syntax: [0-9] or [[:digit:]] for \\d, (..) for (?:..)"
        raise Fault(f"regular expression: {text}", span, help_text=help_text) from error


def is_plain_text(pattern: str) -> bool:
    """Tell whether a pattern has no special character, so that `=` would do."""
    return _METACHARACTERS.search(pattern) is None
