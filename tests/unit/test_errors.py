"""How diagnostics are drawn."""

from falcotrace.errors import (
    CaptureError,
    Context,
    Diagnostic,
    FalcoTraceError,
    ImporterError,
    RecordError,
    RulesError,
    Severity,
    UnsupportedError,
    escape_controls,
    render_diagnostic,
)
from falcotrace.rules.source import TextSource


def draw(text: str, start: int, end: int, **parts: object) -> list[str]:
    """Draw a diagnostic about a stretch of a text."""
    span = TextSource("f.yaml", text).span(start, end)
    return render_diagnostic(
        Diagnostic("CODE", Severity.ERROR, "message", span, **parts)  # type: ignore[arg-type]
    ).splitlines()


def test_place_and_caret() -> None:
    """The line is shown with carets under what is meant."""
    assert draw("one\ntwo three\n", 8, 13) == [
        "error[CODE]: message",
        "  --> f.yaml:2:5",
        "    2 | two three",
        "            ^^^^^",
    ]


def test_a_point_has_one_caret() -> None:
    """A place between two characters, or at the end, has one caret."""
    assert draw("abc", 3, 3)[-1] == "           ^"


def test_several_lines_are_shown_up_to_the_first_end() -> None:
    """A span over lines points at its first line only."""
    assert draw("ab\ncd", 1, 5)[-2:] == ["    1 | ab", "         ^"]


def test_long_lines_are_a_window() -> None:
    """A folded condition of a thousand characters shows what is around the place."""
    lines = draw("x" * 500 + "HERE" + "y" * 500, 500, 504)
    assert "HERE" in lines[2]
    assert len(lines[2]) < 120
    assert lines[3].index("^") == lines[2].index("HERE")


def test_controls_never_reach_the_terminal() -> None:
    """Escape sequences, bidirectional marks and line ends come out as text, carets aligned."""
    lines = draw("a\x1b[2Jb\u202ec HERE", 9, 13)
    assert "\x1b" not in lines[2]
    assert "\u202e" not in lines[2]
    assert lines[3].index("^") == lines[2].index("HERE")
    assert escape_controls("a\nb") == "a\\nb"
    assert escape_controls("größe ☃") == "größe ☃"


def test_tabs_take_one_column() -> None:
    """A tab before the place does not move the caret."""
    lines = draw("\tHERE", 1, 5)
    assert lines[3].index("^") == lines[2].index("HERE")


def test_chain_and_help() -> None:
    """Named links are listed, innermost first, each once."""
    chain = (Context("rule", "R"), Context("rule condition"), Context("rule", "R"))
    lines = draw("x", 0, 1, chain=chain, help="do that")
    assert lines[-2:] == ["  in rule `R`", "  help: do that"]


def test_diagnostic_without_place() -> None:
    """A file that cannot be read has no line to show."""
    text = render_diagnostic(Diagnostic("CODE", Severity.WARNING, "message"))
    assert text == "warning[CODE]: message"


def test_exceptions_have_one_root() -> None:
    """Whoever catches the root catches them all, and each says what it is about."""
    errors = [
        RulesError([Diagnostic("CODE", Severity.ERROR, "message")]),
        CaptureError("c.parquet", "truncated"),
        ImporterError("c.scap", "bad block", 12),
        RecordError("not permitted", "run as root", 1),
        UnsupportedError("a regex", "spark"),
    ]
    assert all(isinstance(error, FalcoTraceError) for error in errors)
    assert [str(error) for error in errors] == [
        "error[CODE]: message",
        "c.parquet: truncated",
        "c.scap at byte 12: bad block",
        "not permitted\nrun as root",
        "spark cannot express a regex",
    ]
