"""The picture of a tree of processes: a line for each program, with the alerts of each process.

In: a `ProcessTree`. Out: SVG. A command after an arrow replaced the one above it in the same
process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from falcotrace.investigate.process import Process
from falcotrace.investigate.tree import ProcessTree, TreeLine
from falcotrace.outputs.svg import (
    ALERT,
    ALERT_EDGE,
    FAINT,
    INK,
    LINE,
    MONO,
    PRIORITIES,
    WIDTH,
    box_of,
    clock,
    document,
    path_of,
    text_of,
    titled,
)
from falcotrace.rules.plan import Priority

LINES_MAX = 400
"""More programs than these are counted, not drawn."""

_PROGRAMS_MAX = 12
"""Programs of one process: a shell that executes itself for ever fills no page."""

_DEPTH_MAX = 24
"""Deeper processes are not indented further."""

_LEFT, _STEP, _TRUNK = 176, 20, 7
_LINE_HEIGHT = 20
_RULE_HEIGHT = 17
_COLUMN = 7.25
_DESCENT = 5


@dataclass(frozen=True, slots=True)
class _Placed:
    """A process and where its first line is: the baseline of the text, in pixels."""

    line: TreeLine
    x: float
    y: float


def tree_svg(tree: ProcessTree) -> str:
    """Draw processes between their ancestors and their descendants.

    Args:
        tree: at most `LINES_MAX` lines of it are drawn, the others counted.
    """
    if not tree.lines:
        return document(
            WIDTH, 2 * _LINE_HEIGHT, "Process tree", [text_of(12, 24, "no processes", FAINT)]
        )
    parts: list[str] = []
    placed: list[_Placed] = []
    y, shallowest = 24.0, min(line.depth for line in tree.lines)
    for line in tree.lines:
        if y > LINES_MAX * _LINE_HEIGHT:
            break
        one = _Placed(line, _LEFT + _STEP * min(line.depth - shallowest, _DEPTH_MAX), y)
        placed.append(one)
        parts += _draw(one, tree.priorities)
        y += _height(line)
    more = tree.left_out_count + len(tree.lines) - len(placed)
    if more:
        parts.append(text_of(12, y, f"{more:,} more processes are not shown", FAINT))
        y += _LINE_HEIGHT
    title = f"Process tree: {len(placed)} processes"
    return document(WIDTH, y - 6, title, [*_guides(placed), *parts])


def _height(line: TreeLine) -> float:
    programs = min(len(line.process.programs), _PROGRAMS_MAX + 1)
    return _LINE_HEIGHT * programs + _RULE_HEIGHT * len(line.rules)


def _draw(one: _Placed, priorities: Mapping[str, Priority]) -> Iterator[str]:
    line, x, y = one.line, one.x, one.y
    process = line.process
    if line.is_asked:
        yield box_of(4, y - 15, WIDTH - 8, _height(line), ALERT, ALERT_EDGE)
    if process.start_ns:
        yield text_of(12, y, clock(process.start_ns), FAINT, font=MONO, size=12)
    yield text_of(_LEFT - 12, y, str(process.pid), FAINT, anchor="end", font=MONO, size=12)
    ink = INK if process.is_recorded else FAINT
    room = int((WIDTH - 12 - x) / _COLUMN)
    yield titled(_about(process), _programs(process, x, y, ink.name == INK.name, room))
    y += _LINE_HEIGHT * min(len(process.programs), _PROGRAMS_MAX + 1)
    for name, count in line.rules.items():
        times = f" ({count:,} times)" if count > 1 else ""
        alert = PRIORITIES[priorities.get(name, Priority.CRITICAL)]
        yield text_of(x + 14, y - 2, f"\u25cf {name}{times}", alert, size=12, limit=room)
        y += _RULE_HEIGHT


def _programs(process: Process, x: float, y: float, is_known: bool, room: int) -> Iterator[str]:  # noqa: FBT001
    ink = INK if is_known else FAINT
    for place, program in enumerate(process.programs[:_PROGRAMS_MAX]):
        arrow = "\u2192 " if place else ""
        command = program.cmdline or program.name or "?"
        at = y + _LINE_HEIGHT * place
        yield text_of(x, at, arrow + command, ink, font=MONO, size=12, limit=room)
    more = len(process.programs) - _PROGRAMS_MAX
    if more > 0:
        yield text_of(x, y + _LINE_HEIGHT * _PROGRAMS_MAX, f"\u2192 {more:,} more programs", FAINT)


def _about(process: Process) -> str:
    """What the mouse shows."""
    where = process.container_name or process.container_id
    facts = {"user": process.user, "file": process.exepath, "container": where}
    told = "; ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"process {process.pid}; {told}"


def _guides(placed: list[_Placed]) -> Iterator[str]:
    """Lines from each process to those that it started."""
    above: list[_Placed] = []
    for one in placed:
        while above and above[-1].line.depth >= one.line.depth:
            above.pop()
        if above and one.x > above[-1].x:
            parent = above[-1]
            begin, middle = parent.y + _DESCENT, one.y - 4
            x = parent.x + _TRUNK - _STEP / 2
            yield path_of(f"M{x:.1f} {begin:.1f}V{middle:.1f}H{one.x - 3:.1f}", LINE)
        above.append(one)
