"""`falcotrace top`: who did most, and what was done most to."""

from typing import Annotated

import typer

from falcotrace.cli.options import (
    CapturesArgument,
    JsonOption,
    LimitOption,
)
from falcotrace.cli.time_limits import SinceOption, UntilOption, time_limit


def top(
    captures: CapturesArgument,
    *,
    by: Annotated[str, typer.Option("--by", help="process, file, peer or error.")] = "process",
    where: Annotated[
        str, typer.Option("--where", help="Only events that this condition holds for.")
    ] = "",
    since: SinceOption = "",
    until: UntilOption = "",
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Count events, bytes and errors by process, file, peer or error, the most frequent first.

    Exit codes: 0 answered, 2 error, 3 answered, but events were lost.
    """
    from falcotrace.cli.investigations import investigate
    from falcotrace.cli.live_line import Waiting
    from falcotrace.cli.row_output import print_summary, write_rows

    with investigate(captures) as asked:
        with Waiting("counting"):
            found = asked.captures.top(
                by, where, since_ns=time_limit(since), until_ns=time_limit(until), limit=limit
            )
        table = found.arrow()
        chosen = "json" if as_json else "table"
        write_rows(table.schema, table.to_batches(), chosen, None, force=False)
        print_summary(found.summary, is_table=not as_json)
        asked.end()
