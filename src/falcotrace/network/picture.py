"""The picture of conversations: who talked to whom, when, and how much.

In: lanes. Out: SVG.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from falcotrace.network.model import Conversation
from falcotrace.outputs.svg import (
    CAUSE_EDGE,
    FAINT,
    IMPACT_EDGE,
    INK,
    MONO,
    WIDTH,
    Ink,
    clock,
    document,
    line_of,
    shown,
    text_of,
)
from falcotrace.outputs.time_axis import axis_of

LANES_MAX = 100
"""More pairs than these are counted, not drawn: a browser has to bear the page."""

BARS_MAX = 500
"""More conversations of one pair are not drawn one by one."""

_LEFT, _TOP, _STEP = 484, 34, 24
_BAR_MIN = 3


@dataclass(frozen=True, slots=True)
class Lane:
    """What one program and one other end said to each other.

    Attributes:
        program: `proc.name`.
        peer: address of the other end, with its port where the program is the client.
        names: names of that address.
        is_server: the other end began.
        conversations: in order of time.
    """

    program: str
    peer: str
    names: tuple[str, ...]
    is_server: bool
    conversations: tuple[Conversation, ...]


def lanes_svg(lanes: Sequence[Lane]) -> str:
    """Draw a lane for each program and the other end: a bar for each conversation."""
    if not lanes:
        parts = [text_of(12, _STEP, "no conversations", FAINT)]
        return document(WIDTH, 2 * _STEP, "Conversations", parts)
    times = [
        time
        for lane in lanes
        for one in lane.conversations
        for time in (one.first.time_ns, one.last.time_ns)
    ]
    first, last = min(times), max(times)
    scale = (WIDTH - _LEFT - 40) / max(1, last - first)
    more = max(0, len(lanes) - LANES_MAX)
    height = _TOP + _STEP * (min(len(lanes), LANES_MAX) + bool(more)) + 12
    parts = list(axis_of(first, last, _LEFT, scale, height))
    for place, lane in enumerate(lanes[:LANES_MAX]):
        parts += _lane(lane, _TOP + _STEP * (place + 0.5), first, scale)
    if more:
        parts.append(text_of(12, height - 12, f"{more:,} more pairs are not shown", FAINT))
    return document(WIDTH, height, f"Conversations of {len(lanes):,} pairs", parts)


def _lane(lane: Lane, y: float, first_ns: int, scale: float) -> Iterator[str]:
    arrow = "\u2190" if lane.is_server else "\u2192"
    ink = IMPACT_EDGE if lane.is_server else CAUSE_EDGE
    yield line_of(_LEFT - 8, y, WIDTH - 12, y)
    yield text_of(12, y + 4, lane.program, INK, size=12, font=MONO, limit=16)
    peer = f"{arrow} {' '.join((lane.peer, *lane.names))}"
    yield text_of(136, y + 4, peer, FAINT, size=12, font=MONO, limit=42)
    yield text_of(
        _LEFT - 12, y + 4, f"\u00d7{len(lane.conversations):,}", FAINT, anchor="end", size=11
    )
    for one in lane.conversations[:BARS_MAX]:
        yield _bar(one, y, ink, first_ns, scale)


def _bar(one: Conversation, y: float, ink: Ink, first_ns: int, scale: float) -> str:
    x = _LEFT + (one.first.time_ns - first_ns) * scale
    width = max(_BAR_MIN, (one.last.time_ns - one.first.time_ns) * scale)
    title = (
        f"{clock(one.first.time_ns)} {one.tuple_text} events {one.first.num} .. {one.last.num}, "
        f"{one.bytes_to_server:,} bytes to the server, {one.bytes_to_client:,} to the client"
    )
    return (
        f'<rect x="{x:.1f}" y="{y - 5:.1f}" width="{width:.1f}" height="10" rx="2" '
        f'fill="{ink.light}" class="ft-{ink.name}"><title>{shown(title)}</title></rect>'
    )
