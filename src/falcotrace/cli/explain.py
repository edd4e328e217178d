"""`falcotrace explain`: why a rule fired on an event, why not, and which events came nearest."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.live_line import Waiting
from falcotrace.cli.options import JsonOption
from falcotrace.cli.rule_sources import RulesOption, load_for_use

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from falcotrace.explain.event import EventExplanation
    from falcotrace.explain.misses import Misses
    from falcotrace.outputs.explanation import Line


def explain(
    capture: Annotated[Path, typer.Argument(help="A capture, or a .scap file.")],
    *,
    rule: Annotated[str, typer.Option("--rule", help="The rule's name.")],
    rules: RulesOption = None,
    event: Annotated[
        int | None, typer.Option("--event", help="The event's number; without, the nearest misses.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="So many groups of misses are shown.")
    ] = 20,
    shows_all: Annotated[
        bool, typer.Option("--all", help="Show also what decides nothing in long conditions.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain why a rule fires on an event or does not, or which events nearly matched.

    With --event the condition is shown with the value behind each check, and whether it is true,
    false or unknown. Without it matches are counted, and the events that fail the fewest checks.
    """
    from falcotrace.api import open_captures
    from falcotrace.rules.select import find_rule

    found = find_rule(load_for_use(rules).plan, rule)
    with open_captures(capture) as opened, Waiting("asking the rule"):
        answer = (
            opened.misses(found, limit=limit) if event is None else opened.explain(found, event)
        )
        notes = opened.explanation_notes(found)
    if as_json:
        from falcotrace.outputs.explanation_json import explanation_json

        print(explanation_json(answer, notes))
        return
    _draw(answer, shows_all=shows_all)
    _print_notes(answer, notes)


def _draw(answer: "EventExplanation | Misses", *, shows_all: bool) -> None:
    from falcotrace.explain.event import EventExplanation

    if isinstance(answer, EventExplanation):
        _draw_event(answer, shows_all=shows_all)
    else:
        _draw_misses(answer)


def _print_notes(answer: "EventExplanation | Misses", notes: "tuple[str, ...]") -> None:
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.outputs.explanation import answer_notes

    for note in (*answer_notes(answer), *notes):
        print(f"note: {for_terminal(note)}", file=sys.stderr)


def _draw_event(explained: "EventExplanation", *, shows_all: bool) -> None:
    from falcotrace.cli.render import is_terminal
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.outputs.explanation import condition_lines, event_text, headline, verdict

    if not is_terminal():
        for line in event_text(explained, shows_all=shows_all):
            print(line)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(headline(explained), style="dim"))
    title = Text(for_terminal(explained.rule.name), style="bold")
    console.print(title.append(f"  {verdict(explained)}", style=_VERDICTS[explained.truth]))
    console.print(_tree(condition_lines(explained, shows_all=shows_all)))


_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_VERDICTS = {"true": "bold green", "false": "bold red", "unknown": "bold yellow"}
_SYMBOLS = {"true": "✓", "false": "✗", "unknown": "?"}


def _tree(root: "Line") -> "Tree":
    """The lines as a tree of rich; nothing recurses."""
    from rich.tree import Tree

    tree = Tree(_label(root), guide_style="dim")
    pending = [(root, tree)]
    while pending:
        line, node = pending.pop()
        pending += [(child, node.add(_label(child))) for child in line.children]
    return tree


def _label(line: "Line") -> "Text":
    from rich.text import Text

    if line.truth is None:
        return Text(f"… {line.text}", style="dim")
    style = _style(line)
    label = Text(f"{_SYMBOLS[line.truth]} ", style=style)
    label.append(line.text, style="bold" if line.is_cause else "")
    if line.value:
        label.append("  ").append(line.value, style="bold red" if line.is_cause else "cyan")
    if line.doubt:
        label.append(f"  {line.doubt}", style="yellow")
    return label


def _style(line: "Line") -> str:
    if line.truth == "unknown":
        return "bold yellow"
    return "green" if line.helps else "bold red"


def _draw_misses(misses: "Misses") -> None:
    from falcotrace.cli.render import is_terminal
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.outputs.misses import miss_tables, misses_headlines, misses_text

    if not is_terminal():
        for line in misses_text(misses):
            print(line)
        return
    print(f"{_BOLD}{for_terminal(misses.rule.name)}{_RESET}")
    for line in misses_headlines(misses):
        print(line)
    for table in miss_tables(misses):
        print()
        for line in table.headings:
            print(f"{_BOLD}{line}{_RESET}")
        header, *lines = table.lines
        print(f"{_DIM}{header}{_RESET}")
        for line in lines:
            print(line)
