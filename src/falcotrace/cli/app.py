"""The command tree."""

from typing import Annotated

import typer

from falcotrace.cli import (
    diff,
    explain,
    export,
    fields,
    fixture,
    graph,
    hunt,
    import_,
    info,
    query,
    record,
    recover,
    report,
    rules,
    scan,
    seal,
    show,
    sign,
    sql,
    stream,
    timeline,
    top,
    tree,
    verify,
)
from falcotrace.version import __version__

app = typer.Typer(
    name="falcotrace",
    help="Record a Linux host's system calls; ask Falco rules of the recording.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("record")(record.record)
app.command("seal")(seal.seal)
app.command("recover")(recover.recover)
app.command("verify")(verify.verify)
app.command("sign")(sign.sign)
app.command("import")(import_.import_)
app.command("scan")(scan.scan)
app.command("hunt")(hunt.hunt)
app.command("report")(report.report)
app.command("explain")(explain.explain)
app.command("show")(show.show)
app.command("tree")(tree.tree)
app.command("timeline")(timeline.timeline)
app.command("graph")(graph.graph)
app.command("top")(top.top)
app.command("diff")(diff.diff)
app.command("export")(export.export)
app.command("fixture")(fixture.fixture)
app.command("stream")(stream.stream)
app.command("query")(query.query)
app.command("sql")(sql.sql)
app.command("info")(info.info)
app.add_typer(rules.app, name="rules")
app.command("fields")(fields.fields)


def _version(*, value: bool) -> None:
    if value:
        print(f"falcotrace {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Options of every command."""
    del version, debug
