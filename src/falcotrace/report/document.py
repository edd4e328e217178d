"""A report as one document: its text, and a file of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from falcotrace.capture.reader import Capture
from falcotrace.engines.base import ScanOptions
from falcotrace.outputs.whole_file import whole_file
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

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the page, which only the owner can read, like a capture.

        Args:
            path: the file.
            force: whether a file of that name may be replaced.

        Raises:
            FalcoTraceError: the file exists already, or cannot be written.
        """
        with whole_file(Path(path), force=force) as new:
            new.write_text(self.html, encoding="utf-8")


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
