"""`falcotrace tree`: who started a process, what it started, and where alerts are."""

from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import CapturesArgument, JsonOption, LimitOption, NoRulesOption
from falcotrace.cli.rule_sources import RulesOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcotrace.alerts import Alert
    from falcotrace.api.alerts import CapturedAlert
    from falcotrace.investigate.process import Process
    from falcotrace.investigate.tree import ProcessTree, TreeLine


def tree(
    captures: CapturesArgument,
    *,
    event: Annotated[
        list[int] | None,
        typer.Option("--event", help="The process of the event of this number; repeatable."),
    ] = None,
    alert: Annotated[
        list[int] | None,
        typer.Option(
            "--alert",
            help="The process of the alert of this number, from 1, as `scan` lists them.",
        ),
    ] = None,
    rules: RulesOption = None,
    no_rules: NoRulesOption = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """Show processes between their ancestors and what they started, with alerts marked.

    Without --event and --alert: the processes of all alerts. Exit codes: 0 answered, 2 error,
    3 answered, but events were lost.
    """
    from falcotrace.cli.investigations import investigate, print_json

    if no_rules and not event:
        raise typer.BadParameter("--no-rules needs an --event to begin with")
    with investigate(captures) as asked:
        alerts = asked.alerts(rules, no_rules=no_rules)
        wanted = _wanted(alerts, event or [], alert or [])
        drawn = asked.captures.tree_of(wanted, alerts, limit=limit)
        if as_json:
            print_json({**drawn.to_dict(), "notes": [*asked.captures.loss_notes, *asked.notes]})
        else:
            _draw(drawn)
        asked.end()


def _wanted(
    alerts: "Sequence[CapturedAlert]", events: "Sequence[int]", numbers: "Sequence[int]"
) -> "list[int | Alert]":
    from falcotrace.cli.investigations import chosen_alert

    if not events and not numbers:
        return list(alerts)
    return [*events, *(chosen_alert(alerts, number) for number in numbers)]


def _draw(drawn: "ProcessTree") -> None:
    from falcotrace.cli.branches import Branch, draw_branches

    roots: list[Branch] = []
    way: list[Branch] = []
    for line in drawn.lines:
        branch = Branch(_pieces(line))
        del way[line.depth :]
        (way[-1].children if way else roots).append(branch)
        way.append(branch)
    draw_branches(roots)
    if drawn.left_out_count:
        print(f"{drawn.left_out_count:,} more processes below are not shown: --limit shows more")
    if not drawn.lines:
        print("no alerts: --event says which process to show")


def _pieces(line: "TreeLine") -> tuple[tuple[str, str], ...]:
    from falcotrace.cli.branches import shown

    process = line.process
    commands = " → ".join(shown(command) for command in _commands(process))
    found = [(commands, "bold" if line.is_asked else "" if process.is_recorded else "dim")]
    found.append((f"  {shown(describe_process(process))}", "dim"))
    if line.is_asked:
        found.append(("  ◀", "bold"))
    for rule, count in line.rules.items():
        times = f" ({count:,} times)" if count > 1 else ""
        found.append((f"  ● {shown(rule)}{times}", "bold red"))
    return tuple(found)


def _commands(process: "Process") -> list[str]:
    """What it executed; not what it was as a copy of its parent, if it executed something."""
    commands = [program.cmdline or program.name for program in process.programs]
    parent = process.parent
    if parent and len(commands) > 1 and commands[0] in {p.cmdline for p in parent.programs}:
        del commands[0]
    return commands


def describe_process(process: "Process") -> str:
    """Its pid, user and container, as far as they are known."""
    found = [f"pid {process.pid}"]
    if process.user:
        found.append(process.user)
    if process.container_id not in ("", "host"):
        found.append(f"in {process.container_name or process.container_id}")
    if not process.is_recorded:
        found.append("before the recording")
    return ", ".join(found)
