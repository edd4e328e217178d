"""From alerts to fixtures: small captures on which their rule still fires."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from falcotrace.alerts import Alert
from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.fixtures.cut import AROUND_MAX, Cut, CutOptions, cut_alerts
from falcotrace.fixtures.cut_context import Context

if TYPE_CHECKING:
    from falcotrace.api.captures import Captures

__all__ = ["AROUND_MAX", "Context", "Cut", "CutOptions", "cut_fixture"]


def cut_fixture(
    captures: "Captures", alerts: Sequence[Alert], path: str | Path, options: CutOptions
) -> Cut:
    """Cut a capture for alerts of one rule on one capture.

    Raises:
        CaptureError: the alerts are of no open capture, it is damaged, or the rule does not fire on
            what was cut.
        FalcoTraceError: the alerts are of several rules or captures; the file exists, or cannot be
            written.
    """
    if not alerts:
        raise FalcoTraceError("there is no alert to cut a fixture for")
    if len({alert.rule.name for alert in alerts}) > 1:
        raise FalcoTraceError("a fixture is of one rule: cut one for the alerts of each")
    sources = {_source_of(captures, alert) for alert in alerts}
    if len(sources) > 1:
        names = " and ".join(sorted(source.name for source in sources))
        raise FalcoTraceError(f"a fixture is of one capture, and the alerts are of {names}")
    return cut_alerts(sources.pop(), alerts, Path(path), options)


def _source_of(captures: "Captures", alert: Alert) -> Path:
    """The file that an alert comes from."""
    named = [one for one in captures if alert.capture in ("", one.path.name, str(one.path))]
    # Folders may have captures of the same name. Nobody knows the times of a `.scap` beforehand.
    for one in named:
        for group in one.row_groups:
            is_inside = group.first_num <= alert.num <= group.last_num
            if is_inside and group.first_time_ns <= alert.time_ns <= group.last_time_ns:
                return one.path
    if len(named) == 1:
        return named[0].path
    raise CaptureError(alert.capture, "is not the one open capture of that name: open it alone")
