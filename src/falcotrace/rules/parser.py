"""Condition text to syntax tree.

    condition = or ;
    or        = and { "or" and } ;
    and       = { "not" } check { "and" { "not" } check } ;
    check     = "(" or ")" | operand tail | macro ;

`or` and `and` chains are flat, `not` binds tightest and an even number of them cancels. Parentheses
are kept on a stack of our own, so that no depth of them can exhaust Python's. Names are looked up
by nobody here: any identifier may be a macro, any dotted name a field.

Source: libs 48dfd53c userspace/libsinsp/filter/parser.h (the grammar) and parser.cpp.
"""

import dataclasses

from falcotrace.errors import Source, Span
from falcotrace.rules.ast import And, Condition, MacroReference, Not, Or
from falcotrace.rules.check_parser import parse_check_tail, parse_operand
from falcotrace.rules.faults import Fault
from falcotrace.rules.lexer import IDENTIFIER, NOT_AND_BLANK, Lexer

# DIFFERS: Falco counts calls in its parser, about five for each parenthesis; we count parentheses.
MAX_NESTING = 1_000
"""Falco's engine sets the same (falco 13074749 rule_loader_compiler.cpp, parse_condition)."""


@dataclasses.dataclass(slots=True)
class _Group:
    """What has been read since an opening parenthesis (or the beginning)."""

    open_at: int
    start: int
    alternatives: list[Condition] = dataclasses.field(default_factory=list)
    terms: list[Condition] = dataclasses.field(default_factory=list)
    negation_at: int | None = None
    term_at: int = 0


def parse_condition(source: Source) -> Condition:
    """Parse a condition.

    Raises:
        Fault: not a condition; the span shows where.

    Example:
        >>> from falcotrace.rules.source import TextSource
        >>> from falcotrace.rules.printer import print_condition
        >>> print_condition(parse_condition(TextSource("", "a or not b and proc.name=x")))
        '(a or (not b and proc.name = x))'
    """
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: Source) -> None:
        self._lexer = Lexer(source)
        self._groups = [_Group(-1, 0)]

    def parse(self) -> Condition:
        while True:
            self._read_negations()
            if self._lexer.accept("("):
                self._open_group()
                continue
            node = self._read_check()
            done = self._take_term(node)
            if done is not None:
                return done

    def _read_negations(self) -> None:
        lexer, group = self._lexer, self._groups[-1]
        lexer.skip_blanks()
        group.term_at = lexer.position
        group.negation_at = None
        while True:
            start = lexer.position
            if lexer.accept_match(NOT_AND_BLANK) is None:
                if not lexer.text.startswith("not(", start):
                    return
                lexer.position += len("not")
            group.negation_at = start if group.negation_at is None else None

    def _open_group(self) -> None:
        position = self._lexer.position
        self._groups.append(_Group(position - 1, position))
        if len(self._groups) > MAX_NESTING + 1:
            span = Span(self._lexer.source, position - 1, position)
            raise Fault(f"conditions may nest {MAX_NESTING:,} levels deep, not more", span)

    def _read_check(self) -> Condition:
        lexer = self._lexer
        lexer.skip_blanks()
        start = lexer.position
        operand = parse_operand(lexer)
        if operand is not None:
            return parse_check_tail(lexer, operand)
        name = lexer.accept_match(IDENTIFIER)
        if name is not None:
            return MacroReference(name, lexer.span_from(start))
        raise Fault(
            f"expected a field, a macro or `(`, found {lexer.describe_here()}",
            lexer.here(),
            help_text=self._explain_missing_check(),
        )

    def _explain_missing_check(self) -> str | None:
        group = self._groups[-1]
        if self._lexer.text[self._lexer.position :].strip(" \t\b\r\n"):
            return None
        if group.open_at >= 0:
            location = Span(self._lexer.source, group.open_at, group.open_at + 1).locate()
            return f"the `(` at line {location.line}, column {location.column} is not closed"
        return None

    def _take_term(self, node: Condition) -> Condition | None:
        """Add a term to its group; close groups; return the whole condition at the end."""
        lexer = self._lexer
        while True:
            group = self._groups[-1]
            if group.negation_at is not None:
                node = Not(node, lexer.span_from(group.negation_at))
            group.terms.append(node)
            end = lexer.position
            lexer.skip_blanks()
            if lexer.accept("and"):
                self._require_separator("and")
                return None
            if lexer.accept("or"):
                self._require_separator("or")
                self._close_terms(group, end)
                return None
            if len(self._groups) > 1:
                self._require_closing(group)
                self._close_terms(group, end)
                node = self._finish(group, end)
                self._groups.pop()
                continue
            if lexer.position < len(lexer.text):
                raise self._unexpected()
            self._close_terms(group, end)
            return self._finish(group, end)

    def _require_separator(self, word: str) -> None:
        text, position = self._lexer.text, self._lexer.position
        if position < len(text) and text[position] not in " \t\b\r\n(":
            span = Span(self._lexer.source, position - len(word), self._lexer.here().end)
            raise Fault(f"expected a blank or `(` after `{word}`", span)

    def _require_closing(self, group: _Group) -> None:
        if self._lexer.accept(")"):
            return
        if self._lexer.position >= len(self._lexer.text):
            span = Span(self._lexer.source, group.open_at, group.open_at + 1)
            raise Fault("this `(` is never closed", span)
        raise self._unexpected()

    def _unexpected(self) -> Fault:
        lexer = self._lexer
        found = lexer.describe_here()
        help_text = None
        if found == "`)`":
            help_text = "no `(` is open here"
        elif lexer.here().text.lower() in {"and", "or", "not"}:
            help_text = "`and`, `or` and `not` are written in lower case"
        elif lexer.here().text.startswith("#"):
            help_text = "there are no comments in conditions"
        return Fault(
            f"expected `and`, `or` or the end, found {found}", lexer.here(), help_text=help_text
        )

    def _close_terms(self, group: _Group, end: int) -> None:
        """Join the terms read since the last `or`."""
        terms = group.terms
        group.terms = []
        if len(terms) == 1:
            group.alternatives.append(terms[0])
            return
        span = Span(self._lexer.source, _start_of(terms[0]), end)
        group.alternatives.append(And(tuple(terms), span))

    def _finish(self, group: _Group, end: int) -> Condition:
        if len(group.alternatives) == 1:
            return group.alternatives[0]
        span = Span(self._lexer.source, _start_of(group.alternatives[0]), end)
        return Or(tuple(group.alternatives), span)


def _start_of(node: Condition) -> int:
    return node.span.start
