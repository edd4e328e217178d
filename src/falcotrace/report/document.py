"""A report as one document: its text, and a file of it."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from falcotrace.capture.reader import Capture
from falcotrace.engines.base import ScanOptions
from falcotrace.errors import FalcoTraceError
from falcotrace.report.findings import Findings, gather
from falcotrace.report.page import page_of
from falcotrace.rules.plan import Plan


@dataclass(frozen=True)
class Report:
    """A report about captures.

    Attributes:
        findings: what it says.
        html: the page.
    """

    findings: Findings
    html: str

    def write(self, path: str | Path) -> None:
        """Write the page; what is there is replaced at once, or not at all.

        Only the owner can read it, like a capture: it quotes command lines.

        Raises:
            FalcoTraceError: the file cannot be written.
        """
        target = Path(path)
        name = ""
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                file.write(self.html)
            os.replace(name, target)  # noqa: PTH105 - two names as the system has them
        except OSError as error:
            if name:
                Path(name).unlink(missing_ok=True)
            raise FalcoTraceError(f"{target}: cannot be written: {error.strerror}") from None


def make_report(
    captures: Sequence[Capture],
    plan: Plan,
    options: ScanOptions | None = None,
    *,
    sources: Iterable[Path] = (),
    title: str = "",
) -> Report:
    """Ask rules of captures and write what came of it.

    Args:
        captures: open, in order of time.
        plan: the rules.
        options: how to scan; all matches of the whole captures by default.
        sources: the rules files as the user named them, for the commands that repeat it.
        title: what stands above; the hosts by default.

    Raises:
        CaptureError: a capture is damaged.
    """
    findings = gather(captures, plan, options, sources=sources)
    return Report(findings, page_of(findings, title=title))
