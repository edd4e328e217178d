"""`falcotrace report`: one page about captures, to read, to print, to hand over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.live_line import Waiting
from falcotrace.cli.rule_sources import RulesOption, load_for_use
from falcotrace.cli.time_limits import time_limit

if TYPE_CHECKING:
    from falcotrace.report.findings import Findings


def report(
    captures: Annotated[list[Path], typer.Argument(help="Capture files, folders or globs.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path(
        "report.html"
    ),
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the page if it exists.")
    ] = False,
    rules: RulesOption = None,
    title: Annotated[
        str, typer.Option("--title", help="What stands above; the host by default.")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only events from this time on (ISO 8601, or 10m ago).")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Only events before this time.")] = "",
) -> None:
    """Write a report: alerts, causes and impact, losses, evidence, in one HTML page.

    The page opens anywhere: no scripts, nothing from the network. Only its owner can read it.
    """
    from falcotrace.api import open_captures

    plan = load_for_use(rules, tells_left_out=False).plan
    with open_captures(captures) as opened, Waiting("asking the rules, and what led to alerts"):
        made = opened.report(
            plan,
            title=title,
            since_ns=time_limit(since),
            until_ns=time_limit(until),
            sources=rules or (),
        )
    made.write(output, force=force)
    print(_line(output, made.html, made.findings))


def _line(output: Path, page: str, findings: "Findings") -> str:
    from falcotrace.cli.quantities import show_bytes
    from falcotrace.errors import escape_controls

    worst = next(iter(findings.by_rule.values()), None)
    told = f", the worst: {worst.rule.name}" if worst else ""
    counts = f"{findings.alert_count:,} alerts of {len(findings.by_rule):,} rules{told}"
    return escape_controls(f"{output}: {counts} ({show_bytes(len(page.encode()))})")
