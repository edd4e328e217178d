"""`make demo`: the main job on the capture that ships, and then on this very machine.

In: the path of a capture. Out: text for a person. Everything is done by the library; this file only
chooses what to show. It leaves nothing behind.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import falcotrace as ft
from falcotrace.alerts import Alert
from falcotrace.engines.sql import rule_sql
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.times import iso_time
from falcotrace.record.libbpf import KERNEL_BTF
from falcotrace.record.options import Observer, Outcome, Progress, RecordOptions
from falcotrace.record.recorder import record_host
from falcotrace.rules.load import load_rules
from falcotrace.rules.shipped import shipped_rules

RULE = "Link to a credential file"
SHOWN_ALERTS = 25
SECONDS = 3
"""How long this host is recorded."""

STYLES = {"Critical": "bold red", "Error": "red", "Warning": "yellow", "Notice": "cyan"}

FROM_MEMORY = """
import os, sys
program = os.memfd_create("demo")
os.write(program, open(sys.argv[1], "rb").read())
os.execve(program, ["demo"], {})
"""

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def main() -> None:
    """Show the capture named on the command line, then this host."""
    path = Path(sys.argv[1])
    show_capture(path)
    show_alerts_of(path)
    show_sql(path)
    show_this_host()
    console.print(
        "\nNext: [bold]notebooks/01_triage.ipynb[/bold], or [bold]falcotrace --help[/bold]."
    )


def headline(text: str, command: str) -> None:
    """A step: what it shows, and what to type for it."""
    console.print()
    console.rule(Text(text, "bold"), align="left")
    console.print(Text(f"$ {command}\n", "dim"))


def show_capture(path: Path) -> None:
    """What is in it: `falcotrace info`."""
    headline("A capture: everything that a host did for half a minute", f"falcotrace info {path}")
    with ft.open(path) as opened:
        (summary,) = opened.info
    most = sorted(summary.event_counts.items(), key=lambda item: -item[1])[:6]
    facts = {
        "host": f"{summary.hostname} (Linux {summary.kernel}, {summary.architecture})",
        "from": iso_time(summary.first_time_ns),
        "to": iso_time(summary.last_time_ns),
        "events": f"{summary.event_count:,} by {summary.process_count} processes: "
        + ", ".join(f"{name} {count:,}" for name, count in most)
        + " ...",
        "lost": summary.losses_text,
        "size": f"{summary.size_bytes / 1024:,.0f} KiB",
    }
    for name, text in facts.items():
        console.print(Text.assemble((f"  {name:<8}", "dim"), for_terminal(text)))


def show_alerts_of(path: Path) -> None:
    """What the shipped rules say: `falcotrace scan`."""
    headline("The alerts of the rules that ship", f"falcotrace scan {path}")
    with ft.open(path) as opened:
        draw_alerts(opened.scan(ft.rules()))


def draw_alerts(alerts: Iterable[Alert]) -> None:
    """Alerts, one a line; the first ones of many."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("time", "priority", "rule", "command"):
        table.add_column(name, no_wrap=name != "command", overflow="fold")
    count = 0
    for alert in alerts:
        count += 1
        if count <= SHOWN_ALERTS:
            command = str(alert.output_fields.get("proc.cmdline") or "")
            table.add_row(
                Text(iso_time(alert.time_ns)[11:23], "dim"),
                Text(alert.priority.title, STYLES.get(alert.priority.title, "")),
                Text(for_terminal(alert.rule.name)),
                Text(for_terminal(command)),
            )
    console.print(table)
    more = f", {SHOWN_ALERTS} of them here" if count > SHOWN_ALERTS else ""
    console.print(f"\n{count} alerts{more}", style="bold")


def show_sql(path: Path) -> None:
    """One rule as SQL, and its rows: `falcotrace rules sql`."""
    headline("A rule as SQL", f"falcotrace rules sql '{RULE}' --capture {path}")
    rules = load_rules([shipped_rules()]).plan.rules
    rule = next(rule for rule in rules if rule.name == RULE)
    query = rule_sql(rule, str(path))
    console.print(Syntax(query, "sql", theme="ansi_dark", background_color="default"))
    console.print("Its rows in DuckDB:\n", style="bold")
    with ft.open(path) as opened:
        rows = opened.sql(query)
        for row in rows.fetchall():
            for name, value in zip(rows.columns, row, strict=True):
                console.print(Text.assemble((f"  {name:<22}", "dim"), for_terminal(str(value))))


def show_this_host() -> None:
    """Record this host for a moment and scan that, where it is possible."""
    headline("Here and now", f"falcotrace record --duration {SECONDS}s -o here.parquet")
    if os.geteuid() != 0:
        console.print("Skipped: recording needs root. Try `sudo make demo`.")
        return
    if not KERNEL_BTF.exists():
        console.print(f"Skipped: this kernel has no {KERNEL_BTF}, which the recorder needs.")
        return
    with tempfile.TemporaryDirectory(prefix="falcotrace-demo-") as name:
        folder = Path(name)
        try:
            outcome = record_activity(folder)
        except ft.RecordError as error:
            console.print(Text(f"Skipped: {error}"))
            return
        console.print(f"recorded {outcome.event_count:,} events of this host, then:\n")
        console.print(Text("$ falcotrace scan here.parquet\n", "dim"))
        with ft.open(outcome.path) as opened:
            draw_alerts(opened.scan(ft.rules()))
            for note in opened.loss_notes:
                console.print(Text(f"note: {for_terminal(note)}", "yellow"))


def record_activity(folder: Path) -> Outcome:
    """Record this host while something harmless happens that rules look for.

    Raises:
        RecordError: this host cannot be recorded.
    """
    actors: list[threading.Thread] = []

    class Starter(Observer):
        def progressed(self, progress: Progress) -> None:
            del progress
            if not actors:
                actors.append(threading.Thread(target=act, args=(folder,)))
                actors[0].start()

    outcome = record_host(RecordOptions(folder / "here.parquet", duration_s=SECONDS), Starter())
    for actor in actors:
        actor.join()
    return outcome


def act(folder: Path) -> None:
    """Read the password hashes into nothing, link to them, run a program from memory."""
    true = shutil.which("true") or "/bin/true"
    for command in (
        ["cat", "/etc/shadow"],
        ["ln", "-s", "/etc/shadow", str(folder / "shadow")],
        [sys.executable, "-c", FROM_MEMORY, true],
    ):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
