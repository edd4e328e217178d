"""Arguments and options that several commands have, each defined once."""

from pathlib import Path
from typing import Annotated

import typer

CapturesArgument = Annotated[list[Path], typer.Argument(help="Capture files, folders or globs.")]

SinceOption = Annotated[
    str, typer.Option("--since", help="Only events from this time on (ISO 8601, or 10m ago).")
]
UntilOption = Annotated[str, typer.Option("--until", help="Only events before this time.")]

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

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoRulesOption = Annotated[
    bool, typer.Option("--no-rules", help="Ask no rules: no alerts are marked, and it is faster.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many lines.")]
