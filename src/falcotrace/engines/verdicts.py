"""What is known of the moments of a rule about several events."""

from collections.abc import Sequence
from dataclasses import dataclass

from falcotrace.engines.vectors import Rows

MOST_STEPS_SHOWN = 100
"""An alert names so many of the events before its own, the latest."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """For which moments a rule fires, and for which nobody can say.

    Attributes:
        alerts: places of moments for which it fires, whatever the capture lacks.
        steps: for each of them `evt.num` of the events that led to it, in order.
        unclear: places of moments for which it fires only if the capture lacks something, or only
            if it does not.
    """

    alerts: Rows
    steps: Sequence[tuple[int, ...]]
    unclear: Rows
