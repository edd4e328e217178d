"""`falcotrace show`: everything about one event."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Mapping


def show(
    capture: Annotated[Path, typer.Argument(help="A capture.")],
    event: Annotated[int, typer.Argument(help="The event's number.")],
    *,
    shows_all: Annotated[
        bool, typer.Option("--all", help="Also raw values, environments, numbers of the kernel.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show everything that is known about one event, under Falco's names.

    Exit codes: 0 answered, 2 error, 3 answered, but events were lost.
    """
    from falcotrace.cli.investigations import investigate, print_json
    from falcotrace.investigate.event import group_fields, is_detail

    with investigate([capture]) as asked:
        fields = asked.captures.event(event)
        if as_json:
            groups = group_fields(fields)
            document = {name: value for group in groups.values() for name, value in group.items()}
            print_json({"capture": str(capture), "event": document})
        else:
            kept = {p: v for p, v in fields.items() if shows_all or not is_detail(p)}
            for about, group in group_fields(kept).items():
                _draw(str(about), group, shows_all=shows_all)
            _hint(capture, event)
        asked.end()


def _draw(title: str, group: "Mapping[str, object]", *, shows_all: bool) -> None:
    from falcotrace.cli.branches import shown
    from falcotrace.cli.render import heading
    from falcotrace.investigate.event import About
    from falcotrace.outputs.escape import for_terminal

    heading(title)
    lines = _generations(group) if title == About.ANCESTORS else _values(group)
    cut = for_terminal if shows_all else shown
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"  {name:<{width}}  {cut(value)}")


def _values(group: "Mapping[str, object]") -> list[tuple[str, str]]:
    from falcotrace.events.columns import COLUMNS
    from falcotrace.events.fields import column_path
    from falcotrace.outputs.times import iso_time

    found = []
    for name, value in group.items():
        text = _text(value)
        column = COLUMNS.get(column_path(name))
        if column and column.unit == "ns since the epoch" and isinstance(value, int) and value:
            text = f"{text}  ({iso_time(value)})"
        found.append((name, text))
    return found


def _generations(group: "Mapping[str, object]") -> list[tuple[str, str]]:
    """A line for each ancestor instead of a list for each field; the parent is 1, as in Falco."""
    lists = {name: value for name, value in group.items() if isinstance(value, list)}
    count = max((len(values) for values in lists.values()), default=0)
    return [
        (f"[{place + 1}] {name}", _text(values[place]))
        for place in range(count)
        for name, values in lists.items()
        if place < len(values) and values[place] is not None
    ]


def _text(value: object) -> str:
    """A value on one line; recorded text is escaped when it is drawn."""
    from falcotrace.events.text import to_text

    if isinstance(value, bytes):
        return to_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return str(value)


def _hint(capture: Path, event: int) -> None:
    from falcotrace.cli.render import heading, is_terminal
    from falcotrace.outputs.escape import for_terminal

    if not is_terminal():
        return
    name = for_terminal(shlex.quote(str(capture)))
    heading("what to ask next")
    for question in (
        f"tree {name} --event {event}",
        f"graph {name} --event {event}",
        f"timeline {name} --event {event}",
        f"explain --rule NAME --event {event} {name}",
    ):
        print(f"  falcotrace {question}")
