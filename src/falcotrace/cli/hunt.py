"""`falcotrace hunt`: ask rules of many captures."""

import dataclasses
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
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
    from falcotrace.hunt import Hunt, HuntOptions, HuntProgress
    from falcotrace.hunt.ledger import Ledger
    from falcotrace.hunt.report import Findings, HuntReport

_FORMATS = ("table", "json", "parquet", "duckdb")
_TO_FILES = ("parquet", "duckdb")


def hunt(
    captures: Annotated[
        list[str], typer.Argument(help="Capture files, folders, globs, or URLs (s3://..).")
    ],
    *,
    rules: RulesOption = None,
    engine: Annotated[
        str, typer.Option("--engine", help="duckdb, replay or spark; the alerts are the same.")
    ] = "duckdb",
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder for what is done: a hunt cut off goes on from there."),
    ] = None,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json (Falco's), parquet or duckdb.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File for the results.")
    ] = None,
    since: SinceOption = "",
    until: UntilOption = "",
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="Only captures of this host; * stands for anything."),
    ] = None,
    rule: RuleNameOption = None,
    tag: TagOption = None,
    disable: DisableOption = None,
    priority: PriorityOption = "debug",
    all_matches: AllMatchesOption = True,
    master: Annotated[
        str | None, typer.Option("--master", help="Where Spark runs: local[4], spark://host:7077.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Threads to use.")] = None,
    memory: Annotated[
        str, typer.Option("--memory", help="What DuckDB may use before it writes to disk.")
    ] = "512M",
    summary: Annotated[
        bool, typer.Option("--summary", help="Print the report of rules, no alerts.")
    ] = False,
) -> None:
    """Ask Falco rules of many captures.

    Exit codes: 0 clean, 1 alerts, 2 error, 3 clean but events were lost or a file could not be
    read, 130 interrupted.
    """
    from falcotrace.hunt.run import ENGINES, Hunt
    from falcotrace.hunt.targets import find_targets

    _check("--engine", engine, ENGINES)
    _check("--format", output_format, _FORMATS)
    if output_format in _TO_FILES and output is None:
        raise typer.BadParameter(f"--format {output_format} needs a file: -o FILE")
    plan = chosen_plan(rules, priority, tag or [], rule or [], disable or [])
    options = dataclasses.replace(
        _options(engine, all_matches, since, until, host or [], threads, memory), master=master
    )
    one = Hunt(plan, find_targets(captures), options)
    with ExitStack() as stack:
        ledger = stack.enter_context(_ledger(one, state, stack))
        finished = _run(one, ledger, state)
        findings = _findings(one, ledger)
        report = findings.report()
        _write(findings, report, output_format, output, summary=summary)
        _print_notes(report, one)
    if not finished:
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(_exit_code(report))


def _check(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise typer.BadParameter(f"{option}: expected one of {', '.join(known)}, found {value!r}")


def _options(
    engine: str,
    all_matches: bool,  # noqa: FBT001 - as it comes from the command line
    since: str,
    until: str,
    hosts: list[str],
    threads: int | None,
    memory: str,
) -> "HuntOptions":
    from falcotrace.cli.quantities import parse_size
    from falcotrace.engines.base import default_threads
    from falcotrace.hunt import HuntOptions

    try:
        memory_bytes = parse_size(memory)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return HuntOptions(
        engine=engine,
        first_match=not all_matches,
        since_ns=time_limit(since),
        until_ns=time_limit(until),
        hosts=tuple(hosts),
        threads=threads or default_threads(),
        memory_bytes=memory_bytes,
    )


def _ledger(one: "Hunt", state: Path | None, stack: ExitStack) -> "Ledger":
    from tempfile import TemporaryDirectory

    from falcotrace.hunt.ledger import Ledger

    if state is None:
        state = Path(stack.enter_context(TemporaryDirectory(prefix="falcotrace-")))
    return Ledger(state, one.digest)


def _run(one: "Hunt", ledger: "Ledger", state: Path | None) -> bool:
    """Hunt; False if the user stopped it, after what was done is safe."""
    from falcotrace.cli.live_line import LiveLine

    with LiveLine() as line:
        line.show(f"{len(one.targets):,} files")
        try:
            one.run(ledger, lambda progress: line.show(_progress(progress)))
        except KeyboardInterrupt:
            line.clear()
            hint = f"; the same command goes on from {state}" if state else ""
            print(f"interrupted: what follows is of the files that are done{hint}", file=sys.stderr)
            return False
    return True


def _progress(progress: "HuntProgress") -> str:
    from falcotrace.outputs.escape import for_terminal

    counts = f"{progress.files_done:,} of {progress.files:,} files"
    if progress.files_pruned:
        counts += f" ({progress.files_pruned:,} not read)"
    found = f"{progress.events:,} events, {progress.alerts:,} alerts"
    return f"{counts}, {found}  {for_terminal(progress.file)}"


def _findings(one: "Hunt", ledger: "Ledger") -> "Findings":
    from falcotrace.hunt.report import Findings

    return Findings(ledger, one.plan, [target.text for target in one.targets])


def _write(
    findings: "Findings",
    report: "HuntReport",
    output_format: str,
    output: Path | None,
    *,
    summary: bool,
) -> None:
    from falcotrace.hunt.results import write_database, write_json, write_parquet

    if output_format == "parquet" and output:
        write_parquet(findings, output)
    elif output_format == "duckdb" and output:
        write_database(findings, report, output)
    elif output_format == "json":
        write_json(findings, output)
    else:
        _print_table(findings, report, summary=summary)


def _print_table(findings: "Findings", report: "HuntReport", *, summary: bool) -> None:
    from falcotrace.cli.alert_table import AlertTable
    from falcotrace.cli.render import is_terminal, table
    from falcotrace.outputs.times import iso_time

    if not summary:
        drawn = AlertTable(shows_capture=True)
        for alert in findings.alerts():
            drawn.add(alert)
        drawn.finish()
        if not is_terminal():
            # A pipe reads one table.
            return
    table(
        ("rule", "priority", "alerts", "hosts", "files", "first", "last", "events asked"),
        [
            (
                one.rule,
                one.priority,
                f"{one.alerts:,}",
                f"{one.hosts:,}",
                f"{one.files:,}",
                iso_time(one.first_ns)[:19] if one.alerts else "-",
                iso_time(one.last_ns)[:19] if one.alerts else "-",
                f"{one.events_asked:,}",
            )
            for one in report.rules
            if one.alerts or summary
        ],
        right=("alerts", "hosts", "files", "events asked"),
    )


def _print_notes(report: "HuntReport", one: "Hunt") -> None:
    """Say what was read, what was not, and what was lost; never silently quiet."""
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.rules.left_out import describe_left_out

    hunted, pruned = report.with_status("hunted"), report.with_status("pruned")
    silent = sum(not rule.alerts for rule in report.rules)
    print(
        f"{len(hunted):,} of {len(one.targets):,} files hunted, {report.event_count:,} events, "
        f"{report.alert_count:,} alerts of {len(report.rules) - silent:,} rules; "
        f"{silent:,} rules silent; {len(pruned):,} files not read",
        file=sys.stderr,
    )
    for failed in report.with_status("failed"):
        print(
            f"failed: {for_terminal(failed.file)}: {for_terminal(failed.reason)}", file=sys.stderr
        )
    for lossy in (file for file in hunted if file.losses):
        note = f"{lossy.file}: lost events: {lossy.losses}"
        print(f"note: {for_terminal(note)}", file=sys.stderr)
    notes = [note for rule in report.rules for note in rule.notes]
    for note in (*describe_left_out(one.plan.left_out), *notes):
        print(f"note: {for_terminal(note)}", file=sys.stderr)


def _exit_code(report: "HuntReport") -> ExitCode:
    if report.alert_count:
        return ExitCode.ALERTS
    failed = report.with_status("failed")
    if failed and len(failed) == len(report.files):
        return ExitCode.ERROR
    is_lossy = any(file.losses for file in report.with_status("hunted"))
    return ExitCode.LOST_EVENTS if failed or is_lossy else ExitCode.CLEAN
