"""A condition as its author wrote it, beside the formula that engines read."""

import dataclasses
from collections.abc import Mapping

from falcotrace.rules.ast import Condition


@dataclasses.dataclass(frozen=True, slots=True)
class WrittenCondition:
    """A condition as its author wrote it, for display: engines read the formula.

    Args:
        tree: the condition with its exceptions, macro references not replaced.
        macros: the macros that it may refer to, references in them not replaced either.
        exceptions: names of the exceptions that have values; each is the negation of one of the
            last children of `tree`, in order.
    """

    tree: Condition
    macros: Mapping[str, Condition]
    exceptions: tuple[str, ...]
