"""The exceptions that stages raise to stop, and the diagnostics they become.

Only for use inside `rules`: `load` catches every `Fault`, adds the chain of items and goes on to
the next thing that can still be said. Nothing here leaves the package.
"""

import difflib
from collections.abc import Iterable

from falcotrace.errors import Context, Diagnostic, Severity, Span
from falcotrace.rules.codes import LoadCode

_LONGEST_NAME = 80
"""Nobody mistypes a longer name, and looking for its neighbours takes long."""


_LONGEST_MESSAGE = 400
"""Names and values in messages are the author's, and may be of any length."""


class Fault(Exception):  # noqa: N818 - an error of the rules' author, not of the program
    """Something that makes the current file, rule or condition unusable.

    Args:
        message: what was expected and what was found.
        span: the text in question.
        code: set where the stage knows it; otherwise the caller's.
        help_text: what to write instead.
        skippable: `skip-if-unknown-filter` turns it into a warning.
    """

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        *,
        code: LoadCode | None = None,
        help_text: str | None = None,
        chain: tuple[Context, ...] = (),
        skippable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = (
            message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + " .."
        )
        self.span = span
        self.code = code
        self.help = help_text
        self.chain = chain
        self.skippable = skippable


def diagnose(
    fault: Fault, code: LoadCode, chain: tuple[Context, ...], severity: Severity = Severity.ERROR
) -> Diagnostic:
    """Make a diagnostic of a fault; its own code and chain win."""
    span = fault.span
    return Diagnostic(
        fault.code or code, severity, fault.message, span, fault.chain or chain, fault.help
    )


def suggest(word: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean `proc.name`?`` for the known word nearest to `word`, or None."""
    if len(word) > _LONGEST_NAME:
        return None
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{nearest[0]}`?" if nearest else None
