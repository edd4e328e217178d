"""What the commands that investigate share: captures, the alerts to mark, what has to be said."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.live_line import Waiting

if TYPE_CHECKING:
    from falcotrace.api import Captures
    from falcotrace.api.alerts import CapturedAlert


@dataclass(slots=True)
class Investigated:
    """Captures that a command asks.

    Attributes:
        captures: open.
        notes: what the reader has to know.
    """

    captures: "Captures"
    notes: list[str] = field(default_factory=list)

    def alerts(
        self,
        rules: Sequence[Path] | None,
        *,
        no_rules: bool,
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> "list[CapturedAlert]":
        """The alerts of rules, as `scan` gives them.

        Raises:
            RulesError: the rules cannot be used.
        """
        from falcotrace.cli.rule_sources import load_for_use

        if no_rules:
            if rules:
                raise typer.BadParameter("--no-rules and --rules exclude each other")
            return []
        plan = load_for_use(rules, append_suggested=False, tells_left_out=False).plan
        report = self.captures.scan(plan, since_ns=since_ns, until_ns=until_ns)
        with Waiting("asking the rules"):
            found = list(report)
        self.notes += report.coverage_notes
        return found

    def end(self) -> NoReturn:
        """Say what has to be known, and exit as `query` does."""
        print_notes((*self.captures.loss_notes, *self.notes))
        sys.exit(ExitCode.LOST_EVENTS if self.captures.has_losses else ExitCode.CLEAN)


@contextlib.contextmanager
def investigate(captures: Sequence[Path]) -> Iterator[Investigated]:
    """Open captures for a command.

    Raises:
        CaptureError: nothing is there, or a file is no capture.
    """
    from falcotrace.api import open_captures

    with open_captures(captures) as opened:
        yield Investigated(opened)


def print_notes(notes: Iterable[str]) -> None:
    """Say each once, on standard error."""
    from falcotrace.outputs.escape import for_terminal

    for note in dict.fromkeys(notes):
        print(f"note: {for_terminal(note)}", file=sys.stderr)


def print_json(document: object) -> None:
    """Print one JSON document that cannot do anything to a terminal."""
    from falcotrace.outputs.cells import json_document

    print(json_document(document))


def chosen_alert(alerts: "Sequence[CapturedAlert]", number: int) -> "CapturedAlert":
    """The alert of that number, counted from 1 as `scan` lists them.

    Raises:
        typer.BadParameter: there is none; says how many there are.
    """
    if not 1 <= number <= len(alerts):
        found = "the rules gave no alert" if not alerts else f"the rules gave {len(alerts):,}"
        raise typer.BadParameter(f"there is no alert {number}: {found}")
    return alerts[number - 1]
