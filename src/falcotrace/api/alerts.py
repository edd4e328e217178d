"""An alert beside the capture that it comes from, so that more can be asked about it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from falcotrace.alerts import Alert

if TYPE_CHECKING:
    from falcotrace.api.answers import ShownExplanation
    from falcotrace.api.captures import Captures
    from falcotrace.fixtures.cut import Cut
    from falcotrace.investigate.graph import Graph
    from falcotrace.investigate.process import Process
    from falcotrace.investigate.tree import ProcessTree
    from falcotrace.query import Row


@dataclass(frozen=True, slots=True)
class CapturedAlert(Alert):
    """One rule that fired on one event of an open capture.

    Attributes:
        captures: the captures that were scanned, open.
    """

    captures: "Captures" = field(kw_only=True, repr=False, compare=False)

    def _repr_html_(self) -> str:
        from falcotrace.notebook import alerts_html  # noqa: PLC0415 - only Jupyter needs it

        return alerts_html([self])

    @property
    def event(self) -> "Row":
        """The event, by field; fields without a value are left out.

        Raises:
            CaptureError: the captures were closed, or the capture is damaged.
        """
        return self.captures.event(self)

    @property
    def process(self) -> "Process":
        """The process of the event.

        Raises:
            CaptureError: as for `event`.
        """
        return self.captures.process_of(self)

    def explain(self) -> "ShownExplanation":
        """Why the rule fired: its condition, with the value behind each check."""
        return self.captures.only_of(self).explain(self.rule, self.num)

    def tree(self) -> "ProcessTree":
        """Its process between its ancestors and what it started."""
        return self.captures.tree(self)

    def graph(self) -> "Graph":
        """What led to it, and what came of it."""
        return self.captures.graph(self)

    def fixture(
        self,
        path: str | Path,
        *,
        context: str = "none",
        redact: bool = False,
        force: bool = False,
    ) -> "Cut":
        """Cut the smallest capture on which the rule still fires on this event.

        Args:
            path: the file to write.
            context: what to keep beside it: `none`, `process` or `tree`.
            redact: replace names and contents.
            force: replace a file that exists.

        Raises:
            CaptureError: the capture is damaged, or the rule does not fire on what was cut.
            FalcoTraceError: the file exists, or cannot be written.
        """
        from falcotrace.api.fixtures import (  # noqa: PLC0415 - scans do not need it
            Context,
            CutOptions,
            cut_fixture,
        )

        options = CutOptions(context=Context(context), redacts=redact, overwrites=force)
        return cut_fixture(self.captures, [self], path, options)
