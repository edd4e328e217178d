"""`falcotrace rules`.

Check rule files, list rules, show one with everything resolved, print SQL, convert Sigma's; what
proves them is in modules of its own.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli import rules_coverage, rules_proof, rules_tune
from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.options import JsonOption
from falcotrace.cli.rule_sources import RulesOption, load_for_use
from falcotrace.errors import FalcoTraceError

if TYPE_CHECKING:
    from falcotrace.rules.plan import RulePlan

app = typer.Typer(
    help="Check, list, show, convert and prove rules.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("test")(rules_proof.prove)
app.command("tune")(rules_tune.tune)
app.command("coverage")(rules_coverage.coverage)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Rules files and folders, in order.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Check rule files. Exit code 0 if they can be used, 2 if not."""
    from falcotrace.errors import escape_controls, render_diagnostic
    from falcotrace.rules.left_out import describe_left_out
    from falcotrace.rules.report import report
    from falcotrace.sigma.load import load_any_rules

    # As Falco's own check: whether a required plugin is there shows only when rules are to run.
    ruleset = load_any_rules(files, verify_plugins=False)
    if as_json:
        print(json.dumps(report(ruleset), indent=2, ensure_ascii=False))
    else:
        for diagnostic in (*ruleset.errors, *ruleset.lasting_warnings):
            print(render_diagnostic(diagnostic))
        for note in describe_left_out(ruleset.plan.left_out):
            print(f"note: {escape_controls(note)}")
        enabled = len(ruleset.plan.enabled)
        print(
            f"{len(ruleset.plan.rules)} rules ({enabled} enabled), {len(ruleset.errors)} errors, "
            f"{len(ruleset.lasting_warnings)} warnings"
        )
    sys.exit(ExitCode.CLEAN if ruleset.ok else ExitCode.ERROR)


@app.command("list")
def list_rules(*, rules: RulesOption = None) -> None:
    """List the rules: name, priority, events, tags."""
    from falcotrace.cli.render import table

    plan = load_for_use(rules).plan
    table(
        ("rule", "priority", "enabled", "events", "tags"),
        [
            (
                rule.name,
                rule.priority.title,
                "yes" if rule.enabled else "no",
                _event_names(rule),
                " ".join(rule.tags),
            )
            for rule in plan.rules
        ],
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The rule's name.")], *, rules: RulesOption = None
) -> None:
    """Show a rule with everything resolved: condition, events, columns that it reads."""
    from falcotrace.cli.render import key_values
    from falcotrace.engines.field_columns import columns_of
    from falcotrace.rules.asked import asked_fields
    from falcotrace.rules.pretty import pretty_formula
    from falcotrace.rules.select import find_rule
    from falcotrace.rules.sequences import describe_correlation

    rule = find_rule(load_for_use(rules).plan, name)
    columns = dict.fromkeys(path for field in asked_fields(rule) for path in columns_of(field))
    key_values(
        rule.name,
        {
            "priority": rule.priority.title,
            "enabled": "yes" if rule.enabled else "no",
            "source": rule.source,
            "tags": " ".join(rule.tags) or "-",
            "events": _event_names(rule),
            "columns": " ".join(columns),
            "description": " ".join(rule.description.split()),
            "output": rule.output.text,
        },
    )
    print("  condition")
    print(pretty_formula(rule.condition, indent=4))
    for title, text in describe_correlation(rule.correlation) if rule.correlation else ():
        print(f"  {title}\n    {text}")


@app.command()
def sql(
    name: Annotated[str, typer.Argument(help="The rule's name.")],
    *,
    rules: RulesOption = None,
    capture: Annotated[
        str, typer.Option("--capture", help="The capture that the query reads.")
    ] = "capture.parquet",
    dialect: Annotated[
        str, typer.Option("--dialect", help="The engine: duckdb, spark, trino or clickhouse.")
    ] = "duckdb",
) -> None:
    """Print a rule as a query over a capture, for DuckDB or another engine."""
    from falcotrace.engines.sql import rule_sql
    from falcotrace.rules.select import find_rule

    rule = find_rule(load_for_use(rules, append_suggested=False).plan, name)
    print(rule_sql(rule, capture, dialect))


@app.command()
def convert(
    sources: Annotated[list[Path], typer.Argument(help="Sigma rules: files and folders.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write here, not to standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what becomes of each rule, as JSON, and no rules.")
    ] = False,
) -> None:
    """Print Sigma rules as rules of Falco, and what becomes of each on standard error.

    Exit code 0 if there is a rule that runs, 2 if not.
    """
    from falcotrace.cli.conversions import conversion_report, show_endings
    from falcotrace.sigma.load import convert_rules, print_rules

    conversions = convert_rules(sources)
    if not conversions:
        raise FalcoTraceError(f"no rule of Sigma in {', '.join(map(str, sources))}")
    if as_json:
        print(json.dumps(conversion_report(conversions), indent=2, ensure_ascii=False))
    else:
        _write(print_rules(conversions), output, force=force)
        show_endings(conversions)
    runs = any(each.converted.condition is not None for each in conversions)
    sys.exit(ExitCode.CLEAN if runs else ExitCode.ERROR)


def _write(text: str, output: Path | None, *, force: bool) -> None:
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FalcoTraceError(f"{output} exists; --force overwrites it") from None
    except OSError as error:
        raise FalcoTraceError(f"cannot write {output}: {error.strerror}") from None


def _event_names(rule: "RulePlan") -> str:
    if rule.event_names is None:
        return "any"
    names = " ".join(sorted(rule.event_names)) or "none: can never fire"
    return names if rule.correlation is None else f"{names}, and others around them"
