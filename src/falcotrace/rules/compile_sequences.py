"""Items of `count` and `sequence` compiled: fields looked up, conditions of steps compiled.

In: an item, and the compiler of the rule's conditions. Out: the model that engines read.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from falcotrace.errors import Context, Span
from falcotrace.events.fields import FieldType
from falcotrace.events.operators import Multiplicity, ValueKind, kind_of
from falcotrace.rules.check_parser import parse_operand
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.field_reference import find_field, is_field
from falcotrace.rules.items import (
    Chain,
    CorrelationItem,
    CountItem,
    KeyItem,
    SequenceItem,
    StepItem,
)
from falcotrace.rules.lexer import Lexer
from falcotrace.rules.operands import build_operand
from falcotrace.rules.plan import Operand, iter_fields
from falcotrace.rules.sequences import Correlation, Count, Key, KeyValue, Sequence, Step

StepCompiler = Callable[[StepItem, int, Key], Step]
"""Compiles the condition of a step, by its number in the rule."""

_NAMES: Mapping[str, tuple[tuple[str, bool], ...]] = MappingProxyType(
    {
        "process": (("proc.pid", False), ("proc.pid.ts", True)),
        "user": (("user.uid", False),),
        "container": (("container.id", True),),
        "host": (),
    }
)
"""Names that stand for fields, and whether one may be missing. A pid alone comes back."""

_COMPARABLE = frozenset({ValueKind.TEXT, ValueKind.NUMBER, ValueKind.BOOL, ValueKind.ADDRESS})
_INEXACT = frozenset({FieldType.DOUBLE, FieldType.MIXED})


def compile_correlation(
    item: CorrelationItem | None, compile_step: StepCompiler
) -> Correlation | None:
    """Compile what a rule says about several events.

    Raises:
        Fault: a field does not exist, cannot be compared, or a step's condition cannot be used.
    """
    if item is None:
        return None
    chain = item.chain
    values = {key.name.text: _values(key, chain) for key in item.keys}
    key = _joined(values)
    text = ", ".join(_print_key(one) for one in item.keys)
    if isinstance(item, CountItem):
        distinct = None if item.distinct is None else _operand(item.distinct, chain)
        return Count(item.at_least, distinct, key, text, item.within_ns)
    return _sequence(item, values, text, compile_step)


def _sequence(
    item: SequenceItem, values: Mapping[str, Key], text: str, compile_step: StepCompiler
) -> Sequence:
    compiled: list[tuple[Step, ...]] = []
    number = 0
    for steps in (item.after, item.without, item.unless_followed_by):
        built: list[Step] = []
        for step in steps:
            number += 1
            built.append(compile_step(step, number, _joined(_rebound(values, step))))
        compiled.append(tuple(built))
    return Sequence(_joined(values), text, item.within_ns, *compiled)


def _joined(values: Mapping[str, Key]) -> Key:
    return tuple(value for key in values.values() for value in key)


def _values(item: KeyItem, chain: Chain) -> Key:
    """The values that an entry of `by` stands for."""
    name = item.name.text
    if item.field is not None:
        if name in _NAMES or is_field(name):
            message = f"`{name}` has a meaning already"
            raise _fail(message, item.name, chain, "choose a name of your own for the key")
        return (KeyValue(_operand(item.field, chain)),)
    if name in _NAMES:
        return tuple(
            KeyValue(find_field(field, None), is_optional, is_birth=field == "proc.pid.ts")
            for field, is_optional in _NAMES[name]
        )
    try:
        return (KeyValue(_operand(item.name, chain)),)
    except Fault as fault:
        fault.help = fault.help or suggest(name, _NAMES)
        raise


def _rebound(values: Mapping[str, Key], step: StepItem) -> Mapping[str, Key]:
    """The keys as a step reads them."""
    own = dict(values)
    for item in step.keys:
        name = item.name.text
        if name not in values:
            known = ", ".join(f"`{key}`" for key in values)
            help_text = suggest(name, values) or f"its keys are {known}"
            raise _fail(f"the rule has no key `{name}`", item.name, step.chain, help_text)
        if len(values[name]) != 1:
            help_text = "give the rule a key of its own, such as {parent: proc.pid}"
            message = f"`{name}` is not a single field that a step could read elsewhere"
            raise _fail(message, item.name, step.chain, help_text)
        assert item.field is not None
        operand = _operand(item.field, step.chain)
        (before,) = values[name]
        if kind_of(operand.type) is not kind_of(before.operand.type):
            message = (
                f"`{operand.text}` is a {kind_of(operand.type)} and `{before.operand.text}` a "
                f"{kind_of(before.operand.type)}: they are never equal"
            )
            raise _fail(message, item.field, step.chain)
        own[name] = (KeyValue(operand, before.is_optional),)
    return own


def _operand(text: Span, chain: Chain) -> Operand:
    """A field, or a function of fields, that has one value that can be compared."""
    try:
        operand = _parse_operand(text)
    except Fault as fault:
        fault.code = fault.code or LoadCode.ERR_VALIDATE
        fault.chain = fault.chain or chain
        raise
    if operand.multiplicity is not Multiplicity.SINGLE:
        message = f"`{operand.text}` has several values, and a key needs one"
        help_text = "one of them, such as proc.aname[2]; fd.cip or fd.sip instead of fd.ip"
        raise _fail(message, text, chain, help_text)
    if not _is_comparable(operand):
        raise _fail(f"`{operand.text}` cannot be compared between events", text, chain)
    return operand


def _parse_operand(text: Span) -> Operand:
    lexer = Lexer(text.source)
    lexer.skip_blanks()
    expression = parse_operand(lexer)
    lexer.skip_blanks()
    if expression is None or lexer.position < len(lexer.text):
        raise Fault(f"`{text.text}` is no field", text)
    return build_operand(expression)


def _is_comparable(operand: Operand) -> bool:
    only_asked = any(field.field.usable_in == "filter" for field in iter_fields(operand))
    is_exact = operand.type not in _INEXACT
    return kind_of(operand.type) in _COMPARABLE and is_exact and not only_asked


def _print_key(item: KeyItem) -> str:
    return item.name.text if item.field is None else f"{item.name.text} ({item.field.text})"


def _fail(message: str, span: Span, chain: Chain, help_text: str | None = None) -> Fault:
    return Fault(message, span, code=LoadCode.ERR_VALIDATE, chain=chain, help_text=help_text)


def step_chain(item: StepItem) -> Chain:
    """The chain of items that leads to the condition of a step."""
    return (*item.chain, Context(ItemKind.CONDITION, span=item.condition))
