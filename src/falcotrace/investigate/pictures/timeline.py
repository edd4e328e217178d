"""The picture of when rules fired: a lane for each rule, in the order of their first alerts.

In: alerts. Out: SVG.
"""

from collections.abc import Iterable, Iterator, Sequence

from falcotrace.alerts import Alert
from falcotrace.outputs.svg import (
    FAINT,
    PRIORITIES,
    WIDTH,
    clock,
    document,
    dot_of,
    line_of,
    text_of,
)
from falcotrace.outputs.time_axis import axis_of
from falcotrace.rules.plan import Priority

LANES_MAX = 200
"""More rules than these are counted, not drawn: a browser has to bear the page."""

_LEFT, _TOP, _STEP = 344, 34, 24


def timeline_svg(alerts: Iterable[Alert], *, by_host: bool = False) -> str:
    """Draw when each rule fired; alerts that would lie upon each other are one dot.

    Args:
        alerts: in any order.
        by_host: a lane for each rule and host, where there are many hosts.
    """
    chosen = sorted(alerts, key=lambda alert: alert.time_ns)
    if not chosen:
        return document(WIDTH, 2 * _STEP, "Alerts", [text_of(12, _STEP, "no alerts", FAINT)])
    lanes: dict[str, list[Alert]] = {}
    for alert in chosen:
        lane = f"{alert.hostname}: {alert.rule.name}" if by_host else alert.rule.name
        lanes.setdefault(lane, []).append(alert)
    first, last = chosen[0].time_ns, chosen[-1].time_ns
    scale = (WIDTH - _LEFT - 40) / max(1, last - first)
    more = max(0, len(lanes) - LANES_MAX)
    height = _TOP + _STEP * (min(len(lanes), LANES_MAX) + bool(more)) + 12
    parts = list(axis_of(first, last, _LEFT, scale, height))
    for place, (name, of_rule) in enumerate(list(lanes.items())[:LANES_MAX]):
        parts += _lane(name, of_rule, _TOP + _STEP * (place + 0.5), first, scale)
    if more:
        parts.append(text_of(12, height - 12, f"{more:,} more rules are not shown", FAINT))
    title = f"{len(chosen):,} alerts of {len(lanes)} rules in order of time"
    return document(WIDTH, height, title, parts)


def _lane(
    name: str, alerts: Sequence[Alert], y: float, first_ns: int, scale: float
) -> Iterator[str]:
    ink = PRIORITIES[min(alert.priority for alert in alerts)]
    count = f"\u00d7{len(alerts):,}" if len(alerts) > 1 else ""
    yield line_of(_LEFT - 8, y, WIDTH - 12, y)
    yield text_of(12, y + 4, name, ink, size=12, limit=43)
    if count:
        yield text_of(_LEFT - 12, y + 4, count, FAINT, anchor="end", size=11)
    places: dict[int, list[Alert]] = {}
    for alert in alerts:
        x = round(_LEFT + (alert.time_ns - first_ns) * scale)
        places.setdefault(x, []).append(alert)
    for x, here in places.items():
        yield _dot(x, y, here)


def _dot(x: float, y: float, alerts: Sequence[Alert]) -> str:
    worst = min(alert.priority for alert in alerts)
    first = alerts[0]
    more = f" (and {len(alerts) - 1:,} more here)" if len(alerts) > 1 else ""
    title = f"{clock(first.time_ns)} event {first.num}: {first.output}"
    return dot_of(x, y, 6 if worst <= Priority.CRITICAL else 5, PRIORITIES[worst], title + more)
