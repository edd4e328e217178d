"""`falcotrace graph`: what led to an event, and what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import CapturesArgument, JsonOption, NoRulesOption
from falcotrace.cli.row_output import ForceOption
from falcotrace.cli.rule_sources import RulesOption

if TYPE_CHECKING:
    from falcotrace.investigate.graph import Graph


def graph(
    captures: CapturesArgument,
    *,
    event: Annotated[
        int | None, typer.Option("--event", help="The number of the event to begin with.")
    ] = None,
    alert: Annotated[
        int | None,
        typer.Option("--alert", help="Or the number of the alert, from 1, as `scan` lists them."),
    ] = None,
    rules: RulesOption = None,
    no_rules: NoRulesOption = False,
    nodes: Annotated[
        int, typer.Option("--nodes", min=2, max=1000, help="At most so many nodes.")
    ] = 50,
    as_json: JsonOption = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw a picture into this file instead.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Show what led to an event or an alert, and what came of it; every line cites events.

    Exit codes: 0 answered, 2 error, 3 answered, but events were lost.
    """
    from falcotrace.cli.investigations import chosen_alert, investigate, print_json
    from falcotrace.cli.live_line import Waiting

    if (event is None) == (alert is None):
        raise typer.BadParameter("expected one of --event and --alert")
    with investigate(captures) as asked:
        alerts = asked.alerts(rules, no_rules=no_rules)
        begin = chosen_alert(alerts, alert) if alert is not None else event or 0
        with Waiting("following what processes did"):
            found = asked.captures.graph(begin, alerts, node_limit=nodes)
        if as_json:
            print_json({**found.to_dict(), "notes": [*found.notes, *asked.notes]})
        elif svg is not None:
            _save(found, svg, force=force)
        else:
            _draw(found)
        asked.end()


def _save(found: "Graph", svg: Path, *, force: bool) -> None:
    from falcotrace.investigate.pictures import graph_svg
    from falcotrace.outputs.whole_file import whole_file

    with whole_file(svg, force=force) as file:
        file.write_text(graph_svg(found), encoding="utf-8")


def _draw(found: "Graph") -> None:
    from falcotrace.cli.branches import draw_branches
    from falcotrace.cli.graph_text import GraphText
    from falcotrace.cli.render import heading

    text = GraphText(found)
    heading("What led to it")
    draw_branches(text.causes())
    heading("What came of it")
    draw_branches(text.impacts())
    if found.left_out_count:
        print(f"{found.left_out_count:,} things are not drawn: --nodes draws more")
