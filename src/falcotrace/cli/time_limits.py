"""`--since` and `--until` as times."""

from typing import Annotated

import typer

SinceOption = Annotated[
    str, typer.Option("--since", help="Only events from this time on (ISO 8601, or 10m ago).")
]
UntilOption = Annotated[str, typer.Option("--until", help="Only events before this time.")]


def time_limit(text: str) -> int | None:
    """Nanoseconds since the epoch; None where nothing was given.

    Raises:
        typer.BadParameter: not a time, with what was expected.
    """
    from falcotrace.cli.quantities import parse_time

    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
