"""How far a condition is from being true: the fewest checks that would have to be otherwise.

Each leaf counts by itself, also where the same check stands at several places. The cost of making a
group true is, of `and`, the sum over its children, of `or` the least of them; the cost of making it
false the other way round, and `not` changes the two. In: truths of leaves, one column for each case
(an event, or all events alike). Out: costs, and which leaves they are. No loop over cases.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.engines.vectors import Bools
from falcotrace.rules.outline import Outline, PartKind

Truths = Bools
"""Truths of leaves: a row for each leaf of an outline, in order, a column for each case."""

Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Leaves that would have to flip: a row for each part of an outline, a column for each case.

    Attributes:
        to_true: for the part to be true; 0 where it is.
        to_false: for the part to be false; 0 where it is.
    """

    to_true: Counts
    to_false: Counts


def costs(outline: Outline, truths: Truths, certain: Truths | None = None) -> Costs:
    """Compute the costs of all parts, bottom up.

    Args:
        outline: the condition.
        truths: of its leaves.
        certain: which of them are certain; the others cost nothing either way. All by default.
    """
    size = (len(outline.parts), truths.shape[1])
    to_true, to_false = np.zeros(size, np.int32), np.zeros(size, np.int32)
    counts = np.True_ if certain is None else certain
    to_true[list(outline.leaves)] = ~truths & counts
    to_false[list(outline.leaves)] = truths & counts
    for place in reversed(range(len(outline.parts))):
        part = outline.parts[place]
        children = list(part.children)
        if part.kind is PartKind.NOT:
            to_true[place], to_false[place] = to_false[children[0]], to_true[children[0]]
        elif part.kind is PartKind.ALL:
            to_true[place] = to_true[children].sum(axis=0)
            to_false[place] = to_false[children].min(axis=0)
        elif part.kind is PartKind.ANY:
            to_true[place] = to_true[children].min(axis=0)
            to_false[place] = to_false[children].sum(axis=0)
    return Costs(to_true, to_false)


def cheapest_flips(outline: Outline, found: Costs) -> Bools:
    """Choose for each case the fewest leaves whose flip makes the whole true.

    Of several choices that cost the same the first in the order written is taken.

    Returns:
        A row for each leaf, a column for each case.
    """
    size = found.to_true.shape
    to_be_true, to_be_false = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    to_be_true[0] = True
    for place, part in enumerate(outline.parts):
        children = list(part.children)
        if part.kind is PartKind.NOT:
            to_be_false[children], to_be_true[children] = to_be_true[place], to_be_false[place]
        elif part.kind is PartKind.ALL:
            to_be_true[children] = to_be_true[place]
            to_be_false[children] = to_be_false[place] & _first_least(found.to_false[children])
        elif part.kind is PartKind.ANY:
            to_be_true[children] = to_be_true[place] & _first_least(found.to_true[children])
            to_be_false[children] = to_be_false[place]
    leaves = list(outline.leaves)
    flips: Bools = to_be_true[leaves] & (found.to_true[leaves] > 0) | (
        to_be_false[leaves] & (found.to_false[leaves] > 0)
    )
    return flips


def _first_least(of_children: Counts) -> Bools:
    """Which child is the cheapest in each case, exactly one."""
    chosen = of_children.argmin(axis=0)
    which: Bools = np.arange(len(of_children))[:, None] == chosen
    return which
