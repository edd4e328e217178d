"""`falcotrace export`: write alerts, and what rules cover, for the tools of others."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.export_pcap import PcapOption, WhereOption, export_pcap
from falcotrace.cli.live_line import Waiting
from falcotrace.cli.notes import print_scan_notes
from falcotrace.cli.row_output import ForceOption, OutputOption, refuse_captures, text_sink
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
    from falcotrace.rules.plan import Plan

_NAVIGATOR = "navigator"


def export(
    captures: Annotated[
        list[Path] | None,
        typer.Argument(help="Capture files, folders or globs; .scap too. None with --coverage."),
    ] = None,
    *,
    output_format: Annotated[
        str,
        typer.Option(
            "--format", help="falco, ecs, ocsf, sarif, csv, timesketch, navigator or stix."
        ),
    ] = "",
    output: OutputOption = None,
    pcap: PcapOption = None,
    where: WhereOption = "",
    force: ForceOption = False,
    coverage: Annotated[
        bool,
        typer.Option("--coverage", help="With navigator: what the rules cover, not what fired."),
    ] = False,
    rules: RulesOption = None,
    priority: PriorityOption = "debug",
    tag: TagOption = None,
    rule: RuleNameOption = None,
    disable: DisableOption = None,
    all_matches: AllMatchesOption = True,
    since: SinceOption = "",
    until: UntilOption = "",
) -> None:
    """Write the alerts of captures in the format of another tool, or conversations as packets.

    Contents of packets are there where they were recorded: `falcotrace record --snaplen`.

    Exit codes: 0 written, 2 error, 3 written, but events were lost.
    """
    from falcotrace.api import open_captures

    if pcap is not None:
        _export_packets(captures, pcap, where, output_format, force=force)
        return
    _check(captures, output_format, where, coverage=coverage)
    plan = chosen_plan(rules, priority, tag or [], rule or [], disable or [])
    if coverage:
        _write_coverage(plan, output, force=force)
        return
    with open_captures(captures or []) as opened:
        refuse_captures(output, opened.paths)
        report = opened.scan(
            plan,
            all_matches=all_matches,
            since_ns=time_limit(since),
            until_ns=time_limit(until),
        )
        # What goes to the terminal itself says that something happens.
        waiting = Waiting("asking the rules") if output else nullcontext()
        with text_sink(output, force=force) as stream, waiting:
            count = report.export(output_format, stream)
        if output is not None:
            print("1 alert" if count == 1 else f"{count:,} alerts", file=sys.stderr)
        print_scan_notes(report, opened)
        lost = opened.has_losses
    sys.exit(ExitCode.LOST_EVENTS if lost else ExitCode.CLEAN)


def _export_packets(
    captures: list[Path] | None, pcap: Path, where: str, output_format: str, *, force: bool
) -> None:
    from falcotrace.api import open_captures

    if output_format:
        raise typer.BadParameter("--pcap writes packets and --format alerts: one at a time")
    if not captures:
        raise typer.BadParameter("expected captures: falcotrace export c.parquet --pcap FILE")
    with open_captures(captures) as opened:
        export_pcap(opened, pcap, where, force=force)
        lost = opened.has_losses
    sys.exit(ExitCode.LOST_EVENTS if lost else ExitCode.CLEAN)


def _check(captures: list[Path] | None, output_format: str, where: str, *, coverage: bool) -> None:
    """Refuse what cannot be meant, before anything is read."""
    from falcotrace.outputs.exports.formats import EXPORT_FORMATS

    if where:
        raise typer.BadParameter("--where goes with --pcap")
    if output_format not in EXPORT_FORMATS:
        found = f"found {output_format!r}" if output_format else "found none"
        raise typer.BadParameter(f"--format: expected one of {', '.join(EXPORT_FORMATS)}, {found}")
    if coverage and output_format != _NAVIGATOR:
        raise typer.BadParameter(f"--coverage is a layer for the Navigator: --format {_NAVIGATOR}")
    if coverage and captures:
        raise typer.BadParameter("--coverage is about rules alone: name no captures")
    if not coverage and not captures:
        raise typer.BadParameter("expected captures: falcotrace export c.parquet --format ...")


def _write_coverage(plan: "Plan", output: Path | None, *, force: bool) -> None:
    from falcotrace.outputs.exports.context import ExportContext
    from falcotrace.outputs.exports.navigator import write_coverage

    with text_sink(output, force=force) as stream:
        write_coverage(ExportContext(plan.enabled), stream)
