"""What checks say of a text that is known beforehand: `<NA>` and `NULL`, for missing arguments.

In: the text, an operator and literals. Out: the verdict, if it is easy to tell. With it a query
asks the stored value alone.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from falcotrace.engines.sql.text_checks import fold_literal
from falcotrace.events.operators import Operator
from falcotrace.events.text import to_bytes
from falcotrace.rules.plan import Value

_PLAIN_START = frozenset("/abcdefghijklmnopqrstuvwxyz0123456789")
"""Characters that a pattern of names begins with, that mean themselves, and that none of the texts
begins with."""

_ONE: Mapping[Operator, Callable[[str, str], bool]] = MappingProxyType(
    {
        Operator.EQUAL: str.__eq__,
        Operator.NOT_EQUAL: str.__ne__,
        Operator.CONTAINS: str.__contains__,
        Operator.ICONTAINS: lambda text, wanted: fold_literal(wanted) in fold_literal(text),
        Operator.STARTSWITH: str.startswith,
        Operator.ENDSWITH: str.endswith,
        Operator.LESS: lambda text, other: to_bytes(text) < to_bytes(other),
        Operator.LESS_EQUAL: lambda text, other: to_bytes(text) <= to_bytes(other),
        Operator.GREATER: lambda text, other: to_bytes(text) > to_bytes(other),
        Operator.GREATER_EQUAL: lambda text, other: to_bytes(text) >= to_bytes(other),
    }
)


def satisfies(text: str, operator: Operator, literals: Sequence[Value]) -> bool | None:
    """Whether a text satisfies a check; None where that is not easy to tell.

    Example:
        >>> satisfies("<NA>", Operator.EQUAL, ["x"]), satisfies("<NA>", Operator.REGEX, ["x"])
        (False, None)
    """
    wanted = [str(literal) for literal in literals]
    if operator is Operator.EXISTS:
        return True
    if not wanted:
        return False
    if operator in _ONE:
        return _ONE[operator](text, wanted[0])
    if operator in {Operator.IN, Operator.INTERSECTS}:
        return text in wanted
    if operator is Operator.PMATCH:
        # Slashes at the beginning of a path do not matter, and the root is above everything.
        wanted = [item.lstrip("/") for item in wanted]
        if not all(wanted):
            return True
    if operator in {Operator.GLOB, Operator.PMATCH}:
        return False if all(item[:1] in _PLAIN_START for item in wanted) else None
    return None
