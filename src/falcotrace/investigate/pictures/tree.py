"""The picture of a tree of processes: a line for each program, with the alerts of each process.

In: a `ProcessTree`. Out: SVG. A command after an arrow replaced the one above it in the same
process.
"""

from collections.abc import Iterator, Mapping, Sequence
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

_LEFT, _STEP, _TRUNK = 180, 20, 4
_LINE_HEIGHT = 20
_RULE_HEIGHT = 17
_COLUMN = 7.25
_DESCENT = 5


@dataclass(frozen=True, slots=True)
class _Placed:
    """A process, its place, and what it hangs on.

    Attributes:
        line: of the tree.
        commands: what it executed.
        parent: where the process is that started it; None if that is not in the tree.
        x: left end of the text, in pixels.
        y: the baseline of its first line.
    """

    line: TreeLine
    commands: tuple[str, ...]
    parent: "_Placed | None"
    x: float
    y: float

    @property
    def command_count(self) -> int:
        """Lines of commands."""
        return min(len(self.commands), _PROGRAMS_MAX + 1)

    @property
    def height(self) -> float:
        """Of all its lines."""
        return _LINE_HEIGHT * self.command_count + _RULE_HEIGHT * len(self.line.rules)


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
    placed = list(_place(tree.lines))
    for one in placed:
        parts += _draw(one, tree.priorities)
    y = placed[-1].y + placed[-1].height
    more = tree.left_out_count + len(tree.lines) - len(placed)
    if more:
        parts.append(text_of(12, y, f"{more:,} more processes are not shown", FAINT))
        y += _LINE_HEIGHT
    title = f"Process tree: {len(placed)} processes"
    return document(WIDTH, y - 6, title, [*_guides(placed), *parts])


def _place(lines: Sequence[TreeLine]) -> Iterator[_Placed]:
    """Lines one below the other, each with what hangs on what."""
    y, shallowest = 24.0, min(line.depth for line in lines)
    above: list[_Placed] = []
    for line in lines:
        if y > LINES_MAX * _LINE_HEIGHT:
            return
        while above and above[-1].line.depth >= line.depth:
            above.pop()
        parent = above[-1] if above else None
        x = _LEFT + _STEP * min(line.depth - shallowest, _DEPTH_MAX)
        above.append(_Placed(line, _commands(line.process, parent), parent, x, y))
        yield above[-1]
        y += above[-1].height


def _commands(process: Process, parent: _Placed | None) -> tuple[str, ...]:
    """What a process executed; what it still was when it was forked says nothing."""
    found = tuple(program.cmdline or program.name or "?" for program in process.programs)
    inherited = parent is not None and found[0] in parent.commands and len(found) > 1
    return found[1:] if inherited else found


def _draw(one: _Placed, priorities: Mapping[str, Priority]) -> Iterator[str]:
    line, x, y = one.line, one.x, one.y
    process = line.process
    if line.is_asked:
        yield box_of(4, y - 15, WIDTH - 8, one.height, ALERT, ALERT_EDGE)
    if process.start_ns:
        yield text_of(12, y, clock(process.start_ns), FAINT, font=MONO, size=12)
    yield text_of(_LEFT - 16, y, str(process.pid), FAINT, anchor="end", font=MONO, size=12)
    room = int((WIDTH - 12 - x) / _COLUMN)
    yield titled(_about(process), _draw_commands(one, room))
    y += _LINE_HEIGHT * one.command_count
    for name, count in line.rules.items():
        times = f" ({count:,} times)" if count > 1 else ""
        alert = PRIORITIES[priorities.get(name, Priority.CRITICAL)]
        yield text_of(x + 14, y - 2, f"\u25cf {name}{times}", alert, size=12, limit=room)
        y += _RULE_HEIGHT


def _draw_commands(one: _Placed, room: int) -> Iterator[str]:
    ink = INK if one.line.process.is_recorded else FAINT
    for place, command in enumerate(one.commands[:_PROGRAMS_MAX]):
        arrow = "\u2192 " if place else ""
        at = one.y + _LINE_HEIGHT * place
        yield text_of(one.x, at, arrow + command, ink, font=MONO, size=12, limit=room)
    more = len(one.commands) - _PROGRAMS_MAX
    if more > 0:
        at = one.y + _LINE_HEIGHT * _PROGRAMS_MAX
        yield text_of(one.x, at, f"\u2192 {more:,} more programs", FAINT)


def _about(process: Process) -> str:
    """What the mouse shows."""
    where = process.container_name or process.container_id
    facts = {"user": process.user, "file": process.exepath, "container": where}
    told = "; ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"process {process.pid}; {told}"


def _guides(placed: Sequence[_Placed]) -> Iterator[str]:
    """Lines from each process to those that it started."""
    for one in placed:
        parent = one.parent
        if parent is not None and one.x > parent.x:
            x, begin, middle = parent.x - _TRUNK, parent.y + _DESCENT, one.y - 4
            yield path_of(f"M{x:.1f} {begin:.1f}V{middle:.1f}H{one.x - 3:.1f}", LINE)
