"""Errors and diagnostics: what went wrong, where it was written, and how that is drawn.

In come spans of some source text; out go exceptions for callers and text with a caret for people.
A diagnostic is data first. Stages append diagnostics to a list and go on; only the outermost caller
raises. This module knows nothing about YAML, rules, captures or the terminal's colours.
"""

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol


class Severity(enum.StrEnum):
    """Whether a diagnostic stops the work."""

    ERROR = "error"
    WARNING = "warning"


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """A place in a file as people count it.

    Args:
        file: the file's name as it was given, or a name such as `<text>` for text without a file.
        line: counted from 1.
        column: counted from 1, in characters.
        line_text: the whole line, without its end.
        length: how many characters of that line are meant; 0 points between two characters.
    """

    file: str
    line: int
    column: int
    line_text: str
    length: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Source(Protocol):
    """A text that knows where each of its characters was written."""

    @property
    def text(self) -> str:
        """The text itself."""
        ...

    def locate(self, start: int, end: int) -> Location:
        """Return where the characters from `start` up to `end` were written."""
        ...

    def usages(self, start: int) -> Sequence["Context"]:
        """Return through which items, outermost first, the character at `start` got here."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source text: characters `start` up to, not including, `end`."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters of the span."""
        return self.source.text[self.start : self.end]

    def locate(self) -> Location:
        """Return file, line and column of the span's beginning."""
        return self.source.locate(self.start, self.end)

    def usages(self) -> Sequence["Context"]:
        """Return the lists (outermost first) whose expansion brought this text here."""
        return self.source.usages(self.start)


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """One link of the chain that leads to a diagnostic, such as `rule "Outbound SSH"`.

    Args:
        kind: Falco's item type: `rule`, `rule condition`, `value for`, `exception` ...
        name: the item's name, empty where it has none.
        span: where the item begins.
    """

    kind: str
    name: str = ""
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell the author of some text.

    Args:
        code: the word to search for, e.g. `LOAD_ERR_COMPILE_CONDITION`.
        severity: errors stop the work, warnings do not.
        message: what was expected and what was found, in one line.
        span: the text in question.
        chain: items from the outermost in, as Falco lists them.
        help: what to write instead.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    chain: tuple[Context, ...] = ()
    help: str | None = None


class FalcoTraceError(Exception):
    """Root of all errors that FalcoTrace raises on purpose; they survive being pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return _made_again, (type(self), self.args, self.__dict__)


class RulesError(FalcoTraceError):
    """Rules that cannot be used.

    Args:
        diagnostics: what is wrong with them; at least one is an error.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(render_diagnostic(item) for item in self.diagnostics))


class CaptureError(FalcoTraceError):
    """A capture that cannot be read or written."""

    def __init__(self, path: Path | str, message: str) -> None:
        self.path = path
        super().__init__(f"{escape_controls(str(path))}: {message}")


class EvidenceError(FalcoTraceError):
    """A key or a signature that cannot be used."""

    def __init__(self, path: Path | str, message: str) -> None:
        self.path = path
        super().__init__(f"{escape_controls(str(path))}: {message}")


class ImporterError(FalcoTraceError):
    """Somebody else's capture that cannot be imported."""

    def __init__(self, path: Path | str, message: str, offset: int | None = None) -> None:
        self.path = path
        self.offset = offset
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{escape_controls(str(path))}{where}: {message}")


class EndedError(FalcoTraceError):
    """A process that worked for this one was ended before it was done."""

    def __init__(self, exit_code: int) -> None:
        how = f"by signal {-exit_code}" if exit_code < 0 else f"with code {exit_code}"
        super().__init__(
            f"a process that worked on a part was ended {how}: is there enough memory?"
        )


class RecordError(FalcoTraceError):
    """The kernel refused to be recorded."""

    def __init__(self, message: str, hint: str = "", errno: int | None = None) -> None:
        self.hint = hint
        self.errno = errno
        super().__init__(f"{message}\n{hint}" if hint else message)


class UnsupportedError(FalcoTraceError):
    """Something that one engine cannot express; never a silent approximation."""

    def __init__(self, what: str, engine: str) -> None:
        self.what = what
        self.engine = engine
        super().__init__(f"{engine} cannot express {what}")


def _made_again(
    kind: type[FalcoTraceError], arguments: tuple[object, ...], state: dict[str, object]
) -> FalcoTraceError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


def escape_controls(text: str) -> str:
    r"""Make text safe for a terminal: control characters become escapes, one line stays one line.

    Example:
        >>> print(escape_controls("a\x1b[2Jb\n"))
        a\x1b[2Jb\n
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def render_diagnostic(diagnostic: Diagnostic) -> str:
    """Draw a diagnostic with its place, the line and a caret, as plain text without colours."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {escape_controls(diagnostic.message)}"]
    if diagnostic.span is not None:
        lines += _draw_span(diagnostic.span)
    lines += [f"  in {line}" for line in _describe_chain(diagnostic)]
    if diagnostic.help:
        lines.append(f"  help: {escape_controls(diagnostic.help)}")
    return "\n".join(lines)


_SHOWN_WIDTH = 100
"""A longer line is shown as a window around the caret: rules are often one folded line."""


def _draw_span(span: Span) -> list[str]:
    location = span.locate()
    start = location.column - 1
    shown_from = max(0, start - _SHOWN_WIDTH // 2) if len(location.line_text) > _SHOWN_WIDTH else 0
    shown_to = shown_from + _SHOWN_WIDTH
    before = escape_controls(location.line_text[shown_from:start].replace("\t", " "))
    meant = escape_controls(
        location.line_text[start : min(start + location.length, shown_to)].replace("\t", " ")
    )
    after = escape_controls(
        location.line_text[start + location.length : shown_to].replace("\t", " ")
    )
    number = f"{location.line:>5} | "
    return [
        f"  --> {escape_controls(location.file)}:{location.line}:{location.column}",
        f"{number}{before}{meant}{after}",
        " " * (len(number) + len(before)) + "^" * max(1, len(meant)),
    ]


def _describe_chain(diagnostic: Diagnostic) -> list[str]:
    """One line for each named item on the way, innermost first."""
    usages = diagnostic.span.usages() if diagnostic.span is not None else ()
    # A macro that is itself at fault stands in the chain, and its text says so again.
    links = {(link.kind, link.name): link for link in (*diagnostic.chain, *usages) if link.name}
    lines: list[str] = []
    for link in reversed(links.values()):
        where = f" at {escape_controls(str(link.span.locate()))}" if link.span is not None else ""
        lines.append(f"{link.kind} `{escape_controls(link.name[:_SHOWN_WIDTH])}`{where}")
    return lines
