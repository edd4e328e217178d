"""Arguments and options that several commands have, each defined once."""

from pathlib import Path
from typing import Annotated

import typer

CapturesArgument = Annotated[list[Path], typer.Argument(help="Capture files, folders or globs.")]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoRulesOption = Annotated[
    bool, typer.Option("--no-rules", help="Ask no rules: no alerts are marked, and it is faster.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many lines.")]
