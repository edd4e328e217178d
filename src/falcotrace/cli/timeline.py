"""`falcotrace timeline`: what processes did, and alerts, in order of time."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import (
    CapturesArgument,
    JsonOption,
    NoRulesOption,
)
from falcotrace.cli.rule_sources import RulesOption
from falcotrace.cli.time_limits import SinceOption, UntilOption, time_limit

if TYPE_CHECKING:
    from falcotrace.api import Captures
    from falcotrace.investigate.process import Process
    from falcotrace.investigate.timeline import Timeline, TimelineEntry


def timeline(
    captures: CapturesArgument,
    *,
    pid: Annotated[
        int | None, typer.Option("--pid", help="Only processes of this pid and what they started.")
    ] = None,
    event: Annotated[
        int | None,
        typer.Option("--event", help="Only the process of this event and what it started."),
    ] = None,
    rules: RulesOption = None,
    no_rules: NoRulesOption = False,
    since: SinceOption = "",
    until: UntilOption = "",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="End after so many lines.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what processes did to files, sockets and each other, and alerts, in order of time.

    What a process does to one thing is one line, at the first time. What every program touches is
    left out. Exit codes: 0 answered, 2 error, 3 answered, but events were lost.
    """
    from falcotrace.cli.investigations import investigate
    from falcotrace.cli.live_line import Waiting

    if pid is not None and event is not None:
        raise typer.BadParameter("--pid and --event exclude each other")
    since_ns, until_ns = time_limit(since), time_limit(until)
    with investigate(captures) as asked:
        alerts = asked.alerts(rules, no_rules=no_rules, since_ns=since_ns, until_ns=until_ns)
        with Waiting("reading what processes did"):
            found = asked.captures.timeline(
                alerts,
                processes=_processes(asked.captures, pid, event),
                since_ns=since_ns,
                until_ns=until_ns,
            )
        _write(found.first(limit), as_json=as_json)
        _print_count(found, limit)
        asked.end()


def _processes(captures: "Captures", pid: int | None, event: int | None) -> "list[Process] | None":
    from falcotrace.errors import FalcoTraceError

    if event is not None:
        return [captures.process_of(event)]
    if pid is None:
        return None
    found = captures.processes.find(pid=pid)
    if not found:
        raise FalcoTraceError(f"no process had the pid {pid}: `falcotrace top --by process` lists")
    return list(found)


def _write(found: "Timeline", *, as_json: bool) -> None:
    from falcotrace.cli.render import is_terminal
    from falcotrace.cli.row_output import write_rows

    if is_terminal() and not as_json:
        for entry in found:
            _draw(entry)
        return
    table = found.arrow()
    write_rows(table.schema, table.to_batches(), "json" if as_json else "table", None, force=False)


_DIM, _BOLD, _RED, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[1;31m", "\x1b[0m"


def _draw(entry: "TimelineEntry") -> None:
    from falcotrace.cli.branches import shown
    from falcotrace.outputs.times import iso_time

    process = entry.process
    who = f"{shown(process.name)}[{process.pid}]" if process else "-"
    begin = f"{_DIM}{iso_time(entry.time_ns)[:26]}Z {entry.num:>9}{_RESET} {who}"
    if entry.rule:
        print(f"{begin} {_RED}● {shown(entry.rule)}{_RESET} {_DIM}{shown(entry.thing)}{_RESET}")
        return
    times = f" {_DIM}{entry.count:,} times{_RESET}" if entry.count > 1 else ""
    print(f"{begin} {_BOLD}{entry.what}{_RESET} {shown(entry.thing)}{times}")


def _print_count(found: "Timeline", limit: int | None) -> None:
    more = len(found) - (limit or len(found))
    if more > 0:
        print(f"{more:,} more lines follow: --limit shows more", file=sys.stderr)
