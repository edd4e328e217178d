"""What captures and alerts look like in Jupyter: tables in HTML, pictures in SVG.

    from falcotrace import notebook

    notebook.timeline(report)                         # when each rule fired
    notebook.process_tree(capture, report, below=7)   # what the process of event 7 started

In: alerts, summaries, open captures. Out: `Picture` objects that Jupyter draws by itself, without
scripts, styles or anything from the network. Whatever was recorded is escaped. Nothing is decided
here, and nothing needs Jupyter to be installed.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.alerts import Alert
from falcotrace.capture.summary import Summary
from falcotrace.investigate.pictures import timeline_svg
from falcotrace.network.picture import lanes_svg
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.html import rows_html
from falcotrace.outputs.times import iso_time
from falcotrace.rules.plan import Priority

if TYPE_CHECKING:
    import pandas as pd

    from falcotrace.api import Captures
    from falcotrace.network.network import Network

ROWS_MAX = 200
"""More alerts or processes than these are counted, not drawn: a browser has to bear the page."""

WIDTH = 920
"""Of pictures, in pixels: what fits beside the prompts of a notebook."""

TEXT_MAX = 90
"""Longer command lines are cut in pictures; hold the mouse over one to read the rest."""

DEPTH_MAX = 30
"""Deeper programs are not indented further."""

NS = 1_000_000_000

_COLOURS: Mapping[Priority, str] = {
    **dict.fromkeys((Priority.EMERGENCY, Priority.ALERT, Priority.CRITICAL), "#b42318"),
    Priority.ERROR: "#c2570c",
    Priority.WARNING: "#94700c",
    Priority.NOTICE: "#2563b0",
    Priority.INFORMATIONAL: "#5b6672",
    Priority.DEBUG: "#5b6672",
}
_VALUELESS = re.compile(r" [\w.]+=(<NA>)?(?= |$)")
"""An item of an output that says only that there is no value."""

_INK, _FAINT, _LINE, _PAPER = "#1b2430", "#68727d", "#d5dae0", "#ffffff"
_SANS, _MONO = "system-ui, sans-serif", "ui-monospace, monospace"


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG that Jupyter draws; `str` gives its text, to be written to a file."""

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True)
class Table:
    """A table that Jupyter draws."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def shown(text: object) -> str:
    r"""Recorded text, safe inside HTML and SVG: no markup, no control characters.

    Example:
        >>> shown("<b>\x1b[2J")
        '&lt;b&gt;\\x1b[2J'
    """
    return html.escape(for_terminal(str(text)))


def summary_html(summaries: Iterable[Summary]) -> str:
    """What is in captures, one small table for each."""
    return "".join(_summary_table(summary) for summary in summaries)


def _summary_table(summary: Summary) -> str:
    seconds = (summary.last_time_ns - summary.first_time_ns) / NS
    rows = {
        "host": f"{summary.hostname} (Linux {summary.kernel}, {summary.architecture})",
        "recorded by": summary.tool,
        "from": iso_time(summary.first_time_ns) if summary.event_count else "-",
        "span": f"{seconds:,.1f} s",
        "events": f"{summary.event_count:,}",
        "processes": f"{summary.process_count:,}",
        "lost": summary.losses_text,
    }
    cells = (
        f"<tr><th>{shown(name)}</th><td>{shown(text)}</td></tr>" for name, text in rows.items()
    )
    return f"<table><caption>{shown(summary.path)}</caption>{''.join(cells)}</table>"


def alerts_html(alerts: Iterable[Alert], notes: Iterable[str] = ()) -> str:
    """Alerts as a table, and what could not be asked below it."""
    chosen, more = _first(alerts)
    head = "".join(f"<th>{name}</th>" for name in ("time", "priority", "rule", "event", "output"))
    rows = "".join(map(_alert_row, chosen))
    rest = [f"{more:,} more alerts are not shown here"] if more else []
    below = "".join(f"<p>note: {shown(note)}</p>" for note in (*rest, *notes))
    caption = f"{len(chosen) + more:,} alerts" if len(chosen) + more != 1 else "1 alert"
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>{below}"


def _alert_row(alert: Alert) -> str:
    colour = _COLOURS[alert.priority]
    output = _VALUELESS.sub("", alert.output)
    cells = (
        f"<td>{_date(alert.time_ns)} {_clock(alert.time_ns, 3)}</td>",
        f'<td style="color:{colour}"><b>{alert.priority.title}</b></td>',
        f'<td style="text-align:left;white-space:nowrap">{shown(alert.rule.name)}</td>',
        f"<td>{alert.num}</td>",
        f'<td style="text-align:left"><small>{shown(output)}</small></td>',
    )
    return f"<tr>{''.join(cells)}</tr>"


def timeline(alerts: Iterable[Alert], *, by_host: bool = False) -> Picture:
    """When each rule fired: a lane for each rule, in the order of their first alerts.

    Args:
        alerts: in any order.
        by_host: a lane for each rule and host, where there are many hosts.
    """
    return Picture(timeline_svg(alerts, by_host=by_host))


def conversations(network: "Network") -> Picture:
    """Who talked to whom and when: a lane for each program and the other end.

    Args:
        network: `Captures.network`.

    Raises:
        CaptureError: a capture is damaged.
    """
    return Picture(lanes_svg(network.lanes))


def table(rows: "pa.Table | pd.DataFrame", *columns: str) -> Table:
    """Rows as a table for reading: texts to the left, times to the millisecond.

    Args:
        rows: an Arrow table, or a data frame.
        columns: the columns to show, in this order; all by default.
    """
    arrow = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
    shown_rows = arrow.select(list(columns) or arrow.column_names)
    more = len(shown_rows) - ROWS_MAX
    notes = [f"{more:,} more rows are not shown here"] if more > 0 else []
    return Table(rows_html(_short_times(shown_rows.slice(0, ROWS_MAX)), notes))


def _short_times(rows: pa.Table) -> pa.Table:
    for place, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            texts = pc.strftime(pc.floor_temporal(rows[place], unit="millisecond"), "%F %T")
            millis = pc.utf8_slice_codeunits(texts, 0, 23)
            rows = rows.set_column(place, column.name, millis)
    return rows


@dataclass(slots=True)
class _Program:
    """One program that a process executed.

    Attributes:
        origin: what came before it: the program that the same process was, or the one that started
            the process; None if that is not in the capture.
        depth: how many processes are between it and the first one known.
        is_same_process: whether the origin is an earlier program of the same process.
    """

    num: int
    time_ns: int
    command: str
    origin: "_Program | None"
    depth: int
    is_same_process: bool
    alerts: list[Alert] = field(default_factory=list)
    next: list["_Program"] = field(default_factory=list)
    is_shown: bool = False


def process_tree(
    captures: "Captures", alerts: Iterable[Alert], *, below: int | None = None
) -> Picture:
    """Who started whom, with the alerts of each program.

    Programs that ran before the recording began are not there: nothing says when they were started.
    A command after an arrow replaced the program above it in the same process.

    Args:
        captures: one open capture; event numbers say nothing across several.
        alerts: of that capture.
        below: number of an event; everything that its process and its descendants executed from
            then on is drawn. Without it: what leads to an alert.

    Raises:
        ValueError: there are several captures, or no process of that event was started in it.
    """
    if len(captures) != 1:
        raise ValueError(f"a tree needs one capture, found {len(captures)}")
    programs, by_pid = _programs(captures)
    _attach(captures, list(alerts), by_pid)
    if below is None:
        _show_alerting(programs)
        return _draw_tree([item for item in programs if item.origin is None])
    found = [_latest(pids, below, by_pid) for _, pids in _pids_of(captures, [below])]
    if not found or found[0] is None:
        raise ValueError(f"the process of event {below} was not started in this capture")
    found[0].is_shown = True
    for program in programs:
        program.is_shown |= program.origin is not None and program.origin.is_shown
    return _draw_tree([found[0]])


_EXECUTIONS = """
    SELECT proc.pid, proc.apid, evt.num, evt.time, proc.cmdline FROM events
    WHERE evt.type IN ('execve', 'execveat') AND evt.rawres >= 0 ORDER BY evt.num
"""

_ByPid = Mapping[int, Sequence[_Program]]
"""Programs by process id, in the order in which the process executed them."""


def _programs(captures: "Captures") -> tuple[list[_Program], _ByPid]:
    """Every executed program, in the order of the events."""
    programs: list[_Program] = []
    by_pid: dict[int, list[_Program]] = {}
    for pid, ancestors, num, time_ns, command in captures.sql(_EXECUTIONS).fetchall():
        origin = _latest([pid, *(ancestors or ())], num, by_pid)
        is_same = bool(by_pid.get(pid))
        depth = origin.depth + (not is_same) if origin else 0
        program = _Program(num, time_ns, command or "", origin, depth, is_same)
        if origin:
            origin.next.append(program)
        programs.append(program)
        by_pid.setdefault(pid, []).append(program)
    return programs, by_pid


def _latest(pids: Iterable[int], num: int, by_pid: _ByPid) -> _Program | None:
    """The program that the first known of these processes ran at an event."""
    for pid in pids:
        programs = by_pid.get(pid, ())
        place = bisect_right(programs, num, key=lambda program: program.num)
        if place:
            return programs[place - 1]
    return None


def _pids_of(captures: "Captures", numbers: Iterable[int]) -> list[tuple[int, list[int]]]:
    """The process of each event, and its ancestors."""
    chosen = ", ".join(str(int(number)) for number in set(numbers))
    if not chosen:
        return []
    query = f"SELECT evt.num, [proc.pid] || proc.apid FROM events WHERE evt.num IN ({chosen})"  # noqa: S608 - whole numbers
    return captures.sql(query).fetchall()


def _attach(captures: "Captures", alerts: Sequence[Alert], by_pid: _ByPid) -> None:
    """Give each alert to the program that ran when it happened."""
    pids = dict(_pids_of(captures, (alert.num for alert in alerts)))
    for alert in alerts:
        program = _latest(pids.get(alert.num) or (), alert.num, by_pid)
        if program:
            program.alerts.append(alert)


def _show_alerting(programs: Iterable[_Program]) -> None:
    """Show what has alerts, and what that came from."""
    for program in programs:
        item: _Program | None = program if program.alerts else None
        while item and not item.is_shown:
            item.is_shown = True
            item = item.origin


def _draw_tree(roots: Sequence[_Program]) -> Picture:
    lines, more = _first(_in_order(roots))
    parts: list[str] = []
    y = 24.0
    for program in lines:
        x = 124.0 + 20 * min(program.depth - roots[0].depth, DEPTH_MAX)
        parts.append(_text(12, y, _clock(program.time_ns, 3), _FAINT, font=_MONO))
        arrow = "\u2192 " if program.is_same_process and program not in roots else ""
        parts.append(_text(x, y, arrow + program.command, _INK, font=_MONO))
        y += 20
        for name, alerts in _by_rule(program.alerts).items():
            times = f" ({len(alerts)} times)" if len(alerts) > 1 else ""
            colour = _COLOURS[alerts[0].priority]
            parts.append(_text(x + 14, y - 2, f"\u25cf {name}{times}", colour, size=12))
            y += 17
    if more:
        parts.append(_text(12, y, f"{more:,} more programs are not shown", _FAINT))
        y += 20
    return Picture(_svg(WIDTH, y, parts))


def _in_order(roots: Iterable[_Program]) -> Iterator[_Program]:
    """Each shown program before what came from it."""
    waiting = [root for root in reversed(list(roots)) if root.is_shown]
    while waiting:
        program = waiting.pop()
        yield program
        waiting += [item for item in reversed(program.next) if item.is_shown]


def _by_rule(alerts: Iterable[Alert]) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.rule.name, []).append(alert)
    return found


def _first(items: Iterable[Item]) -> tuple[list[Item], int]:
    """As many items as are drawn, and how many more there are."""
    iterator = iter(items)
    return list(islice(iterator, ROWS_MAX)), sum(1 for _ in iterator)


def _clock(time_ns: int, digits: int) -> str:
    """Time of day in UTC, with so many digits of the second's fraction."""
    return iso_time(time_ns, "")[11 : 20 + digits if digits else 19]


def _date(time_ns: int) -> str:
    return iso_time(time_ns, "")[:10]


def _svg(width: float, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto" '
        f'font-family="{_SANS}" font-size="13">'
        f'<rect width="100%" height="100%" fill="{_PAPER}"/>{"".join(parts)}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{_LINE}" fill="none"/>'


def _text(
    x: float,
    y: float,
    text: str,
    colour: str,
    *,
    anchor: str = "start",
    font: str = _SANS,
    size: int = 13,
) -> str:
    """One line of text, cut to `TEXT_MAX`; the whole of it shows under the mouse."""
    whole = for_terminal(text)
    cut = whole if len(whole) <= TEXT_MAX else f"{whole[: TEXT_MAX - 1]}\u2026"
    title = f"<title>{html.escape(whole)}</title>" if cut != whole else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" '
        f'font-family="{font}" font-size="{size}">{html.escape(cut)}{title}</text>'
    )
