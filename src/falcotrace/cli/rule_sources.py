"""Which rules a command runs: the user's or those that ship, which of them, and their problems."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falcotrace.rules.load import Ruleset
    from falcotrace.rules.plan import Plan, Priority

RulesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "-r",
        "--rules",
        help="Rules of Falco or Sigma, file or folder; repeat it in order. Default: those that "
        "ship.",
    ),
]
PriorityOption = Annotated[
    str, typer.Option("--priority", help="Run only rules of this priority and more severe.")
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", help="Run only rules with this tag; repeatable.")
]
RuleNameOption = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Run only rules of this name; * stands for anything."),
]
DisableOption = Annotated[
    list[str] | None,
    typer.Option("--disable", help="Leave out rules of this name; * stands for anything."),
]
AllMatchesOption = Annotated[
    bool,
    typer.Option(
        "--all-matches/--first-match",
        help="Every rule that matches an event alerts, or only the first (Falco's default).",
    ),
]


def chosen_plan(
    rules: Sequence[Path] | None,
    priority: str,
    tags: Sequence[str],
    names: Sequence[str],
    disabled: Sequence[str],
) -> "Plan":
    """The rules to run: chosen ones only, if any were named, without those that were disabled.

    Raises:
        RulesError: the rules cannot be used.
        typer.BadParameter: no such priority.
    """
    from falcotrace.rules.select import Selection, select_rules

    least = priority_of(priority)
    plan = load_for_use(rules, tells_left_out=False).plan
    selections = [Selection(enables=True, tag=tag) for tag in tags]
    selections += [Selection(enables=True, rule=name) for name in names]
    if selections:
        selections.insert(0, Selection(enables=False, rule="*"))
    selections += [Selection(enables=False, rule=name) for name in disabled]
    return at_least(select_rules(plan, selections, least), least)


def load_for_use(
    rules: Sequence[Path] | None, *, append_suggested: bool = True, tells_left_out: bool = True
) -> "Ruleset":
    """Load rules to run them; warnings go to standard error.

    Args:
        rules: files and folders; those that ship if there are none.
        append_suggested: append the container and Kubernetes fields to every output.
        tells_left_out: say which rules of Sigma do not run; False where somebody else does.

    Raises:
        RulesError: the rules cannot be used.
    """
    from falcotrace.errors import escape_controls, render_diagnostic
    from falcotrace.rules.left_out import describe_left_out
    from falcotrace.rules.shipped import shipped_rules
    from falcotrace.sigma.load import load_any_rules

    ruleset = load_any_rules(rules or [shipped_rules()], append_suggested=append_suggested)
    ruleset.raise_if_invalid()
    for warning in ruleset.lasting_warnings if rules else ():
        if not str(warning.code).startswith("LOAD_UNUSED"):
            print(render_diagnostic(warning), file=sys.stderr)
    for note in describe_left_out(ruleset.plan.left_out) if tells_left_out else ():
        print(f"note: {escape_controls(note)}", file=sys.stderr)
    return ruleset


def priority_of(name: str) -> "Priority":
    """A priority by its name.

    Raises:
        typer.BadParameter: there is none; says which there are.
    """
    from falcotrace.rules.plan import Priority

    try:
        return Priority[{"INFO": "INFORMATIONAL"}.get(name.upper(), name.upper())]
    except KeyError:
        known = ", ".join(item.name.lower() for item in Priority)
        raise typer.BadParameter(f"expected one of {known}, found {name!r}") from None


def at_least(plan: "Plan", least: "Priority") -> "Plan":
    """The plan with rules switched off that are less severe than `least`."""
    return dataclasses.replace(
        plan,
        rules=tuple(
            dataclasses.replace(rule, enabled=rule.enabled and rule.priority <= least)
            for rule in plan.rules
        ),
    )
