"""A hunt in one call, for programs and notebooks.

from falcotrace.hunt import hunt_captures

found = hunt_captures("captures/**/*.parquet", falcotrace.rules("rules/"))
found.report.alert_count
found.table().to_pandas()
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from falcotrace.alerts import Alert
from falcotrace.hunt.ledger import ALERT_SCHEMA, Ledger
from falcotrace.hunt.report import Findings, HuntReport
from falcotrace.hunt.run import Hunt, HuntOptions, HuntProgress
from falcotrace.hunt.targets import find_targets
from falcotrace.outputs.html import ROWS_MAX, rows_html
from falcotrace.rules.plan import Plan


class HuntResult:
    """What a hunt found; alerts are read from its ledger whenever they are asked for.

    Attributes:
        report: what became of each rule and each file.
    """

    def __init__(self, findings: Findings, temporary: Path | None) -> None:
        self._findings = findings
        if temporary is not None:
            # The ledger is of no use without this.
            weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self.report: HuntReport = findings.report()

    def __iter__(self) -> Iterator[Alert]:
        """The alerts; `capture` is the file."""
        return self._findings.alerts()

    def table(self) -> pa.Table:
        """All alerts as one table (`ledger.ALERT_SCHEMA`): `output_fields` is JSON."""
        return pa.concat_tables([ALERT_SCHEMA.empty_table(), *self._findings.tables()])

    def _repr_html_(self) -> str:
        return f"{rows_html(_rules_table(self.report))}{rows_html(_files_table(self.report))}"


def _rules_table(report: HuntReport) -> pa.Table:
    """One row for each rule, with what the hunt cost."""
    rows = [
        {
            "rule": one.rule,
            "priority": one.priority,
            "alerts": one.alerts,
            "hosts": one.hosts,
            "captures": one.files,
            "captures_asked": one.files_run,
            "undetermined": one.undetermined,
            "events_asked": one.events_asked,
            "first": one.first_ns or None,
            "last": one.last_ns or None,
            "notes": "; ".join(one.notes),
        }
        for one in report.rules
    ]
    return pa.Table.from_pylist(rows, _RULES)


def _files_table(report: HuntReport) -> pa.Table:
    """One row for each file, and what became of it."""
    rows = [
        {
            "capture": one.file,
            "host": one.host,
            "status": one.status,
            "reason": one.reason,
            "events": one.event_count,
            "alerts": one.alert_count,
            "losses": one.losses,
        }
        for one in report.files[:ROWS_MAX]
    ]
    return pa.Table.from_pylist(rows, _FILES)


_RULES = pa.schema(
    [
        *((name, pa.string()) for name in ("rule", "priority")),
        *((name, pa.int64()) for name in ("alerts", "hosts", "captures")),
        *((name, pa.int64()) for name in ("captures_asked", "undetermined", "events_asked")),
        *((name, pa.timestamp("ns", "UTC")) for name in ("first", "last")),
        ("notes", pa.string()),
    ]
)
_FILES = pa.schema(
    [
        *((name, pa.string()) for name in ("capture", "host", "status", "reason")),
        *((name, pa.int64()) for name in ("events", "alerts")),
        ("losses", pa.string()),
    ]
)


def hunt_captures(
    sources: str | Path | Iterable[str | Path],
    plan: Plan,
    options: HuntOptions | None = None,
    *,
    state: Path | None = None,
    told: Callable[[HuntProgress], None] = lambda _: None,
) -> HuntResult:
    """Ask rules of many captures.

    Args:
        sources: files, folders, patterns, URLs.
        plan: from `falcotrace.rules`.
        options: engine and limits.
        state: folder for what is done, so that a hunt cut off goes on from there; without one it
            is gone with the result.
        told: called after each file.

    Raises:
        CaptureError: a source stands for nothing.
        FalcoTraceError: the folder belongs to another hunt, or an engine is missing.
    """
    several = [sources] if isinstance(sources, str | Path) else list(sources)
    hunt = Hunt(plan, find_targets(several), options or HuntOptions())
    temporary = Path(tempfile.mkdtemp(prefix="falcotrace-")) if state is None else None
    try:
        with Ledger(state or temporary or Path(), hunt.digest) as ledger:
            hunt.run(ledger, told)
            return HuntResult(Findings(ledger, plan, [t.text for t in hunt.targets]), temporary)
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
