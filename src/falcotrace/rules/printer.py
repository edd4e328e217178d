r"""Syntax tree to text.

`print_condition` gives the form in which Falco's engine prints conditions: groups in parentheses,
lists separated by comma and blank, values in quotes where they contain a blank, a quote or a
backslash. That form loses something (`a,b` and the empty text come out bare), so `print_parseable`
quotes whatever would not be read back as the same value.

Source: libs 48dfd53c userspace/libsinsp/filter/ast.cpp (as_string) and escaping.cpp (escape_str).
"""

from collections.abc import Callable
from typing import assert_never

from falcotrace.events.text import to_bytes
from falcotrace.rules.ast import (
    And,
    Check,
    Condition,
    FieldExpression,
    Literal,
    LiteralList,
    MacroReference,
    Not,
    Operand,
    Or,
    Transformer,
    TransformerArgument,
)
from falcotrace.rules.lexer import BARE_ARGUMENT, BARE_TEXT, NUMBER

_ESCAPES = {
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
    '"': '\\"',
}
_QUOTED_BY_FALCO = frozenset(" '").union(_ESCAPES)
_TRANSLATION = str.maketrans(_ESCAPES)
_AMBIGUOUS = frozenset({"anyof", "allof", "oneof"})


def print_condition(condition: Condition) -> str:
    """Return the text of a condition as Falco's engine prints it."""
    return _print(condition, _print_value_as_falco)


def print_parseable(condition: Condition) -> str:
    """Return a text of a condition that parses to an equal tree."""
    return _print(condition, print_value)


def print_operand(operand: Operand) -> str:
    """Return the text of a field or a function."""
    match operand:
        case FieldExpression():
            return operand.name + _print_bracket(operand.argument)
        case Transformer():
            arguments = ", ".join(_print_argument(item) for item in operand.arguments)
            return f"{operand.function}({arguments}){_print_bracket(operand.argument)}"
        case _:
            assert_never(operand)


def print_value(text: str) -> str:
    """Return a value as a condition spells it, in quotes only where it needs them.

    Example:
        >>> print_value("a"), print_value("a b"), print_value("")
        ('a', '"a b"', '""')
    """
    bare = BARE_TEXT.fullmatch(text) is not None and text.isprintable()
    return text if bare and text not in _AMBIGUOUS and "(" not in text else _quote(text)


def _print(condition: Condition, value: Callable[[str], str]) -> str:
    parts: list[str] = []
    pending: list[Condition | str] = [condition]
    while pending:
        node = pending.pop()
        match node:
            case str():
                parts.append(node)
            case Check():
                parts.append(_print_check(node, value))
            case MacroReference(name=name):
                parts.append(name)
            case Not(child=child):
                parts.append("not ")
                pending.append(child)
            case And(children=children) | Or(children=children):
                word = " and " if isinstance(node, And) else " or "
                pending.append(")")
                for child in reversed(children[1:]):
                    pending += [child, word]
                pending += [children[0], "("]
            case _:
                assert_never(node)
    return "".join(parts)


def _print_check(check: Check, value: Callable[[str], str]) -> str:
    parts = [print_operand(check.left), check.spelling]
    if check.quantifier is not None:
        parts.append(check.quantifier)
    if check.right is not None:
        parts.append(print_operand(check.right))
    elif check.operator in {"in", "intersects", "pmatch"} or check.quantifier is not None:
        values = ", ".join(value(item.text) for item in check.values)
        parts.append(values if check.bare_list else f"({values})")
    elif check.operator in {"<", "<=", ">", ">="}:
        parts.append(check.values[0].text)
    elif check.values:
        parts.append(value(check.values[0].text))
    return " ".join(parts)


def _print_value_as_falco(text: str) -> str:
    if _QUOTED_BY_FALCO.isdisjoint(text):
        return text
    return f'"{text.translate(_TRANSLATION)}"'


def _quote(text: str) -> str:
    if not text.isprintable():
        return '"' + "".join(map(_spell_char, text)) + '"'
    quoted = text.translate(_TRANSLATION)
    if quoted.endswith("\\"):
        # Behind a backslash a quote never closes: only the hexadecimal escape can stand here.
        quoted = quoted[:-2] + "\\x5c"
    return f'"{quoted}"'


def _spell_char(char: str) -> str:
    if char.isprintable() and char not in _ESCAPES:
        return char
    return "".join(f"\\x{byte:02x}" for byte in to_bytes(char))


def _print_argument(argument: TransformerArgument) -> str:
    match argument:
        case Literal(text=text, quoted=quoted):
            return text if not quoted and NUMBER.fullmatch(text) else _quote(text)
        case LiteralList(items=items):
            return "(" + ", ".join(_print_argument(item) for item in items) + ")"
        case FieldExpression() | Transformer():
            return print_operand(argument)
        case _:
            assert_never(argument)


def _print_bracket(argument: str | None) -> str:
    if argument is None:
        return ""
    bare = BARE_ARGUMENT.fullmatch(argument) is not None and argument.isprintable()
    return f"[{argument}]" if bare else f"[{_quote(argument)}]"
