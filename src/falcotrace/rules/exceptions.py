"""Exceptions of rules: checked when they are collected, turned into condition text when compiled.

`fields: [a, b]` with values `[1, 2]` becomes `and not (a = 1 and b = 2)`; `fields: a` with values
`1, 2` becomes `and not a in (1, 2)`. The text is assembled from pieces that remember their places;
it is parsed together with the rule's own condition.

Source: falco 13074749 userspace/engine/rule_loader_collector.cpp, validate_exception_info;
rule_loader_compiler.cpp, build_rule_exception_infos.
"""

import dataclasses
from collections.abc import Sequence

from falcotrace.errors import Source, Span
from falcotrace.events.operators import Operator, Quantifier
from falcotrace.rules.check_parser import parse_operand
from falcotrace.rules.codes import LoadCode
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.items import Chain, Entry, ExceptionItem
from falcotrace.rules.lexer import Lexer
from falcotrace.rules.lists import quote_item
from falcotrace.rules.operands import build_operand
from falcotrace.rules.texts import Piece

_LISTING = frozenset({"in", "intersects", "pmatch"})
_QUANTIFIED = frozenset(
    f"{operator} {quantifier}"
    for operator in ("==", "=", "!=", *(o for o in Operator if o.isalpha()))
    for quantifier in Quantifier
    if operator not in {*_LISTING, "exists"}
)
_COMPARISONS = frozenset({"==", *Operator}) | _QUANTIFIED


@dataclasses.dataclass(frozen=True, slots=True)
class RuleExceptionState:
    """An exception ready to become text.

    Args:
        name: unique by use, not by force.
        fields: operands as written.
        comparisons: one for each field.
        is_tuple: each value is a tuple, one element for each field; otherwise all values belong to
            the one field.
        values: as written.
        chain: what leads here.
    """

    name: Span
    fields: tuple[Span, ...]
    comparisons: tuple[str, ...]
    is_tuple: bool
    values: tuple[Entry, ...]
    chain: Chain


def define_exception(item: ExceptionItem, *, is_checked: bool) -> RuleExceptionState:
    """Check an exception.

    Args:
        item: as written.
        is_checked: whether its fields are looked up; not for rules of unknown sources.

    Raises:
        Fault: fields, comparisons and values do not fit each other.
    """
    if not item.fields:
        raise _fail(item, "needs `fields`")
    if isinstance(item.fields, Span):
        fields: tuple[Span, ...] = (item.fields,)
        comparisons: tuple[str, ...] = (_single_comparison(item),)
    else:
        fields = _texts(item, item.fields, "fields")
        comparisons = _tuple_comparisons(item, len(fields))
    if is_checked:
        for field in fields:
            _check_field(item, field)
    is_tuple = not isinstance(item.fields, Span)
    return RuleExceptionState(item.name, fields, comparisons, is_tuple, item.values, item.chain)


def add_exception(
    states: Sequence[RuleExceptionState], item: ExceptionItem, *, is_checked: bool
) -> list[RuleExceptionState]:
    """Append to the exceptions of a rule: values to a known one, or a new one.

    Raises:
        Fault: a known one with fields or comparisons, a new one without fields or values.
    """
    for index, state in enumerate(states):
        if state.name.text == item.name.text:
            if item.fields or item.comparisons:
                message = "is known already: only values can be appended to it"
                raise _fail(item, message)
            longer = dataclasses.replace(state, values=(*state.values, *item.values))
            return [*states[:index], longer, *states[index + 1 :]]
    if not item.values:
        raise _fail(item, "needs `values`")
    return [*states, define_exception(item, is_checked=is_checked)]


def condition_pieces(condition: Source, exceptions: Sequence[RuleExceptionState]) -> list[Piece]:
    """Return the text of a condition without what its exceptions except.

    Raises:
        Fault: values that do not fit their fields.
    """
    whole = Span(condition, 0, len(condition.text))
    if not exceptions:
        return [Piece.of(whole)]
    pieces = [Piece("(", whole, is_verbatim=False), Piece.of(whole)]
    pieces.append(Piece(")", whole, is_verbatim=False))
    for exception in exceptions:
        if exception.values:
            pieces += _tuple_pieces(exception) if exception.is_tuple else _list_pieces(exception)
    return pieces


def _single_comparison(item: ExceptionItem) -> str:
    if item.comparisons is None:
        return "in"
    if not isinstance(item.comparisons, Span):
        raise _fail(item, "has one field, so `comps` must be one operator")
    comparison = " ".join(item.comparisons.text.split())
    if comparison not in _LISTING | _QUANTIFIED:
        raise _fail(
            item,
            f"has one field, so `{comparison}` must be an operator for lists",
            item.comparisons,
            "in, pmatch, intersects, or one such as `startswith anyof`",
        )
    return comparison


def _tuple_comparisons(item: ExceptionItem, count: int) -> tuple[str, ...]:
    if item.comparisons is None:
        return ("=",) * count
    if isinstance(item.comparisons, Span):
        raise _fail(
            item, "has a sequence of fields, so `comps` must be a sequence", item.comparisons
        )
    comparisons = _texts(item, item.comparisons, "comps")
    if len(comparisons) != count:
        raise _fail(item, f"has {count} fields but {len(comparisons)} comps")
    words: list[str] = []
    for comparison in comparisons:
        word = " ".join(comparison.text.split())
        if word not in _COMPARISONS:
            help_text = suggest(word, _COMPARISONS)
            raise _fail(item, f"has an unknown operator `{word}`", comparison, help_text)
        words.append(word)
    return tuple(words)


def _texts(item: ExceptionItem, entries: Sequence[Entry], key: str) -> tuple[Span, ...]:
    texts = tuple(entry for entry in entries if isinstance(entry, Span))
    if len(texts) != len(entries):
        raise _fail(item, f"has a sequence inside `{key}`")
    return texts


def _check_field(item: ExceptionItem, field: Span) -> None:
    source = field.source
    lexer = Lexer(source)
    lexer.skip_blanks()
    try:
        operand = parse_operand(lexer)
        lexer.skip_blanks()
        if operand is None or lexer.position < len(source.text):
            raise _fail(item, f"has `{field.text}`, which is no field", field)
        build_operand(operand)
    except Fault as fault:
        if fault.chain:
            raise
        raise _fail(item, f"has an unusable field: {fault.message}", field, fault.help) from fault


def _list_pieces(exception: RuleExceptionState) -> list[Piece]:
    """`and not (field in (v1, v2))`."""
    field, comparison = exception.fields[0], exception.comparisons[0]
    pieces = [_glue(" and not (", field), Piece.of(field), _glue(f" {comparison} (", field)]
    for index, value in enumerate(exception.values):
        if not isinstance(value, Span):
            message = "has one field, so `values` must be a flat sequence"
            raise _fail_compile(exception, message)
        if index:
            pieces.append(_glue(", ", value))
        pieces += _value_pieces(value)
    return [*pieces, _glue("))", field)]


def _tuple_pieces(exception: RuleExceptionState) -> list[Piece]:
    """`and not ((f1 = a and f2 = b) or (f1 = c and f2 = d))`."""
    pieces = [_glue(" and not (", exception.name)]
    for index, values in enumerate(exception.values):
        if isinstance(values, Span) or len(values) != len(exception.fields):
            count = len(exception.fields)
            message = f"has {count} fields, so every value must be a sequence of {count}"
            raise _fail_compile(exception, message)
        pieces.append(_glue(" or (" if index else "(", exception.name))
        terms = zip(exception.fields, exception.comparisons, values, strict=True)
        for position, (field, comparison, value) in enumerate(terms):
            if position:
                pieces.append(_glue(" and ", field))
            pieces += [Piece.of(field), _glue(f" {comparison} ", field)]
            pieces += _operand_pieces(value, comparison, field)
        pieces.append(_glue(")", exception.name))
    return [*pieces, _glue(")", exception.name)]


def _operand_pieces(value: Entry, comparison: str, field: Span) -> list[Piece]:
    """One value of a tuple: a text, or a sequence that becomes a list."""
    if isinstance(value, Span):
        takes_list = comparison in _LISTING or comparison in _QUANTIFIED
        if takes_list and not value.text.startswith("("):
            return [_glue("(", value), Piece.of(value), _glue(")", value)]
        return [Piece.of(value)] if takes_list else _value_pieces(value)
    pieces = [_glue("(", field)]
    for index, item in enumerate(value):
        if isinstance(item, Span):
            pieces += [_glue(", ", item)] if index else []
            pieces += _value_pieces(item)
    return [*pieces, _glue(")", field)]


def _value_pieces(value: Span) -> list[Piece]:
    quoted = quote_item(value.text)
    if len(quoted) == len(value.text):
        return [Piece.of(value)]
    return [_glue('"', value), Piece.of(value), _glue('"', value)]


def _glue(text: str, origin: Span) -> Piece:
    return Piece(text, origin, is_verbatim=False)


def _fail(
    item: ExceptionItem, message: str, span: Span | None = None, help_text: str | None = None
) -> Fault:
    return Fault(
        f"exception `{item.name.text}` {message}",
        span or item.name,
        code=LoadCode.ERR_VALIDATE,
        chain=item.chain,
        help_text=help_text,
    )


def _fail_compile(exception: RuleExceptionState, message: str) -> Fault:
    text = f"exception `{exception.name.text}` {message}"
    return Fault(text, exception.name, code=LoadCode.ERR_VALIDATE, chain=exception.chain)
