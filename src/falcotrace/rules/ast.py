"""The tree of a parsed condition, before any name in it was looked up.

The parser makes it, `resolve` replaces macro references, `check` turns it into the formula of a
plan. Nodes are immutable; equality ignores spans, so that a condition equals its canonical printing
parsed again. Nothing here knows which fields exist.
"""

import dataclasses
import enum

from falcotrace.errors import Span
from falcotrace.events.operators import Operator, Quantifier


class Transform(enum.StrEnum):
    """Functions of values, in Falco's spelling."""

    TOLOWER = "tolower"
    TOUPPER = "toupper"
    B64 = "b64"
    BASENAME = "basename"
    LEN = "len"
    JOIN = "join"
    CONCAT = "concat"
    GETOPT = "getopt"
    VAL = "val"


@dataclasses.dataclass(frozen=True, slots=True)
class FieldExpression:
    """A field as written: `proc.aname[2]` has the name `proc.aname` and the argument `2`.

    Args:
        name: everything before the bracket, dotted arguments included (`evt.arg.flags`).
        argument: the text in brackets, unquoted; None without brackets.
    """

    name: str
    argument: str | None
    span: Span = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Literal:
    """A value as written.

    Args:
        text: the value in the form of `falcotrace.events.text.to_text`, quotes and escapes undone.
        quoted: whether it stood in quotes.
    """

    text: str
    span: Span = dataclasses.field(compare=False, repr=False)
    quoted: bool = dataclasses.field(default=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class LiteralList:
    """A parenthesised list inside a transformer: `(proc.name, "x")`."""

    items: "tuple[TransformerArgument, ...]"
    span: Span = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Transformer:
    """A function of fields and values: `tolower(proc.name)`, `getopt(proc.args, "o:")[o]`."""

    function: Transform
    arguments: "tuple[TransformerArgument, ...]"
    argument: str | None
    span: Span = dataclasses.field(compare=False, repr=False)


Operand = FieldExpression | Transformer
"""What may stand on the left of an operator."""

TransformerArgument = FieldExpression | Transformer | Literal | LiteralList
"""What may stand between the parentheses of a transformer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One comparison: `proc.name in (a, b)`, `proc.name exists`, `fd.name startswith anyof (/a)`.

    Args:
        left: the operand that is asked.
        operator: `==` is told from `=` by `spelling` only.
        quantifier: `anyof`, `allof`, `oneof` behind the operator.
        values: the literals; empty for `exists` and where `right` is given.
        right: the right-hand field (`val(..)`) or transformer.
        spelling: the operator as written.
        bare_list: the values were one word without parentheses, `in nginx`.
    """

    left: Operand
    operator: Operator
    quantifier: Quantifier | None
    values: tuple[Literal, ...]
    right: Operand | None
    span: Span = dataclasses.field(compare=False, repr=False)
    operator_span: Span = dataclasses.field(compare=False, repr=False)
    spelling: str = ""
    bare_list: bool = dataclasses.field(default=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class MacroReference:
    """A bare identifier: the name of a macro."""

    name: str
    span: Span = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    """All children hold; at least two."""

    children: "tuple[Condition, ...]"
    span: Span = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    """Some child holds; at least two."""

    children: "tuple[Condition, ...]"
    span: Span = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """The child does not hold."""

    child: "Condition"
    span: Span = dataclasses.field(compare=False, repr=False)


Condition = And | Or | Not | Check | MacroReference
"""A parsed condition."""
