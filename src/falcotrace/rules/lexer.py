r"""The words of conditions: what a field, a number, a bare or a quoted text looks like.

A cursor over one condition. There is no token stream: `open` is a macro, a value or the start of a
word depending on what the parser expects, so the parser asks for what may come next and the lexer
says whether it is there. It knows nothing of precedence, fields or types.

Source: libs 48dfd53c userspace/libsinsp/filter/parser.cpp (the lex_ functions) and escaping.cpp.
"""

import re

from falcotrace.errors import Source, Span
from falcotrace.events.text import to_text
from falcotrace.rules.ast import Literal
from falcotrace.rules.faults import Fault

IDENTIFIER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
FIELD_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z][a-zA-Z0-9_]*)+")
BARE_TEXT = re.compile(r"""[^()"' \t\n\v\f\r=,\0]+""")
BARE_ARGUMENT = re.compile(r"""[^\]\["' \t\n\v\f\r\0]+""")
NUMBER = re.compile(r"0[xX][0-9a-zA-Z]+|[+\-]?[0-9]+\.?[0-9]*(?:[eE][+\-][0-9]+)?")
NOT_AND_BLANK = re.compile(r"not[ \t\n\v\f\r]+")

_BLANK = re.compile(r"[ \t\b\r\n]*")
_QUOTED = {
    # The quote after a backslash is never the end, even if that backslash is itself escaped.
    '"': re.compile(r'"[^\0]*?(?<!\\)"'),
    "'": re.compile(r"'[^\0]*?(?<!\\)'"),
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    # A backslash before a blank is itself, and the blank is gone: old rules rely on it.
    " ": "\\",
    "\\": "\\",
    "/": "/",
}


class Lexer:
    """A position in a condition, and the words that may be found there."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.position = 0

    def span_from(self, start: int) -> Span:
        """Return the span from `start` to here."""
        return Span(self.source, start, self.position)

    def here(self) -> Span:
        """Return the span of the next word, for messages."""
        match = BARE_TEXT.match(self.text, self.position)
        end = match.end() if match else min(self.position + 1, len(self.text))
        return Span(self.source, self.position, end)

    def describe_here(self) -> str:
        """Return what stands here, for messages: a quoted word or `the end`."""
        span = self.here()
        return f"`{span.text}`" if span.start < span.end else "the end"

    def skip_blanks(self) -> bool:
        """Skip blanks; tell whether there was one."""
        match = _BLANK.match(self.text, self.position)
        start = self.position
        self.position = match.end() if match else start
        return self.position > start

    def accept(self, word: str) -> bool:
        """Take a fixed word if it is here, whatever follows it."""
        if self.text.startswith(word, self.position):
            self.position += len(word)
            return True
        return False

    def accept_match(self, pattern: re.Pattern[str]) -> str | None:
        """Take what matches a pattern here."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return None
        self.position = match.end()
        return match.group()

    def accept_number(self) -> Literal | None:
        """Take a number as written; most spellings are refused when it is converted."""
        start = self.position
        text = self.accept_match(NUMBER)
        return None if text is None else Literal(text, self.span_from(start))

    def accept_value(self) -> Literal | None:
        """Take a quoted or a bare text."""
        quoted = self.accept_quoted()
        if quoted is not None:
            return quoted
        start = self.position
        text = self.accept_match(BARE_TEXT)
        return None if text is None else Literal(_stored(text), self.span_from(start))

    def accept_quoted(self) -> Literal | None:
        """Take a quoted text and undo its escapes.

        Raises:
            Fault: the quote is never closed, or an escape means nothing.
        """
        quote = self.text[self.position : self.position + 1]
        if quote not in _QUOTED:
            return None
        start = self.position
        if self.accept_match(_QUOTED[quote]) is None:
            raise Fault(
                f"this {quote} is never closed",
                Span(self.source, start, start + 1),
                help_text="a quote after a backslash does not end the text; "
                "a text that ends in a backslash can be written without quotes",
            )
        inside = self.text[start + 1 : self.position - 1]
        value = self._unescape(inside, quote, start + 1) if "\\" in inside else _stored(inside)
        return Literal(value, self.span_from(start), quoted=True)

    def accept_argument(self) -> str | None:
        """Take the text between brackets, behind the opening one."""
        quoted = self.accept_quoted()
        if quoted is not None:
            return quoted.text
        text = self.accept_match(BARE_ARGUMENT)
        return None if text is None else _stored(text)

    def _unescape(self, inside: str, quote: str, start: int) -> str:
        raw = bytearray()
        position = 0
        while position < len(inside):
            match = _ESCAPE.match(inside, position)
            if match is None:
                end = inside.find("\\", position + 1)
                end = len(inside) if end < 0 else end
                raw += inside[position:end].encode(errors="surrogatepass")
                position = end
                continue
            escape = match.group(1)
            if escape == quote or escape in _ESCAPES:
                raw += _ESCAPES.get(escape, escape).encode()
            elif len(escape) == 3:
                raw.append(int(escape[1:], 16))
            else:
                span = Span(self.source, start + position, start + match.end())
                raise Fault(
                    f"`\\{escape}` is not an escape",
                    span,
                    help_text=f"known escapes: \\b \\f \\n \\r \\t \\\\ \\/ \\{quote} \\xHH",
                )
            position = match.end()
        return to_text(bytes(raw))


def _stored(text: str) -> str:
    return text if text.isascii() else to_text(text.encode(errors="surrogatepass"))
