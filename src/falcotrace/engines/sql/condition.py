"""Conditions: a formula over atoms becomes one condition of SQL.

In: a formula of the plan. Out: a condition. Falco's conditions are two-valued: a missing value
makes an atom false. SQL's are not: NULL is neither true nor false, and `NOT NULL` is NULL. AND and
OR treat NULL as false as long as only truth matters, for they are monotone; so
`coalesce(.., FALSE)` stands where a condition is negated, and nowhere else:
`NOT coalesce(proc.name = 'cat', FALSE)`.

Equalities of one operand beside each other under `or` become one `IN`. Checks that the query's
restriction to event types decides, or that can never hold, disappear.
"""

from collections.abc import Callable, Sequence

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.atoms import atom_sql
from falcotrace.engines.sql.context import Context
from falcotrace.events.operators import Multiplicity, Operator
from falcotrace.rules.plan import AllOf, AnyOf, Atom, Formula, NotOf, Operand, fold_formula

_EQUALITIES = frozenset({Operator.EQUAL, Operator.IN})
_COLUMNS_WITHOUT_NULL = frozenset({"evt.num", "evt.time", "evt.type"})


def where_sql(formula: Formula, context: Context) -> exp.Expr:
    """Translate a condition for a place where NULL counts as false, such as WHERE.

    Raises:
        UnsupportedError: SQL cannot express a check.
    """
    return fold_formula(
        unite_equalities(formula),
        atom=lambda atom: atom_sql(atom, context),
        all_of=build.all_of,
        any_of=build.any_of,
        not_of=negate,
    )


def truth_sql(formula: Formula, context: Context) -> exp.Expr:
    """Translate a condition to one that is true or false and never NULL.

    Raises:
        UnsupportedError: SQL cannot express a check.
    """
    condition = where_sql(formula, context)
    return build.or_false(condition) if can_be_null(condition) else condition


def negate(condition: exp.Expr) -> exp.Expr:
    """Falco's `not`: true where the condition is false or NULL."""
    return build.negate(build.or_false(condition) if can_be_null(condition) else condition)


def can_be_null(condition: exp.Expr) -> bool:
    """Whether a condition may be NULL, judged from its outermost nodes.

    Example:
        >>> can_be_null(build.template("evt.type IN ('open', 'creat')"))
        False
    """
    pending = [condition]
    while pending:
        node = pending.pop()
        match node:
            case exp.Paren() | exp.Not():
                pending.append(node.this)
            case exp.Connector():
                pending += [node.left, node.right]
            case exp.Is() | exp.Boolean():
                continue
            case exp.Anonymous() if node.name == "coalesce" and _is_boolean(node.expressions[-1]):
                continue
            case exp.EQ() | exp.NEQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                pending += [node.left, node.right]
            case exp.In() if all(isinstance(item, exp.Literal) for item in node.expressions):
                pending.append(node.this)
            case exp.Column() if _path_of(node) in _COLUMNS_WITHOUT_NULL:
                continue
            case exp.Literal() | exp.Neg(this=exp.Literal()):
                continue
            case _:
                return True
    return False


def _is_boolean(node: exp.Expr) -> bool:
    return isinstance(node, exp.Boolean)


def _path_of(column: exp.Column) -> str:
    return ".".join(part.name for part in column.parts)


def unite_equalities(formula: Formula) -> Formula:
    """Join equalities of one operand under `or` to one `in`: `a = 1 or a = 2` is `a in (1, 2)`."""
    return fold_formula(
        formula,
        atom=_same,
        all_of=lambda children: grouped(AllOf, children),
        any_of=lambda children: grouped(AnyOf, _united(children)),
        not_of=_not,
    )


def _same(atom: Atom) -> Formula:
    return atom


def _not(child: Formula) -> Formula:
    return child.child if isinstance(child, NotOf) else NotOf(child)


def grouped(
    kind: Callable[[tuple[Formula, ...]], AllOf | AnyOf], children: Sequence[Formula]
) -> Formula:
    """The children under one connective, repeated ones once."""
    flat: dict[Formula, None] = {}
    for child in children:
        inside = child.children if type(child) is kind and isinstance(child, AllOf | AnyOf) else ()
        flat.update(dict.fromkeys(inside or (child,)))
    distinct = tuple(flat)
    return distinct[0] if len(distinct) == 1 else kind(distinct)


def _united(children: Sequence[Formula]) -> list[Formula]:
    united: list[Formula] = []
    places: dict[Operand, int] = {}
    for child in children:
        if not isinstance(child, Atom) or not _is_equality(child):
            united.append(child)
        elif child.left in places:
            place = places[child.left]
            before = united[place]
            assert isinstance(before, Atom)
            values = tuple(dict.fromkeys((*before.values, *child.values)))
            united[place] = Atom(child.left, Operator.IN, None, values, None)
        else:
            places[child.left] = len(united)
            united.append(child)
    return united


def _is_equality(atom: Atom) -> bool:
    """Whether `or` of two such atoms is one `in`; for a whole list it is not."""
    return (
        atom.operator in _EQUALITIES
        and atom.quantifier is None
        and atom.right is None
        and atom.left.multiplicity is not Multiplicity.LIST
    )
