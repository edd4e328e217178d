"""Alerts as a readable table: time, priority, rule, and the output below each other."""

import sys
import textwrap

from falcotrace.alerts import Alert
from falcotrace.cli.render import is_terminal, terminal_width
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.times import iso_time
from falcotrace.rules.plan import Priority

_COLOURS = {
    **dict.fromkeys((Priority.EMERGENCY, Priority.ALERT, Priority.CRITICAL), "\x1b[1;31m"),
    Priority.ERROR: "\x1b[31m",
    Priority.WARNING: "\x1b[33m",
    Priority.NOTICE: "\x1b[36m",
}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


class AlertTable:
    """Prints alerts as they come: a head line for each, and its output wrapped below.

    In a pipe: tab-separated time, priority, rule, event number and output, a header line first.

    Args:
        shows_capture: say for each alert which capture it comes from.
    """

    def __init__(self, *, shows_capture: bool = False) -> None:
        self.count = 0
        self._shows_capture = shows_capture
        self._head = ("host", "capture") if shows_capture else ()
        self._is_terminal = is_terminal()
        self._width = max(40, terminal_width())

    def add(self, alert: Alert) -> None:
        """Print one alert."""
        if self._is_terminal:
            self._draw(alert)
        else:
            if not self.count:
                print("\t".join(("time", "priority", "rule", "event", "output", *self._head)))
            cells = [alert.rule.name, str(alert.num), for_terminal(alert.output)]
            if self._shows_capture:
                cells += [for_terminal(alert.hostname), for_terminal(alert.capture)]
            print("\t".join((iso_time(alert.time_ns), alert.priority.title, *cells)))
        self.count += 1

    def finish(self) -> None:
        """Say how many there were, on a terminal."""
        if self._is_terminal:
            noun = "alert" if self.count == 1 else "alerts"
            print(f"{_BOLD}{self.count:,} {noun}{_RESET}", file=sys.stdout)

    def _draw(self, alert: Alert) -> None:
        colour = _COLOURS.get(alert.priority, "")
        time = iso_time(alert.time_ns)[:26] + "Z"
        name = for_terminal(alert.rule.name)
        print(
            f"{_DIM}{time}{_RESET} {colour}{alert.priority.title:<13}{_RESET} "
            f"{_BOLD}{name}{_RESET} {_DIM}event {alert.num:,}{self._origin(alert)}{_RESET}"
        )
        # No break inside words: a path stays one piece for copying.
        body = textwrap.fill(
            for_terminal(alert.output),
            self._width,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        print(body)

    def _origin(self, alert: Alert) -> str:
        after = _after(alert)
        if not self._shows_capture:
            return after
        return after + for_terminal(f" of {alert.hostname or '<NA>'}, {alert.capture}")


_SHOWN_STEPS = 3


def _after(alert: Alert) -> str:
    """The events that led to it: `, after 12, 40 and 28 more`."""
    if not alert.steps:
        return ""
    shown = ", ".join(f"{num:,}" for num in alert.steps[:_SHOWN_STEPS])
    more = len(alert.steps) - _SHOWN_STEPS
    return f", after {shown} and {more} more" if more > 0 else f", after {shown}"
