r"""Output templates: `%proc.name started by %10user.name`.

In comes a template as written, out comes a `Template` of literal texts and tokens; with the text of
each token, `render_template` makes the line. How a value of a field becomes text is the engines'
matter.

A token is `%`, an optional width, and the longest beginning of what follows that is a field or a
function: `%proc.name.` prints the name and a dot. A `%` cannot be escaped.

Source: libs 48dfd53c userspace/libsinsp/eventformatter.cpp, sinsp_evt_formatter::set_format.
"""

import re
from collections.abc import Callable

from falcotrace.errors import Source, Span
from falcotrace.events.fields import FIELDS
from falcotrace.events.text import to_bytes, to_text
from falcotrace.rules.check_parser import accept_bracket, accept_function
from falcotrace.rules.faults import Fault
from falcotrace.rules.field_reference import find_field, longest_field
from falcotrace.rules.lexer import FIELD_NAME, Lexer
from falcotrace.rules.operands import build_operand
from falcotrace.rules.plan import FieldOperand, Operand, Template, TemplateField, iter_fields

MISSING = "<NA>"
"""What is printed for a value that the event does not have."""

_WIDTH = re.compile(r"[0-9]{1,4}")
_WORD = re.compile(r"[^\s%]{1,40}")


def parse_template(source: Source, *, prints_missing: bool = True) -> Template:
    """Parse an output template.

    Args:
        source: the template; a star at its beginning is a part of the text if `prints_missing`.
        prints_missing: as Falco's engine, which puts that star before every rule's output.
            Otherwise the template's own star decides.

    Raises:
        Fault: a token that is neither a field nor a function.
    """
    lexer = Lexer(source)
    if not prints_missing:
        prints_missing = lexer.accept("*")
    parts: list[str | TemplateField] = []
    start = lexer.position
    while (percent := source.text.find("%", lexer.position)) >= 0:
        if percent > start:
            parts.append(source.text[start:percent])
        lexer.position = percent + 1
        parts.append(_read_token(lexer))
        start = lexer.position
    if start < len(source.text):
        parts.append(source.text[start:])
    return Template(tuple(parts), source.text, prints_missing)


def template_fields(template: Template) -> tuple[FieldOperand, ...]:
    """Return the fields that a template reads, once each, in order."""
    fields: dict[FieldOperand, None] = {}
    for part in template.parts:
        if isinstance(part, TemplateField):
            fields.update(dict.fromkeys(iter_fields(part.operand)))
    return tuple(fields)


def suggested_output() -> str:
    """Return what Falco's default configuration appends to every output."""
    names = [field.name for field in FIELDS.values() if field.suggested_output]
    return " ".join(f"{name.replace('.', '_')}=%{name}" for name in names)


def render_template(template: Template, text_of: Callable[[Operand], str | None]) -> str | None:
    """Fill in a template.

    Args:
        template: what to fill in.
        text_of: gives the printed form of an operand, or None if it has no value.

    Returns:
        The line, in the form of `events.text.to_text`; None if a value is missing and the template
        does not print missing values.
    """
    parts: list[str] = []
    for part in template.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        text = text_of(part.operand)
        if text is None:
            if not template.prints_missing:
                return None
            text = MISSING
        parts.append(text if part.width is None else fit_width(text, part.width))
    return "".join(parts)


def fit_width(text: str, width: int) -> str:
    r"""Pad with blanks on the right, or cut, to so many bytes.

    Example:
        >>> fit_width("ab", 4), ascii(fit_width("größe", 3))
        ('ab  ', "'gr\\U0010fec3'")
    """
    raw = to_bytes(text)
    return to_text(raw[:width].ljust(width))


def _read_token(lexer: Lexer) -> TemplateField:
    percent = lexer.position - 1
    width = lexer.accept_match(_WIDTH)
    start = lexer.position
    operand = _read_operand(lexer)
    if operand is None:
        raise _bad_token(lexer, percent)
    text = lexer.text[start : lexer.position]
    return TemplateField(operand, None if width is None else int(width), text)


def _read_operand(lexer: Lexer) -> Operand | None:
    call = accept_function(lexer)
    if call is not None:
        return build_operand(call)
    match = FIELD_NAME.match(lexer.text, lexer.position)
    if match is None:
        return None
    start = lexer.position
    with_bracket = _read_bracketed(lexer, match)
    if with_bracket is not None:
        return _printable(with_bracket, lexer.span_from(start))
    found = longest_field(match.group())
    if found is None:
        # Looked up again for its message: a missing argument differs from an unknown field.
        return find_field(match.group(), None, Span(lexer.source, start, match.end()))
    lexer.position = start + found[1]
    return _printable(found[0], lexer.span_from(start))


def _read_bracketed(lexer: Lexer, match: re.Match[str]) -> FieldOperand | None:
    """Take `field[argument]`, if the field takes one; otherwise the bracket is text."""
    start = lexer.position
    if not lexer.text.startswith("[", match.end()):
        return None
    lexer.position = match.end()
    try:
        argument = accept_bracket(lexer)
        return find_field(match.group(), argument, Span(lexer.source, start, lexer.position))
    except Fault:
        if longest_field(match.group()) is None:
            raise
        lexer.position = start
        return None


def _printable(operand: FieldOperand, span: Span) -> FieldOperand:
    if operand.field.usable_in == "filter":
        raise Fault(f"field `{operand.text}` can only stand in conditions", span)
    return operand


def _bad_token(lexer: Lexer, percent: int) -> Fault:
    word = _WORD.match(lexer.text, lexer.position)
    span = Span(lexer.source, percent, word.end() if word else min(percent + 2, len(lexer.text)))
    help_text = "a `%` cannot be escaped; write `percent`"
    if percent + 1 == len(lexer.text):
        return Fault("the output ends with `%`", span, help_text=help_text)
    message = f"`{span.text}` is neither a field nor a function"
    return Fault(message, span, help_text=None if word else help_text, skippable=True)
