"""`falcotrace rules`.

Check rule files, list rules, show one with everything resolved, print SQL.
"""

import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.rule_sources import RulesOption, load_for_use

if TYPE_CHECKING:
    from falcotrace.rules.plan import Plan, RulePlan

app = typer.Typer(help="Check, list and show rules.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Rules files and folders, in order.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check rule files. Exit code 0 if they can be used, 2 if not."""
    from falcotrace.errors import render_diagnostic
    from falcotrace.rules.load import load_rules
    from falcotrace.rules.report import report

    # As Falco's own check: whether a required plugin is there shows only when rules are to run.
    ruleset = load_rules(files, verify_plugins=False)
    if as_json:
        print(json.dumps(report(ruleset), indent=2, ensure_ascii=False))
    else:
        for diagnostic in (*ruleset.errors, *ruleset.lasting_warnings):
            print(render_diagnostic(diagnostic))
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
    from falcotrace.rules.pretty import pretty_formula

    rule = find_rule(load_for_use(rules).plan, name)
    columns = dict.fromkeys(path for field in rule.condition_fields for path in columns_of(field))
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

    rule = find_rule(load_for_use(rules, append_suggested=False).plan, name)
    print(rule_sql(rule, capture, dialect))


def find_rule(plan: "Plan", name: str) -> "RulePlan":
    """The rule of that name; upper and lower case do not matter.

    Raises:
        FalcoTraceError: there is none; the nearest names are suggested.
    """
    from falcotrace.errors import FalcoTraceError

    by_name = {rule.name.lower(): rule for rule in plan.rules}
    found = by_name.get(name.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), by_name, n=3)
    hint = " or ".join(f"`{by_name[key].name}`" for key in near)
    suggestion = f"; did you mean {hint}?" if hint else "; `falcotrace rules list` lists them"
    raise FalcoTraceError(f"no rule is called `{name}`{suggestion}")


def _event_names(rule: "RulePlan") -> str:
    if rule.event_names is None:
        return "any"
    return " ".join(sorted(rule.event_names)) or "none: can never fire"
