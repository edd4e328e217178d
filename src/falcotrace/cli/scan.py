"""`falcotrace scan`: ask rules of captures."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.live_line import Waiting
from falcotrace.cli.notes import print_scan_notes
from falcotrace.cli.rule_sources import (
    AllMatchesOption,
    DisableOption,
    PriorityOption,
    RuleNameOption,
    RulesOption,
    TagOption,
    chosen_plan,
)
from falcotrace.cli.time_limits import SinceOption, UntilOption, time_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from falcotrace.alerts import Alert
    from falcotrace.api import Captures, ScanReport


def scan(
    captures: Annotated[list[Path], typer.Argument(help="Capture files, folders or globs.")],
    *,
    rules: RulesOption = None,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json (Falco's) or text (Falco's).")
    ] = "table",
    priority: PriorityOption = "debug",
    tag: TagOption = None,
    rule: RuleNameOption = None,
    disable: DisableOption = None,
    all_matches: AllMatchesOption = True,
    since: SinceOption = "",
    until: UntilOption = "",
    summary: Annotated[
        bool, typer.Option("--summary", help="Print counts for each rule instead of alerts.")
    ] = False,
) -> None:
    """Ask Falco rules of captures.

    Exit codes: 0 clean, 1 alerts, 2 error, 3 clean but events were lost.
    """
    from falcotrace.api import open_captures

    if output_format not in _DRAWERS:
        raise typer.BadParameter(f"expected one of {', '.join(_DRAWERS)}, found {output_format!r}")
    plan = chosen_plan(rules, priority, tag or [], rule or [], disable or [])
    with open_captures(captures) as opened:
        report = opened.scan(
            plan,
            all_matches=all_matches,
            since_ns=time_limit(since),
            until_ns=time_limit(until),
        )
        draw = _print_summary if summary else _DRAWERS[output_format]
        with Waiting(_work_text(opened)) as waiting:
            alert_count = draw(report, waiting)
        print_scan_notes(report, opened)
        lost = opened.has_losses
    if alert_count:
        sys.exit(ExitCode.ALERTS)
    sys.exit(ExitCode.LOST_EVENTS if lost else ExitCode.CLEAN)


def _work_text(captures: "Captures") -> str:
    """What is scanned; of captures that are read from front to back nobody knows how much."""
    from falcotrace.capture.reader import Capture

    counts = [capture.row_count for capture in captures if isinstance(capture, Capture)]
    noun = "capture" if len(captures) == 1 else "captures"
    known = f", {sum(counts):,} events" if len(counts) == len(captures) else ""
    return f"scanning {len(captures):,} {noun}{known}"


def _print_json(report: "ScanReport", waiting: Waiting) -> int:
    from falcotrace.outputs.falco import json_line

    return _print_lines(waiting.before_each(report), json_line)


def _print_text(report: "ScanReport", waiting: Waiting) -> int:
    from falcotrace.outputs.falco import text_line

    return _print_lines(waiting.before_each(report), text_line)


def _print_lines(alerts: "Iterable[Alert]", line: "Callable[[Alert], str]") -> int:
    count = 0
    for alert in alerts:
        print(line(alert))
        count += 1
    return count


def _print_table(report: "ScanReport", waiting: Waiting) -> int:
    from falcotrace.cli.alert_table import AlertTable

    drawn = AlertTable()
    for alert in waiting.before_each(report):
        drawn.add(alert)
    drawn.finish()
    return drawn.count


def _print_summary(report: "ScanReport", waiting: Waiting) -> int:
    from falcotrace.cli.render import table
    from falcotrace.outputs.times import iso_time

    total = 0
    firsts: dict[str, tuple[str, int, int, int]] = {}
    for alert in waiting.before_each(report):
        total += 1
        name = alert.rule.name
        title, count, first_ns, _last_ns = firsts.get(
            name, (alert.priority.title, 0, alert.time_ns, 0)
        )
        firsts[name] = (title, count + 1, first_ns, alert.time_ns)
    unclear: Counter[str] = Counter()
    for found in report.undetermined:
        unclear[found.rule.name] += found.count
        title, count, first_ns, last_ns = firsts.get(
            found.rule.name, (found.rule.priority.title, 0, found.first_ns, 0)
        )
        last_ns = last_ns if count else max(last_ns, found.last_ns)
        firsts[found.rule.name] = (title, count, first_ns, last_ns)
    table(
        ("rule", "priority", "alerts", "undetermined", "first", "last"),
        [
            (name, title, f"{count:,}", f"{unclear[name]:,}", iso_time(first_ns), iso_time(last_ns))
            for name, (title, count, first_ns, last_ns) in sorted(
                firsts.items(), key=lambda item: -item[1][1]
            )
        ],
        right=("alerts", "undetermined"),
    )
    return total


_DRAWERS = {"table": _print_table, "json": _print_json, "text": _print_text}
"""What each format prints; all return the number of alerts."""
