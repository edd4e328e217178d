"""The checks inside a condition: operands, operators and values.

    operand = field [ "[" argument "]" ] | call [ "[" argument "]" ] ;
    call    = function "(" argument { "," argument } ")" ;
    tail    = "exists"
            | ("<" | "<=" | ">" | ">=") ( number | right )
            | ("=" | "==" | "!=" | word) ( value | right | quantifier list )
            | ("in" | "intersects" | "pmatch") ( list | identifier | right ) ;
    right   = "val" "(" field ")" | call ;

Called by `parser`, which owns `and`, `or`, `not` and parentheses. Nothing is looked up here.

Source: libs 48dfd53c userspace/libsinsp/filter/parser.cpp, parse_condition and below.
"""

import dataclasses
import re

from falcotrace.errors import Span
from falcotrace.events.operators import Operator, Quantifier
from falcotrace.rules.ast import (
    Check,
    FieldExpression,
    Literal,
    LiteralList,
    Operand,
    Transform,
    Transformer,
    TransformerArgument,
)
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.lexer import FIELD_NAME, IDENTIFIER, Lexer

MAX_FUNCTION_NESTING = 50

_FUNCTIONS = "|".join(name for name in Transform if name is not Transform.VAL)
_FUNCTION = re.compile(rf"({_FUNCTIONS})\(")
_NUMERIC = re.compile(r"<=|<|>=|>")
_TEXTUAL = re.compile(
    r"==|=|!=|(?:glob|iglob|contains|icontains|bcontains|startswith|bstartswith|endswith|regex)"
    r"(?=[ \t\b\r\n])"
)
_LISTING = re.compile(r"intersects|in|pmatch")
_QUANTIFIER = re.compile(r"(oneof|anyof|allof)(?=[ \t\b\r\n(])")
_WORD_OPERATORS = tuple(operator for operator in Operator if operator.isalpha())


def parse_operand(lexer: Lexer) -> Operand | None:
    """Take a field or a function call, if one is here."""
    return _accept_field(lexer) or accept_function(lexer)


def parse_check_tail(lexer: Lexer, left: Operand) -> Check:
    """Take the operator and the values behind an operand.

    Raises:
        Fault: no operator, or not the values that it needs.
    """
    lexer.skip_blanks()
    start = lexer.position
    if lexer.accept("exists"):
        return _check(lexer, left, "exists", start)
    spelling = lexer.accept_match(_NUMERIC)
    if spelling is not None:
        return _read_numeric(lexer, left, spelling, start)
    spelling = lexer.accept_match(_TEXTUAL)
    if spelling is not None:
        return _read_textual(lexer, left, spelling, start)
    spelling = lexer.accept_match(_LISTING)
    if spelling is not None:
        return _read_listing(lexer, left, spelling, start)
    raise _missing_operator(lexer, left)


def _check(
    lexer: Lexer,
    left: Operand,
    spelling: str,
    operator_at: int,
    values: tuple[Literal, ...] = (),
    right: Operand | None = None,
) -> Check:
    operator = Operator.EQUAL if spelling == "==" else Operator(spelling)
    return Check(
        left,
        operator,
        None,
        values,
        right,
        span=lexer.span_from(left.span.start),
        operator_span=Span(lexer.source, operator_at, operator_at + len(spelling)),
        spelling=spelling,
    )


def _read_numeric(lexer: Lexer, left: Operand, spelling: str, start: int) -> Check:
    right = _accept_right(lexer)
    if right is not None:
        return _check(lexer, left, spelling, start, right=right)
    number = lexer.accept_number()
    if number is None:
        raise Fault(
            f"`{spelling}` needs a number, found {lexer.describe_here()}",
            lexer.here(),
            help_text=f"`{spelling} val(other.field)` compares with a field",
        )
    return _check(lexer, left, spelling, start, (number,))


def _read_textual(lexer: Lexer, left: Operand, spelling: str, start: int) -> Check:
    lexer.skip_blanks()
    quantifier = _accept_quantifier(lexer)
    if quantifier is not None:
        return _read_quantified(lexer, left, spelling, start, quantifier)
    right = _accept_right(lexer)
    if right is not None:
        return _check(lexer, left, spelling, start, right=right)
    value = lexer.accept_value()
    if value is None:
        help_text = None
        if lexer.text.startswith("(", lexer.position):
            help_text = f"for several values write `in (..)` or `{spelling} anyof (..)`"
        message = f"`{spelling}` needs a value, found {lexer.describe_here()}"
        raise Fault(message, lexer.here(), help_text=help_text)
    return _check(lexer, left, spelling, start, (value,))


def _read_quantified(
    lexer: Lexer, left: Operand, spelling: str, start: int, quantifier: Quantifier
) -> Check:
    values = _accept_list(lexer)
    single = None if values is not None else _accept_single(lexer)
    if values is None and single is None:
        message = f"`{spelling} {quantifier}` needs a list, found {lexer.describe_here()}"
        raise Fault(message, lexer.here(), help_text="write it as (a, b)")
    check = _check(lexer, left, spelling, start, tuple(values or single or ()))
    return dataclasses.replace(check, quantifier=quantifier, bare_list=single is not None)


def _read_listing(lexer: Lexer, left: Operand, spelling: str, start: int) -> Check:
    lexer.skip_blanks()
    values = _accept_list(lexer)
    if values is not None:
        return _check(lexer, left, spelling, start, tuple(values))
    right = _accept_right(lexer)
    if right is not None:
        return _check(lexer, left, spelling, start, right=right)
    values = _accept_single(lexer)
    if values is None:
        message = f"`{spelling}` needs a list, found {lexer.describe_here()}"
        raise Fault(message, lexer.here(), help_text=f"write it as {spelling} (a, b)")
    check = _check(lexer, left, spelling, start, tuple(values))
    return dataclasses.replace(check, bare_list=True)


def _accept_quantifier(lexer: Lexer) -> Quantifier | None:
    """Take `anyof` and its like, unless it is a value: `proc.name = anyof and ..`."""
    start = lexer.position
    word = lexer.accept_match(_QUANTIFIER)
    if word is None:
        return None
    lexer.skip_blanks()
    follows = IDENTIFIER.match(lexer.text, lexer.position)
    if lexer.text.startswith("(", lexer.position) or (
        follows is not None and follows.group() not in {"and", "or"}
    ):
        return Quantifier(word)
    lexer.position = start
    return None


def _accept_list(lexer: Lexer) -> list[Literal] | None:
    start = lexer.position
    if not lexer.accept("("):
        return None
    values: list[Literal] = []
    lexer.skip_blanks()
    value = lexer.accept_value()
    while value is not None:
        values.append(value)
        lexer.skip_blanks()
        if not lexer.accept(","):
            break
        lexer.skip_blanks()
        value = lexer.accept_value()
        if value is None:
            message = f"expected a value after `,`, found {lexer.describe_here()}"
            raise Fault(message, lexer.here())
    if lexer.accept(")"):
        return values
    if lexer.position >= len(lexer.text):
        raise Fault("this `(` is never closed", Span(lexer.source, start, start + 1))
    message = f"expected `,` or `)` in a list, found {lexer.describe_here()}"
    raise Fault(
        message, lexer.here(), help_text="a value with blanks, `=` or brackets needs quotes"
    )


def _accept_single(lexer: Lexer) -> list[Literal] | None:
    """Take one identifier as a list of one: `in nginx`."""
    start = lexer.position
    name = lexer.accept_match(IDENTIFIER)
    return None if name is None else [Literal(name, lexer.span_from(start))]


def _accept_right(lexer: Lexer) -> Operand | None:
    lexer.skip_blanks()
    start = lexer.position
    if not lexer.accept("val("):
        return accept_function(lexer)
    lexer.skip_blanks()
    field = _accept_field(lexer)
    if field is None:
        message = f"`val` needs a field, found {lexer.describe_here()}"
        help_text = "functions such as `tolower(..)` stand on the right without `val`"
        raise Fault(message, lexer.here(), help_text=help_text)
    _require_closing(lexer, "val", start)
    return Transformer(Transform.VAL, (field,), None, lexer.span_from(start))


def _accept_field(lexer: Lexer) -> FieldExpression | None:
    start = lexer.position
    name = lexer.accept_match(FIELD_NAME)
    if name is None:
        return None
    return FieldExpression(name, accept_bracket(lexer), lexer.span_from(start))


def accept_bracket(lexer: Lexer) -> str | None:
    """Take an argument in brackets, if one is here."""
    start = lexer.position
    if not lexer.accept("["):
        return None
    argument = lexer.accept_argument()
    if argument is None:
        message = f"expected an argument after `[`, found {lexer.describe_here()}"
        raise Fault(message, lexer.here())
    if not lexer.accept("]"):
        raise Fault("this `[` is never closed", Span(lexer.source, start, start + 1))
    return argument


def accept_function(lexer: Lexer, depth: int = 0) -> Transformer | None:
    """Take a call such as `tolower(proc.name)`, if one is here."""
    start = lexer.position
    opening = lexer.accept_match(_FUNCTION)
    if opening is None:
        return None
    if depth > MAX_FUNCTION_NESTING:
        raise Fault(
            f"functions may nest {MAX_FUNCTION_NESTING} levels deep", lexer.span_from(start)
        )
    function = Transform(opening[:-1])
    arguments = _read_arguments(lexer, function, depth)
    _require_closing(lexer, function, start)
    bracket_at = lexer.position
    argument = accept_bracket(lexer)
    if argument is not None and function is not Transform.GETOPT:
        message = f"only `getopt(..)` takes an argument in brackets, not `{function}`"
        raise Fault(message, lexer.span_from(bracket_at))
    return Transformer(function, arguments, argument, lexer.span_from(start))


def _read_arguments(
    lexer: Lexer, function: Transform, depth: int
) -> tuple[TransformerArgument, ...]:
    arguments = [_read_argument(lexer, function, depth)]
    lexer.skip_blanks()
    while lexer.accept(","):
        arguments.append(_read_argument(lexer, function, depth))
        lexer.skip_blanks()
    return tuple(arguments)


def _read_argument(lexer: Lexer, function: Transform, depth: int) -> TransformerArgument:
    lexer.skip_blanks()
    start = lexer.position
    if lexer.accept("("):
        if depth > MAX_FUNCTION_NESTING:
            message = f"functions may nest {MAX_FUNCTION_NESTING} levels deep"
            raise Fault(message, lexer.span_from(start))
        items = _read_arguments(lexer, function, depth + 1)
        _require_closing(lexer, function, start)
        return LiteralList(items, lexer.span_from(start))
    argument = (
        accept_function(lexer, depth + 1)
        or _accept_field(lexer)
        or lexer.accept_quoted()
        or lexer.accept_number()
    )
    if argument is None:
        raise Fault(
            f"`{function}` needs a field, a quoted text or a number, found {lexer.describe_here()}",
            lexer.here(),
        )
    return argument


def _require_closing(lexer: Lexer, function: str, start: int) -> None:
    lexer.skip_blanks()
    if lexer.accept(")"):
        return
    if lexer.position >= len(lexer.text):
        opening = lexer.text.index("(", start)
        raise Fault("this `(` is never closed", Span(lexer.source, opening, opening + 1))
    message = f"expected `)` after the arguments of `{function}`, found {lexer.describe_here()}"
    raise Fault(message, lexer.here())


def _missing_operator(lexer: Lexer, left: Operand) -> Fault:
    found = lexer.here().text
    span = left.span if not found or found == ")" else lexer.here()
    help_text = None
    if any(found == word for word in _WORD_OPERATORS):
        help_text = f"`{found}` needs a blank and then a value"
    elif found and found not in {")", "and", "or"}:
        help_text = suggest(found.lower(), _WORD_OPERATORS)
    elif isinstance(left, FieldExpression):
        help_text = f"`{left.span.text} exists` is true when the event has a value"
    message = f"field `{left.span.text}` needs an operator, found {lexer.describe_here()}"
    if not isinstance(left, FieldExpression):
        message = f"`{left.span.text}` needs an operator, found {lexer.describe_here()}"
    return Fault(message, span, help_text=help_text)
