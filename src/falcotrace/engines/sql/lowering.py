"""From the SQL that our trees are made of to that of another engine, by a table for each.

In: a tree of `build`, whose functions mean what DuckDB says of them. Out: a tree that the other
engine's printer can print. A dialect is two tables: what becomes of a function, and which other
nodes it takes and how. What is in neither is refused by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.context import ENGINE
from falcotrace.errors import UnsupportedError

Rule = Callable[[exp.Expr, "Lowering"], exp.Expr]
"""Makes of a node what it is in the other dialect; asks the lowering for the nodes inside."""


@dataclass(frozen=True, slots=True)
class Lowering:
    """The tables of one dialect.

    Args:
        dialect: its name.
        functions: rules by the name of a function of ours.
        nodes: rules for everything else, by kind of node.
    """

    dialect: str
    functions: Mapping[str, Rule]
    nodes: Mapping[type[exp.Expr], Rule]

    def __call__(self, node: exp.Expr) -> exp.Expr:
        """The node in the other dialect, a tree of its own.

        Raises:
            UnsupportedError: a function or a construct that the dialect does not have.
        """
        meaning = build.meaning_of(node)
        if meaning is not None:
            return self(meaning)
        if isinstance(node, exp.Anonymous):
            rule = self.functions.get(node.name)
            if rule is None:
                raise self.refused(f"function {node.name}")
        else:
            rule = self.nodes.get(type(node))
            if rule is None:
                raise self.refused(self._unknown(node))
        lowered = rule(node, self)
        if node.comments and not lowered.comments:
            lowered.add_comments(list(node.comments))
        return lowered

    def _unknown(self, node: exp.Expr) -> str:
        """The first function in a construct that the dialect does not have, or the construct."""
        for inside in node.find_all(exp.Anonymous):
            if inside.name not in self.functions:
                return f"function {inside.name}"
        return f"`{node.key}`"

    def arguments(self, node: exp.Expr) -> list[exp.Expr]:
        """The arguments of a function."""
        return [self(argument) for argument in node.expressions]

    def refused(self, what: str) -> UnsupportedError:
        """An error that names what this dialect does not have."""
        return UnsupportedError(what, f"{ENGINE} ({self.dialect})")


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of the other dialect's function; the printer looks for it in that dialect's list."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def same(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """The same node around what its parts become."""
    parts = {name: _part(value, lower) for name, value in node.args.items()}
    return type(node)(**parts)


def _part(value: object, lower: Lowering) -> object:
    if isinstance(value, exp.Expr):
        return lower(value)
    if isinstance(value, list):
        return [_part(item, lower) for item in value]
    return value


def renamed(name: str) -> Rule:
    """The same arguments, another name."""
    return lambda node, lower: call(name, *lower.arguments(node))


def chain(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """AND and OR, in a loop: a list of ten thousand values is a chain as long."""
    kind = type(node)
    operands = [lower(operand) for operand in build.chained(kind, node)]
    joined = operands[0]
    for operand in operands[1:]:
        joined = kind(this=joined, expression=operand)
    return joined


def copied(node: exp.Expr, _: Lowering) -> exp.Expr:
    """A leaf."""
    return node.copy()


def literal_of(node: exp.Expr, lower: Lowering, what: str) -> str:
    """The text of an argument that must be written out: patterns, separators, formats.

    Raises:
        UnsupportedError: it is computed.
    """
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.this)
    raise lower.refused(f"{what} that is computed")


def whole_text(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """A concatenation; pieces that are written out become one."""
    pieces: list[exp.Expr] = []
    for operand in build.chained(exp.DPipe, node):
        piece = lower(operand)
        if pieces and _is_text(piece) and _is_text(pieces[-1]):
            pieces[-1] = exp.Literal.string(pieces[-1].this + piece.this)
        else:
            pieces.append(piece)
    return build.concatenate(*pieces)


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def parenthesised(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """Parentheses, but not around what has become a literal."""
    inside = lower(node.this)
    return inside if isinstance(inside, exp.Literal) else exp.Paren(this=inside)


PLAIN_NODES: Mapping[type[exp.Expr], Rule] = MappingProxyType(
    {
        **dict.fromkeys((exp.And, exp.Or), chain),
        **dict.fromkeys(
            (exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.DataType), copied
        ),
        **dict.fromkeys(
            (exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In), same
        ),
        **dict.fromkeys((exp.Between, exp.Case, exp.If, exp.Like, exp.Escape, exp.Lambda), same),
        **dict.fromkeys((exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), same),
        **dict.fromkeys((exp.Select, exp.From, exp.Where, exp.Order, exp.Ordered, exp.Alias), same),
        **dict.fromkeys((exp.NullSafeNEQ, exp.Array), same),
        exp.Paren: parenthesised,
        exp.DPipe: whole_text,
    }
)
"""Nodes that every dialect has in one form or another; its printer spells them."""
