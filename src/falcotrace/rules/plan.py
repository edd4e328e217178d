"""The plan: rules ready for an engine, with every name resolved and every value converted.

`check` and `event_set` make it, the engines read it; it is closed (no macro, no list, no YAML is
left) and independent of any engine. Meaning: `falcotrace.events.operators`. A missing value makes
an atom false, whatever its operator. What a rule keeps of how it was written (`written`) is for
display alone.

Equal atoms of different rules are the same object, so an engine may keep results by atom. Hashes
are computed once, bottom up: neither hashing nor `fold_formula` recurses, however deep a condition
is.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeVar, assert_never

from falcotrace.errors import Span
from falcotrace.events.fields import Field, FieldType
from falcotrace.events.operators import Multiplicity, Operator, Quantifier
from falcotrace.rules.ast import Transform
from falcotrace.rules.left_out import LeftOut
from falcotrace.rules.raw_arguments import raw_argument_types
from falcotrace.rules.sequences import Correlation
from falcotrace.rules.written import WrittenCondition

Value = str | int | bool | float | bytes | IPv4Address | IPv6Address | IPv4Network | IPv6Network
"""A converted literal. Texts (CHARBUF, FSPATH ..) are in the form of `events.text.to_text`."""


class Priority(enum.IntEnum):
    """How severe a rule is; lower is more severe. `title()` is Falco's spelling."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7

    @property
    def title(self) -> str:
        """The name as alerts print it: `Informational`."""
        return self.name.capitalize()


@dataclasses.dataclass(frozen=True, slots=True)
class FieldOperand:
    """A field, its argument, and how many values it stands for.

    Args:
        field: the row of the table of fields.
        argument: None, an index (`proc.aname[2]`, `evt.arg[0]`) or a name (`evt.arg.flags`).
        multiplicity: how a check combines several values.
        text: the reference as the rule spells it, `evt.arg.flags`; not part of equality.
    """

    field: Field
    argument: str | int | None
    multiplicity: Multiplicity
    text: str = dataclasses.field(compare=False)

    @property
    def type(self) -> FieldType:
        """The type of one value; for `evt.rawarg.NAME` that of the argument."""
        if self.field.type is FieldType.DYNAMIC:
            return raw_argument_types().get(str(self.argument), FieldType.MIXED)
        return self.field.type


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """A literal among the arguments of a transformer."""

    value: Value

    @property
    def text(self) -> str:
        """The value as rules spell it."""
        return str(self.value)


@dataclasses.dataclass(frozen=True, slots=True)
class ListOperand:
    """A parenthesised list among the arguments of a transformer."""

    items: "tuple[Operand | Constant, ...]"


@dataclasses.dataclass(frozen=True, slots=True)
class TransformOperand:
    """A function of other operands; no value if one of its inputs has none.

    Args:
        function: what is computed; `val` never occurs, it is the operand itself.
        arguments: in the order written.
        argument: the text in brackets behind `getopt(..)`.
        type: the type of one value of the result.
        multiplicity: SINGLE or LIST.
        text: canonical spelling; not part of equality.
    """

    function: Transform
    arguments: "tuple[Operand | Constant | ListOperand, ...]"
    argument: str | None
    type: FieldType
    multiplicity: Multiplicity
    text: str = dataclasses.field(compare=False)


Operand = FieldOperand | TransformOperand
"""What a check or a template reads."""


@dataclasses.dataclass(frozen=True, slots=True)
class Atom:
    """One check: an operand, an operator, and constants or a second operand.

    Args:
        left: what is asked.
        operator: `==` has become `=`.
        quantifier: how several values combine behind a text operator (`startswith anyof (..)`).
        values: converted to the type of `left`; one for `=`, `<` .., any number for `in`,
            `intersects`, `pmatch` and quantified operators, none for `exists` or with `right`.
        right: the right-hand operand, or None.
    """

    left: Operand
    operator: Operator
    quantifier: Quantifier | None
    values: tuple[Value, ...]
    right: Operand | None
    _hash: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        key = (self.left, self.operator, self.quantifier, self.values, self.right)
        object.__setattr__(self, "_hash", hash(key))

    def __hash__(self) -> int:
        return self._hash


@dataclasses.dataclass(frozen=True, slots=True)
class AllOf:
    """Every child holds; at least two, none of them an AllOf."""

    children: "tuple[Formula, ...]"
    _hash: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((AllOf, self.children)))

    def __hash__(self) -> int:
        return self._hash


@dataclasses.dataclass(frozen=True, slots=True)
class AnyOf:
    """Some child holds; at least two, none of them an AnyOf."""

    children: "tuple[Formula, ...]"
    _hash: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((AnyOf, self.children)))

    def __hash__(self) -> int:
        return self._hash


@dataclasses.dataclass(frozen=True, slots=True)
class NotOf:
    """The child does not hold; the child is never a NotOf."""

    child: "Formula"
    _hash: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((NotOf, self.child)))

    def __hash__(self) -> int:
        return self._hash


Formula = AllOf | AnyOf | NotOf | Atom
"""A condition over atoms. Two-valued: an atom is true or false, never unknown."""


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateField:
    """A token of an output template.

    Args:
        operand: what is printed; `<NA>` if it has no value.
        width: pad with blanks on the right, or cut, to this many bytes; None leaves it as it is.
        text: the token as written without `%` and width; the key of Falco's `output_fields`.
    """

    operand: Operand
    width: int | None
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """An output text: literal parts and tokens in turn.

    Args:
        parts: in order.
        text: the template as written, trimmed.
        prints_missing: print `<NA>` for a missing value (always so for rules); otherwise one
            missing value suppresses the whole line.
    """

    parts: tuple[str | TemplateField, ...]
    text: str
    prints_missing: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class RuleException:
    """An exception of a rule, for display: the condition contains it already.

    Args:
        name: what values are appended to.
        fields: operands as written.
        comparisons: one for each field.
        value_count: how many values it has.
        is_tuple: each value is a tuple, one element for each field; otherwise all values belong to
            the one field.
    """

    name: str
    fields: tuple[str, ...]
    comparisons: tuple[str, ...]
    value_count: int
    is_tuple: bool = True


CONDITION_NAME = "<condition>"
"""The name of a condition that stands in no rule, as a rule and in messages."""


@dataclasses.dataclass(frozen=True, slots=True)
class RulePlan:
    """One rule, ready to run.

    Args:
        name: unique among the rules.
        index: the place in the order of first definition, from 0; decides which rule fires first.
        source: `syscall`, or the name of another event source.
        priority: how severe an alert of the rule is.
        tags: sorted.
        enabled: False for a rule that is checked but not run (disabled, deselected, or below the
            minimum priority).
        description: the text of `desc`.
        condition: the formula over atoms.
        condition_text: Falco's canonical printing of the resolved condition.
        event_names: the event types that the rule is tried on, as `evt.type` shows them; plain
            system call names stand for the generic event. None: every event. Empty: never true.
        event_code_count: how many of Falco's event codes that is, before the asynchronous event is
            added.
        output: the template of the alert's text.
        condition_fields: every field that the condition reads, once each.
        output_fields: every field that the output reads, once each.
        exceptions: names and fields of the rule's exceptions.
        capture: the rule asks for a capture around the alert; metadata only.
        capture_duration_ms: 0 is the configured default.
        span: where the rule begins.
        written: the condition before macros were replaced; None for rules of another front end.
        correlation: what the rule says about events around that of its condition; None of most.
    """

    name: str
    index: int
    source: str
    priority: Priority
    tags: tuple[str, ...]
    enabled: bool
    description: str
    condition: Formula
    condition_text: str
    event_names: frozenset[str] | None
    event_code_count: int
    output: Template
    condition_fields: tuple[FieldOperand, ...]
    output_fields: tuple[FieldOperand, ...]
    exceptions: tuple[RuleException, ...]
    capture: bool
    capture_duration_ms: int
    span: Span | None = dataclasses.field(default=None, compare=False, repr=False)
    written: WrittenCondition | None = dataclasses.field(default=None, compare=False, repr=False)
    correlation: Correlation | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """All rules of a rule set in the order in which they are tried.

    Args:
        rules: in order of first definition; disabled ones included.
        left_out: what could not be said in Falco's language.
    """

    rules: tuple[RulePlan, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def enabled(self) -> tuple[RulePlan, ...]:
        """The rules to run, in order."""
        return tuple(rule for rule in self.rules if rule.enabled)

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The distinct atoms of the enabled rules, in order of first use."""
        seen: dict[Atom, None] = {}
        for rule in self.enabled:
            seen.update(dict.fromkeys(iter_atoms(rule.condition)))
        return tuple(seen)


T = TypeVar("T")


def fold_formula(
    formula: Formula,
    atom: Callable[[Atom], T],
    all_of: Callable[[list[T]], T],
    any_of: Callable[[list[T]], T],
    not_of: Callable[[T], T],
) -> T:
    """Compute something bottom up, without recursion."""
    results: list[T] = []
    pending: list[tuple[Formula, bool]] = [(formula, False)]
    while pending:
        node, children_done = pending.pop()
        match node:
            case Atom():
                results.append(atom(node))
            case NotOf(child=child):
                if children_done:
                    results.append(not_of(results.pop()))
                else:
                    pending += [(node, True), (child, False)]
            case AllOf(children=children) | AnyOf(children=children):
                if children_done:
                    parts = results[-len(children) :]
                    del results[-len(children) :]
                    results.append(all_of(parts) if isinstance(node, AllOf) else any_of(parts))
                else:
                    pending.append((node, True))
                    pending += [(child, False) for child in reversed(children)]
            case _:
                assert_never(node)
    return results.pop()


def iter_atoms(formula: Formula) -> Iterator[Atom]:
    """Yield the atoms of a formula from left to right, repeated ones each time."""
    pending: list[Formula] = [formula]
    while pending:
        node = pending.pop()
        match node:
            case Atom():
                yield node
            case NotOf(child=child):
                pending.append(child)
            case AllOf(children=children) | AnyOf(children=children):
                pending.extend(reversed(children))
            case _:
                assert_never(node)


def iter_fields(operand: Operand | Constant | ListOperand) -> Iterator[FieldOperand]:
    """Yield the fields that an operand reads, from left to right."""
    match operand:
        case FieldOperand():
            yield operand
        case TransformOperand(arguments=arguments):
            for argument in arguments:
                yield from iter_fields(argument)
        case ListOperand(items=items):
            for item in items:
                yield from iter_fields(item)
        case Constant():
            return
        case _:
            assert_never(operand)
