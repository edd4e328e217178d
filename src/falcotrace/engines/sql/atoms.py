"""Checks of a condition: an atom of the plan becomes a condition of SQL.

In: atoms, and what their operands are in SQL. Out: conditions that are true where the atom is, and
NULL or false where it is not. How the operators treat one value stands in `checks`; here is how a
check spreads over lists, over ancestors, over names and over both ends of a connection, and how two
operands compare.

Source: `falcotrace.events.operators`, `Multiplicity`.
"""

from typing import assert_never

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.checks import COMPARISONS, check_value
from falcotrace.engines.sql.context import ENGINE, Context
from falcotrace.engines.sql.derived_events import is_synchronous
from falcotrace.engines.sql.operands import operand_sql
from falcotrace.engines.sql.raw_text import byte_digits
from falcotrace.engines.sql.text_checks import fold_case
from falcotrace.engines.sql.values import Ends, Items, Missing, Scalar, ValueTest
from falcotrace.errors import UnsupportedError
from falcotrace.events.derived import SINGLE_SIDED_EVENTS
from falcotrace.events.operators import Multiplicity, Operator, ValueKind
from falcotrace.rules.plan import Atom, FieldOperand, Value

_NANOSECONDS_PER_MS = 1_000_000
_EVENT_NAME_FIELDS = frozenset({"evt.type", "syscall.type"})
_SET_OPERATORS = frozenset({Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN, Operator.INTERSECTS})


def atom_sql(atom: Atom, context: Context) -> exp.Expr:
    """Translate a check; NULL counts as false.

    Raises:
        UnsupportedError: SQL cannot express it.
    """
    if isinstance(atom.left, FieldOperand) and (decided := _special(atom, atom.left, context)):
        return decided
    if atom.right is not None:
        return _compare_operands(atom, context)
    left = operand_sql(atom.left, context)

    def check(value: Scalar) -> exp.Expr:
        return check_value(value, atom.operator, atom.quantifier, atom.values)

    match left:
        case Scalar():
            return check(left)
        case Items(multiplicity=Multiplicity.LIST):
            return _whole_list(left, atom)
        case Items():
            return _some_item(left, atom, check)
        case Ends():
            return _either_end(left, atom.operator, check)
        case Missing():
            return build.truth(False)
        case _:
            assert_never(left)


def _special(atom: Atom, field: FieldOperand, context: Context) -> exp.Expr | None:
    """Checks that the query's own restriction decides, or that are no comparison of a value."""
    name = field.field.name
    if name in _EVENT_NAME_FIELDS and atom.operator in _SET_OPERATORS and not atom.quantifier:
        return _event_name(atom, context)
    if name == "evt.num" and atom.right is None and atom.quantifier is None:
        return _event_number(atom)
    if name == "evt.around":
        (distance_ms,) = atom.values
        assert isinstance(distance_ms, int)
        distance = distance_ms * _NANOSECONDS_PER_MS
        at = int(field.argument or 0)
        low, high = build.number(at - distance), build.number(at + distance)
        return build.between(build.column("evt.time"), low, high)
    return None


def _event_name(atom: Atom, context: Context) -> exp.Expr | None:
    assert isinstance(atom.left, FieldOperand)
    if atom.right is not None:
        return None
    from_syscall = atom.left.field.name == "syscall.type"
    single_sided = SINGLE_SIDED_EVENTS if from_syscall else frozenset[str]()
    names = {str(value) for value in atom.values}
    if atom.operator is Operator.NOT_EQUAL:
        asked = context.is_other_event(names | single_sided)
    else:
        asked = context.is_event(names - single_sided)
    return build.all_of([asked, is_synchronous(context)]) if from_syscall else asked


def _event_number(atom: Atom) -> exp.Expr | None:
    """`evt.num` is 1 or more: rules write `evt.num = 0` for never and `evt.num > 0` for always.

    Source: libs 48dfd53c userspace/libsinsp/filter/ppm_codes.cpp.
    """
    if len(atom.values) != 1 or not isinstance(atom.values[0], int):
        return None
    value = atom.values[0]
    match atom.operator:
        case Operator.EQUAL | Operator.LESS_EQUAL | Operator.NOT_EQUAL | Operator.GREATER:
            is_decided = value < 1
        case Operator.LESS | Operator.GREATER_EQUAL:
            is_decided = value <= 1
        case _:
            return None
    always = {Operator.NOT_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL}
    return build.truth(atom.operator in always) if is_decided else None


def _some_item(items: Items, atom: Atom, check: ValueTest) -> exp.Expr:
    """The check holds for at least one element; `!=` of names: for all of them."""
    if atom.operator is Operator.EXISTS:
        return build.is_present(items.expression)
    literals = [_literal(value) for value in atom.values]
    asks_all = items.multiplicity is Multiplicity.ANY_NAME and atom.operator is Operator.NOT_EQUAL
    if atom.quantifier is None:
        if atom.operator is Operator.EQUAL:
            return build.call("list_contains", items.expression, literals[0])
        if atom.operator in {Operator.IN, Operator.INTERSECTS}:
            return _has_any(items.expression, literals)
        if asks_all:
            return build.negate(build.call("list_contains", items.expression, literals[0]))

    def wanted(item: exp.Expr) -> exp.Expr:
        holds = check(Scalar(item, items.kind))
        return build.negate(build.or_false(holds)) if asks_all else holds

    found = build.call("list_filter", items.expression, build.each(wanted))
    operator = exp.EQ if asks_all else exp.GT
    return build.compare(operator, build.call("len", found), build.number(0))


def _whole_list(items: Items, atom: Atom) -> exp.Expr:
    if atom.operator is Operator.EXISTS:
        return build.is_present(items.expression)
    literals = [_literal(value) for value in atom.values]
    if atom.operator is Operator.INTERSECTS:
        return _has_any(items.expression, literals)
    if not literals:
        size = build.call("len", items.expression)
        return build.compare(exp.EQ, size, build.number(0))
    return build.call("list_has_all", build.array(literals), items.expression)


def _has_any(items: exp.Expr, literals: list[exp.Expr]) -> exp.Expr:
    if not literals:
        return build.truth(False)
    if len(literals) == 1:
        return build.call("list_contains", items, literals[0])
    return build.call("list_has_any", items, build.array(literals))


def _literal(value: Value) -> exp.Expr:
    if isinstance(value, str):
        return build.text(value)
    if isinstance(value, int):
        return build.number(value)
    raise UnsupportedError(f"{value!r} in a list", ENGINE)


def _either_end(ends: Ends, operator: Operator, check: ValueTest) -> exp.Expr:
    """True for either end; only `!=` asks both, of those that there are."""
    if operator is Operator.EXISTS:
        return ends.is_known.copy()
    left, right = check(ends.left), check(ends.right)
    if operator is not Operator.NOT_EQUAL:
        return build.any_of([left, right])
    is_known = build.any_of(
        [build.is_present(ends.left.expression), build.is_present(ends.right.expression)]
    )
    return build.all_of([is_known, _or_true(left), _or_true(right)])


def _or_true(condition: exp.Expr) -> exp.Expr:
    """The condition with missing made true: an end that is not there differs from anything."""
    match condition:
        case exp.NEQ():
            return exp.NullSafeNEQ(this=condition.this, expression=condition.expression)
        case exp.Not():
            return build.negate(build.or_false(build.unwrapped(condition.this)))
        case exp.Boolean():
            return condition
        case _:
            return build.call("coalesce", condition, build.truth(True))


def _compare_operands(atom: Atom, context: Context) -> exp.Expr:
    """A check with an operand on the right; missing on either side is false."""
    assert atom.right is not None
    left, right = operand_sql(atom.left, context), operand_sql(atom.right, context)
    if isinstance(left, Missing) or isinstance(right, Missing):
        return build.truth(False)
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return _compare_values(left, atom.operator, right)
    if not isinstance(left, Ends) and not isinstance(right, Ends):
        return _compare_lists(left, atom.operator, right)
    raise UnsupportedError("a comparison of both ends with a field", ENGINE)


def _compare_lists(left: Scalar | Items, operator: Operator, right: Scalar | Items) -> exp.Expr:
    """`in` and `intersects` where one side or both are lists."""
    if isinstance(left, Scalar):
        return build.call("list_contains", right.expression, left.expression)
    listed = right.expression
    if isinstance(right, Scalar):
        listed = build.array([right.expression.copy()])
        if operator is Operator.IN:
            present = build.is_present(right.expression)
            return build.all_of([present, build.call("list_has_all", listed, left.expression)])
    if operator is Operator.IN:
        return build.call("list_has_all", listed, left.expression)
    return build.call("list_has_any", left.expression, listed)


def _compare_values(left: Scalar, operator: Operator, right: Scalar) -> exp.Expr:
    is_text = left.kind is ValueKind.TEXT
    one, other = left.expression, right.expression
    match operator:
        case Operator.IN | Operator.INTERSECTS:
            return build.compare(exp.EQ, one, other)
        case Operator.EQUAL | Operator.NOT_EQUAL:
            return build.compare(COMPARISONS[operator], one, other)
        case Operator.LESS | Operator.LESS_EQUAL | Operator.GREATER | Operator.GREATER_EQUAL:
            if is_text:
                one, other = byte_digits(one), byte_digits(other)
            return build.compare(COMPARISONS[operator], one, other)
        case Operator.CONTAINS if is_text:
            return build.call("contains", one, other)
        case Operator.ICONTAINS if is_text:
            return build.call("contains", fold_case(one), fold_case(other))
        case Operator.STARTSWITH if is_text:
            return build.call("starts_with", one, other)
        case Operator.ENDSWITH if is_text:
            return build.call("ends_with", one, other)
        case _:
            raise UnsupportedError(f"`{operator}` with a field on the right", ENGINE)
