"""What captures and alerts look like in Jupyter: tables in HTML, pictures in SVG.

    from falcotrace import notebook

    notebook.timeline(report)                         # when each rule fired
    notebook.process_tree(capture, report, below=7)   # what the process of event 7 started

In: alerts, summaries, open captures. Out: `Picture` objects that Jupyter draws by itself, without
scripts, styles or anything from the network. Whatever was recorded is escaped. Nothing is decided
here, and nothing needs Jupyter to be installed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.alerts import Alert
from falcotrace.capture.summary import Summary
from falcotrace.errors import CaptureError
from falcotrace.investigate.pictures import timeline_svg, tree_svg
from falcotrace.network.picture import lanes_svg
from falcotrace.outputs.html import rows_html, without_blanks
from falcotrace.outputs.svg import PRIORITIES, clock, date, shown
from falcotrace.outputs.times import iso_time

if TYPE_CHECKING:
    import pandas as pd

    from falcotrace.api import Captures
    from falcotrace.network.network import Network

ROWS_MAX = 200
"""More alerts than these are counted, not drawn: a browser has to bear the page."""

_NS = 1_000_000_000

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


def summary_html(summaries: Iterable[Summary]) -> str:
    """What is in captures, one small table for each."""
    return "".join(_summary_table(summary) for summary in summaries)


def _summary_table(summary: Summary) -> str:
    seconds = (summary.last_time_ns - summary.first_time_ns) / _NS
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
    names = ("time", "priority", "rule", "event", "output")
    left = ' style="text-align:left"'
    head = "".join(f"<th{left if name in ('rule', 'output') else ''}>{name}</th>" for name in names)
    rows = "".join(map(_alert_row, chosen))
    rest = [f"{more:,} more alerts are not shown here"] if more else []
    below = "".join(f"<p>note: {shown(note)}</p>" for note in (*rest, *notes))
    caption = f"{len(chosen) + more:,} alerts" if len(chosen) + more != 1 else "1 alert"
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>{below}"


def _alert_row(alert: Alert) -> str:
    colour = PRIORITIES[alert.priority].light
    cells = (
        f"<td>{date(alert.time_ns)} {clock(alert.time_ns)}</td>",
        f'<td style="color:{colour}"><b>{alert.priority.title}</b></td>',
        f'<td style="text-align:left;white-space:nowrap">{shown(alert.rule.name)}</td>',
        f"<td>{alert.num}</td>",
        f'<td style="text-align:left"><small>{shown(without_blanks(alert.output))}</small></td>',
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
    chosen = arrow.select(list(columns) or arrow.column_names)
    more = len(chosen) - ROWS_MAX
    notes = [f"{more:,} more rows are not shown here"] if more > 0 else []
    return Table(rows_html(_short_times(chosen.slice(0, ROWS_MAX)), notes))


def _short_times(rows: pa.Table) -> pa.Table:
    for place, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            texts = pc.strftime(pc.floor_temporal(rows[place], unit="millisecond"), "%F %T")
            millis = pc.utf8_slice_codeunits(texts, 0, 23)
            rows = rows.set_column(place, column.name, millis)
    return rows


def process_tree(
    captures: "Captures", alerts: Iterable[Alert], *, below: int | None = None
) -> Picture:
    """Who started whom, with the alerts of each process.

    A command after an arrow replaced the one above it in the same process.

    Args:
        captures: open captures.
        alerts: of these captures.
        below: number of an event of the only capture; its process is drawn, with what that came
            from and everything that it started. Without it: what leads to an alert.

    Raises:
        ValueError: there is no such event, or there are several captures.
    """
    asked = captures.investigation
    marked = list(alerts)
    if below is None:
        return Picture(tree_svg(asked.tree_of_alerts(marked)))
    if len(captures) != 1:
        raise ValueError(f"the number of an event needs one capture, found {len(captures)}")
    try:
        process = asked.process_of(below)
    except CaptureError as error:
        raise ValueError(str(error)) from None
    return Picture(tree_svg(asked.tree(process, marked)))


def _first(items: Iterable[Item]) -> tuple[list[Item], int]:
    """As many items as are drawn, and how many more there are."""
    iterator = iter(items)
    return list(islice(iterator, ROWS_MAX)), sum(1 for _ in iterator)
