"""The hunt itself: file after file, some at a time, each written down when it is done.

In: targets, a plan, what is asked. Out: a ledger full of outcomes and alerts.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from falcotrace.capture.footer import Footer
from falcotrace.capture.reader import Capture, is_scap, open_capture, read_footer
from falcotrace.capture.summary import describe_blindness, describe_losses, has_losses
from falcotrace.engines.base import RuleGap, ScanOptions, default_threads, describe_gap, find_gaps
from falcotrace.errors import FalcoTraceError
from falcotrace.hunt.chunks import Asker, DuckdbAsker, ReplayAsker, SparkAsker
from falcotrace.hunt.ledger import NUMS_KEPT, Ledger, LedgerPart, Outcome
from falcotrace.hunt.prune import Wanted, event_names_of, why_not_read
from falcotrace.hunt.targets import Target
from falcotrace.rules.plan import Plan
from falcotrace.rules.sequences import correlation_digest

if TYPE_CHECKING:
    from falcotrace.scap.capture import ScapCapture

_EVENTS_PER_FILE = 40_000
"""Captures are asked as many at once as an engine takes, while they have no more events than these
on average: each query has a price of its own."""

ENGINES = ("duckdb", "replay", "spark")


@dataclass(frozen=True, slots=True)
class HuntOptions:
    """How to hunt.

    Attributes:
        engine: `duckdb`, `replay` or `spark`; the alerts are the same.
        first_match: only the first rule in the order of the plan fires on an event.
        since_ns: leave out events before this time, ns since the epoch.
        until_ns: leave out events at this time and later.
        hosts: patterns of host names (`web-*`); none means every host.
        threads: how many threads an engine may use.
        memory_bytes: what DuckDB may use; None is its own default.
        master: where Spark runs (`local[4]`, `spark://host:7077`); None is as it is set up here.
    """

    engine: str = "duckdb"
    first_match: bool = False
    since_ns: int | None = None
    until_ns: int | None = None
    hosts: tuple[str, ...] = ()
    threads: int = field(default_factory=default_threads)
    memory_bytes: int | None = None
    master: str | None = None

    @property
    def scan(self) -> ScanOptions:
        """The same for an engine."""
        return ScanOptions(self.first_match, self.since_ns, self.until_ns, self.threads)


@dataclass(slots=True)
class HuntProgress:
    """How far a hunt is.

    Attributes:
        files: how many there are.
        files_done: of them hunted, pruned, failed, or done before.
        files_pruned: of these, not read.
        files_failed: of these, unreadable.
        files_before: of these, done by an earlier run.
        events: in captures that were hunted in this run.
        alerts: in this run.
        file: the one that was done last.
    """

    files: int
    files_done: int = 0
    files_pruned: int = 0
    files_failed: int = 0
    files_before: int = 0
    events: int = 0
    alerts: int = 0
    file: str = ""


@dataclass(slots=True, eq=False)
class _Chunk:
    """Captures that are asked together, open."""

    targets: list[Target] = field(default_factory=list)
    captures: "list[Capture | ScapCapture]" = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    events: int = 0
    opened: ExitStack = field(default_factory=ExitStack)

    def is_full(self, most_files: int) -> bool:
        return (
            len(self.targets) >= most_files
            or len(self.outcomes) >= most_files
            or self.events >= most_files * _EVENTS_PER_FILE
        )


class Hunt:
    """A question and the files that it is asked of."""

    def __init__(self, plan: Plan, targets: Sequence[Target], options: HuntOptions) -> None:
        self.plan = plan
        self.targets = tuple(targets)
        self.options = options
        self._wanted = Wanted(
            options.since_ns, options.until_ns, options.hosts, event_names_of(plan)
        )
        self._gaps: dict[object, tuple[RuleGap, ...]] = {}

    @property
    def digest(self) -> str:
        """The same for hunts that give the same alerts on the same files."""
        options = self.options
        limits = (options.first_match, options.since_ns, options.until_ns, options.hosts)
        rules = [
            {
                "name": rule.name,
                "condition": rule.condition_text,
                "events": sorted(rule.event_names or ()),
                "output": rule.output.text,
                "about": (rule.priority.title, rule.tags, rule.source),
                "correlation": rule.correlation and correlation_digest(rule.correlation),
            }
            for rule in self.plan.enabled
        ]
        return hashlib.sha256(msgspec.json.encode((limits, rules))).hexdigest()

    def run(self, ledger: Ledger, told: Callable[[HuntProgress], None] = lambda _: None) -> float:
        """Ask every file that the ledger does not know yet.

        Args:
            ledger: where outcomes and alerts go.
            told: called after each file.

        Returns:
            Seconds that it took.

        Raises:
            FalcoTraceError: the ledger cannot be written.
        """
        begun = time.monotonic()
        progress = HuntProgress(len(self.targets))
        known = ledger.outcomes
        left: list[Target] = []
        for target in self.targets:
            before = known.get(target.text)
            if before and before.identity == target.identity and before.status != "failed":
                progress.files_done += 1
                progress.files_before += 1
            else:
                left.append(target)
        with self._asker() as asker:
            for chunk in self._chunks(left, asker.most_files):
                with chunk.opened:
                    self._ask(chunk, asker, ledger, progress, told)
        return time.monotonic() - begun

    def _asker(self) -> Asker:
        if self.options.engine == "replay":
            return ReplayAsker(self.plan, self.options.scan)
        if self.options.engine == "spark":
            return SparkAsker(self.plan, self.options.scan, self.options.master)
        return DuckdbAsker(self.plan, self.options.scan, self.options.memory_bytes)

    def _chunks(self, targets: Sequence[Target], most_files: int) -> Iterator[_Chunk]:
        chunk = _Chunk()
        for target in targets:
            self._take(target, chunk)
            if chunk.is_full(most_files):
                yield chunk
                chunk = _Chunk()
        if chunk.targets or chunk.outcomes:
            yield chunk

    def _take(self, target: Target, chunk: _Chunk) -> None:
        """Open a file, or say why not."""
        try:
            footer = self._footer(target)
            reason = why_not_read(footer, self._wanted) if footer else ""
            if footer and reason:
                chunk.outcomes.append(_told(target, footer, status="pruned", reason=reason))
                return
            path = chunk.opened.enter_context(target.local())
            capture = _open(path)
        except FalcoTraceError as error:
            chunk.outcomes.append(_failed(target, error))
            return
        chunk.opened.callback(capture.close)
        chunk.targets.append(target)
        chunk.captures.append(capture)
        chunk.events += sum(group.row_count for group in footer.row_groups) if footer else 0

    def _footer(self, target: Target) -> Footer | None:
        """What a capture says about itself; None for one in another format."""
        if target.store is None:
            path = Path(target.name)
            return None if is_scap(path) else read_footer(path)
        with target.store.open(target.key, "rb") as file:
            return read_footer(target.name, file)

    def _ask(
        self,
        chunk: _Chunk,
        asker: Asker,
        ledger: Ledger,
        progress: HuntProgress,
        told: Callable[[HuntProgress], None],
    ) -> None:
        """Ask a chunk, and write down what became of its files."""
        part = ledger.begin_part()
        try:
            self._alerts(chunk, asker, part)
            outcomes = [
                self._outcome(target, capture, part)
                for target, capture in zip(chunk.targets, chunk.captures, strict=True)
            ]
        except _ERRORS as error:
            part.discard()
            if len(chunk.targets) > 1:
                self._ask_each(chunk, asker, ledger, progress, told)
                return
            part = ledger.begin_part()
            outcomes = [_failed(target, error) for target in chunk.targets]
        except BaseException:
            part.discard()
            raise
        ledger.commit(part, [*chunk.outcomes, *outcomes])
        for outcome in (*chunk.outcomes, *outcomes):
            _count(outcome, progress)
            told(progress)

    def _ask_each(
        self,
        chunk: _Chunk,
        asker: Asker,
        ledger: Ledger,
        progress: HuntProgress,
        told: Callable[[HuntProgress], None],
    ) -> None:
        """One of the files is damaged: the others shall not suffer for it."""
        first = list(chunk.outcomes)
        for target, capture in zip(chunk.targets, chunk.captures, strict=True):
            single = _Chunk([target], [capture], first)
            first = []
            self._ask(single, asker, ledger, progress, told)

    def _alerts(self, chunk: _Chunk, asker: Asker, part: LedgerPart) -> None:
        names = {id(capture): target.text for target, capture in _pairs(chunk)}
        for batch in asker.ask(chunk.captures):
            part.add(names[id(batch.capture)], batch.alerts)
            part.undetermined.setdefault(names[id(batch.capture)], []).extend(batch.undetermined)

    def _outcome(
        self, target: Target, capture: "Capture | ScapCapture", part: LedgerPart
    ) -> Outcome:
        footer = capture.footer
        gaps = self._gaps_of(capture)
        return msgspec.structs.replace(
            _told(target, footer, status="hunted"),
            alert_count=part.counts.get(target.text, 0),
            losses=describe_losses(footer.losses) if has_losses(footer.losses) else "",
            blindness=describe_blindness(footer.partly_blind),
            gaps=[(gap.rule.name, describe_gap(gap)) for gap in gaps],
            undetermined=[
                (one.rule.name, one.reason, one.count, list(one.nums[:NUMS_KEPT]))
                for one in part.undetermined.get(target.text, ())
            ],
            idle_rules=[gap.rule.name for gap in gaps if gap.runs_on_no_event or gap.other_source],
        )

    def _gaps_of(self, capture: "Capture | ScapCapture") -> tuple[RuleGap, ...]:
        """What a capture cannot answer; the same for those that were recorded alike."""
        names = capture.footer.recording.event_names
        key = (None if names is None else tuple(names), capture.unrecorded)
        if key not in self._gaps:
            self._gaps[key] = find_gaps(self.plan, capture)
        return self._gaps[key]


_ERRORS = (FalcoTraceError, pa.ArrowException, OSError, ValueError, MemoryError)
"""What a damaged or hostile file may raise in a reader."""


def _pairs(chunk: _Chunk) -> "Iterator[tuple[Target, Capture | ScapCapture]]":
    return zip(chunk.targets, chunk.captures, strict=True)


def _open(path: Path) -> "Capture | ScapCapture":
    if not is_scap(path):
        return open_capture(path)
    from falcotrace.scap.capture import ScapCapture  # noqa: PLC0415 - few captures need it

    return ScapCapture(path)


def _told(target: Target, footer: Footer, *, status: str, reason: str = "") -> Outcome:
    """What a footer says of a file."""
    groups = footer.row_groups
    return Outcome(
        file=target.text,
        identity=target.identity,
        status=status,
        reason=reason,
        host=footer.host.hostname,
        first_ns=min((group.first_time_ns for group in groups), default=0),
        last_ns=max((group.last_time_ns for group in groups), default=0),
        event_count=sum(group.row_count for group in groups),
        asked_counts=footer.event_counts if status == "hunted" else {},
    )


def _failed(target: Target, error: BaseException) -> Outcome:
    message = str(error).splitlines()[0] if str(error) else type(error).__name__
    prefix = f"{target.name}: "
    return Outcome(
        file=target.text,
        identity=target.identity,
        status="failed",
        reason=message.removeprefix(prefix),
    )


def _count(outcome: Outcome, progress: HuntProgress) -> None:
    progress.files_done += 1
    progress.files_pruned += outcome.status == "pruned"
    progress.files_failed += outcome.status == "failed"
    progress.events += outcome.event_count if outcome.status == "hunted" else 0
    progress.alerts += outcome.alert_count
    progress.file = outcome.file
