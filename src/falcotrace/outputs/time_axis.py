"""The axis of time of a picture: lines at round times."""

import math
from collections.abc import Iterator

from falcotrace.outputs.svg import FAINT, clock, date, line_of, text_of

_NS = 1_000_000_000
_STEPS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400),
)
_TICKS = 8


def axis_of(first_ns: int, last_ns: int, left: float, scale: float, height: float) -> Iterator[str]:
    """Vertical lines at round times, at most nine.

    Args:
        first_ns: the time at `left`, ns since the epoch.
        last_ns: the latest time.
        left: where the first time is, in pixels.
        scale: pixels for a nanosecond.
        height: of the picture.
    """
    wanted_s = (last_ns - first_ns) / _NS / _TICKS
    days = _STEPS_S[-1] * math.ceil(wanted_s / _STEPS_S[-1])
    step_s = next((step for step in _STEPS_S if step >= wanted_s), days)
    step_ns = int(step_s * _NS)
    for time_ns in range(-(-first_ns // step_ns) * step_ns, last_ns + 1, step_ns):
        at = left + (time_ns - first_ns) * scale
        yield line_of(at, 26, at, height - 8)
        yield text_of(at, 18, _round_time(time_ns, step_s), FAINT, anchor="middle", size=12)


def _round_time(time_ns: int, step_s: float) -> str:
    if step_s < 1:
        return clock(time_ns)
    if step_s < _STEPS_S[-1]:
        return clock(time_ns, 0)
    return date(time_ns)
