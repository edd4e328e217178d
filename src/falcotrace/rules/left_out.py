"""What rules of another language say and Falco's language cannot: kept beside the plan."""

import dataclasses
from collections.abc import Sequence

from falcotrace.errors import Span


@dataclasses.dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule of another language that is not in the plan, or only a part of it.

    Args:
        rule: its name.
        is_in_part: whether the rest of it is in the plan.
        reasons: what is left out and why, as parts of sentences.
        span: where the rule begins.
    """

    rule: str
    is_in_part: bool
    reasons: tuple[str, ...]
    span: Span | None = dataclasses.field(default=None, compare=False, repr=False)


_NAMED_LEFT_OUT = 5


def describe_left_out(left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    """One sentence for each of a few rules; of many only how many they are."""
    if len(left_out) > _NAMED_LEFT_OUT:
        in_part = sum(each.is_in_part for each in left_out)
        counts = f"{len(left_out) - in_part} rules of Sigma did not run, {in_part} ran in part"
        return (f"{counts}; `falcotrace rules convert` says why",)
    return tuple(
        f"rule `{each.rule}` {'ran in part' if each.is_in_part else 'did not run'}: "
        f"{'; '.join(each.reasons)}"
        for each in left_out
    )
