"""Open captures, and what can be asked of them."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from falcotrace.alerts import Alert
from falcotrace.capture.reader import Capture, is_scap, open_capture
from falcotrace.capture.sources import expand_source
from falcotrace.capture.summary import (
    Summary,
    describe_blindness,
    describe_losses,
    has_losses,
    summarise,
)
from falcotrace.engines.base import ScanOptions, default_threads, describe_gap, find_gaps
from falcotrace.errors import CaptureError
from falcotrace.rules.condition import load_condition
from falcotrace.rules.plan import Plan, RulePlan
from falcotrace.rules.select import find_rule
from falcotrace.rules.shipped import load_plan, shipped_rules

if TYPE_CHECKING:
    import duckdb

    from falcotrace.api.answers import ShownExplanation, ShownMisses
    from falcotrace.engines.capture_database import CaptureDatabase, DatabaseOptions
    from falcotrace.network.network import Network
    from falcotrace.network.streams import Stream
    from falcotrace.query import Query
    from falcotrace.report import Report
    from falcotrace.scap.capture import ScapCapture


from falcotrace.api.investigated import InvestigatedCaptures
from falcotrace.api.scanning import ScanReport

_EVERY_EVENT = "evt.num > 0"
_ONLY_CONDITION = (
    "the rule is about several events, and this explains its condition: whether those around are "
    "there is said by `scan`"
)


class Captures(InvestigatedCaptures):
    """One or more open captures. Make them with `open_captures` (`falcotrace.open`)."""

    def __init__(self, captures: "Sequence[Capture | ScapCapture]") -> None:
        self._captures = tuple(captures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._captures)

    def __iter__(self) -> "Iterator[Capture | ScapCapture]":
        return iter(self._captures)

    def _repr_html_(self) -> str:
        from falcotrace.notebook import summary_html  # noqa: PLC0415 - only Jupyter needs it

        return summary_html(self.info)

    def close(self) -> None:
        """Close the files."""
        self.__dict__.pop("network", None)
        for capture in self._captures:
            capture.close()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in order of time."""
        return tuple(capture.path for capture in self._captures)

    @property
    def info(self) -> tuple[Summary, ...]:
        """What is in each capture.

        Raises:
            CaptureError: one is a `.scap` file, which has to be imported first.
        """
        return tuple(summarise(_stored(capture)) for capture in self._captures)

    @property
    def has_losses(self) -> bool:
        """Whether events were lost, or nobody knows although somebody should."""
        return any(has_losses(capture.footer.losses) for capture in self._captures)

    @property
    def loss_notes(self) -> tuple[str, ...]:
        """One sentence for each capture that is not complete."""
        return tuple(
            f"{capture.path.name}: lost events: {describe_losses(capture.footer.losses)}"
            for capture in self._captures
            if has_losses(capture.footer.losses)
        )

    @property
    def blindness_notes(self) -> tuple[str, ...]:
        """One sentence for each capture in which processes acted past the system calls."""
        return tuple(
            f"{capture.path.name}: partly blind: {describe_blindness(capture.footer.partly_blind)}"
            for capture in self._captures
            if capture.footer.partly_blind
        )

    def scan(
        self,
        rules: Plan | None = None,
        *,
        all_matches: bool = True,
        since_ns: int | None = None,
        until_ns: int | None = None,
        threads: int | None = None,
    ) -> ScanReport:
        """Ask rules of the captures.

        Args:
            rules: from `falcotrace.rules`; those that ship by default.
            all_matches: every rule that holds alerts; otherwise only the first for each event, as
                Falco does by default.
            since_ns: leave out events before this time, ns since the epoch.
            until_ns: leave out events at this time and later, ns since the epoch.
            threads: row groups that are worked on at once; one more than cores by default.
        """
        options = ScanOptions(
            first_match=not all_matches,
            since_ns=since_ns,
            until_ns=until_ns,
            threads=threads or default_threads(),
        )
        return ScanReport(self, rules or load_plan(), options)

    def only_of(self, alert: Alert) -> "Captures":
        """The capture of an alert alone.

        Raises:
            CaptureError: it is none of these.
        """
        return Captures([self._captures[self.investigation.capture_of(alert)]])

    def report(
        self,
        rules: Plan | None = None,
        *,
        title: str = "",
        since_ns: int | None = None,
        until_ns: int | None = None,
        sources: Iterable[Path] = (),
    ) -> "Report":
        """Write a report as one HTML page: `.write("report.html")`, or `.html`.

        Args:
            rules: from `falcotrace.rules`; those that ship by default.
            title: what stands above; the hosts by default.
            since_ns: leave out alerts before this time, ns since the epoch.
            until_ns: leave out alerts at this time and later, ns since the epoch.
            sources: the rules files as the user named them, for the commands that repeat it.

        Raises:
            CaptureError: a capture is damaged, or a `.scap` file, which has to be imported first.
        """
        from falcotrace.report import make_report  # noqa: PLC0415 - nothing else draws pictures

        options = ScanOptions(since_ns=since_ns, until_ns=until_ns)
        chosen = rules or load_plan()
        return make_report(self._stored, chosen, options, sources=sources, title=title)

    def explain(
        self, rule: RulePlan | str, event: int, rules: Plan | None = None
    ) -> "ShownExplanation":
        """Explain why a rule fires on an event, or does not.

        Args:
            rule: a rule of a plan, or its name.
            event: the event's `evt.num`.
            rules: where the name is looked up; the rules that ship by default.

        Raises:
            CaptureError: there is no such event, or more than one capture is open.
            FalcoTraceError: no rule has that name.
        """
        from falcotrace.api.answers import ShownExplanation  # noqa: PLC0415 - scans need neither
        from falcotrace.explain.event import explain_event  # noqa: PLC0415

        return ShownExplanation.of(explain_event(self._only(), _rule_of(rule, rules), event))

    def misses(
        self, rule: RulePlan | str, rules: Plan | None = None, *, limit: int = 20
    ) -> "ShownMisses":
        """Count the matches of a rule, and find the events that fail the fewest of its checks.

        Args:
            rule: a rule of a plan, or its name.
            rules: where the name is looked up; the rules that ship by default.
            limit: the most groups of events to return.

        Raises:
            CaptureError: more than one capture is open, or it is damaged.
            FalcoTraceError: no rule has that name.
        """
        from falcotrace.api.answers import ShownMisses  # noqa: PLC0415 - scans need neither
        from falcotrace.explain.misses import find_misses  # noqa: PLC0415

        return ShownMisses.of(find_misses(self._only(), _rule_of(rule, rules), limit=limit))

    def explanation_notes(self, rule: RulePlan) -> tuple[str, ...]:
        """One sentence each about what a capture cannot answer a rule, and what was lost."""
        plan = Plan((dataclasses.replace(rule, enabled=True),))
        gaps = (describe_gap(gap) for capture in self for gap in find_gaps(plan, capture))
        around = (_ONLY_CONDITION,) if rule.correlation is not None else ()
        return (*around, *self.loss_notes, *dict.fromkeys(gaps))

    def _only(self) -> "Capture | ScapCapture":
        if len(self._captures) != 1:
            folder = self._captures[0].path.parent
            message = f"{len(self)} captures are open, and explaining takes one at a time"
            raise CaptureError(folder, message)
        return self._captures[0]

    def query(
        self,
        condition: str,
        *,
        columns: str | Sequence[str] | None = None,
        rules: str | Path | Sequence[str | Path] | None = None,
        limit: int | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
        threads: int | None = None,
    ) -> "Query":
        """Ask for the events that a condition holds for.

        Args:
            condition: as in a rule.
            columns: fields to show, also with arguments and in functions; what fits the condition
                by default.
            rules: files and folders whose macros and lists the condition may name; those that ship
                by default.
            limit: at most so many events, or combinations of `count_by`.
            since_ns: leave out events before this time, ns since the epoch.
            until_ns: leave out events at this time and later, ns since the epoch.
            threads: row groups that are worked on at once; one more than cores by default.

        Raises:
            RulesError: the condition or a column cannot be used.

        Example:
            >>> capture.query("proc.name=bash").count_by("evt.type").df()  # doctest: +SKIP
        """
        from falcotrace.query import Query  # noqa: PLC0415 - scanning does not need it

        sources = [rules] if isinstance(rules, str | Path) else rules
        rule = load_condition(condition, [shipped_rules()] if sources is None else sources)
        options = ScanOptions(
            since_ns=since_ns, until_ns=until_ns, threads=threads or default_threads()
        )
        return Query(self._captures, rule, condition, columns=columns, options=options, limit=limit)

    def events(
        self,
        where: str = _EVERY_EVENT,
        *,
        columns: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> "Query":
        """The events, as a lazy relation: `.arrow()`, `.df()`, `.pl()`, `.count()`, or iterate.

        Args:
            where: only those that this condition holds for, as in a rule; see `query`.
            columns: fields to show; what fits the condition by default.
            limit: at most so many.

        Raises:
            RulesError: the condition or a column cannot be used.
        """
        return self.query(where, columns=columns, limit=limit)

    def sql(self, query: str) -> "duckdb.DuckDBPyRelation":
        """Ask DuckDB; the events are the view `events`, what is known of the files is `captures`.

        Returns:
            A lazy relation: `.df()`, `.pl()`, `.arrow()`, or printed as it is.

        Example:
            >>> capture.sql("SELECT proc.name FROM events LIMIT 3")  # doctest: +SKIP
        """
        from falcotrace.engines import capture_database  # noqa: PLC0415 - scanning does not need it

        options = capture_database.DatabaseOptions(is_confined=False)
        return capture_database.connect_captures(self._stored, options).sql(query)

    @cached_property
    def network(self) -> "Network":
        """What processes said to others: conversations, DNS, HTTP, TLS, streams, packets.

        Raises:
            CaptureError: a capture is a `.scap` file, which has to be imported first.
        """
        from falcotrace.network.network import Network  # noqa: PLC0415 - scanning does not need it

        return Network(self._stored)

    def stream(self, event: int) -> "Stream":
        """Follow the socket that an event is about: what it sent and received, in order.

        Raises:
            FalcoTraceError: the event is about no socket whose two ends are known.
        """
        return self.network.stream(event)

    def database(self, options: "DatabaseOptions | None" = None) -> "CaptureDatabase":
        """A database that asks the captures, by default confined to them.

        Raises:
            CaptureError: a capture is a `.scap` file, which has to be imported first.
        """
        from falcotrace.engines import capture_database  # noqa: PLC0415 - scanning does not need it

        chosen = options or capture_database.DatabaseOptions()
        return capture_database.CaptureDatabase(self._stored, chosen)

    @property
    def stored(self) -> tuple[Capture, ...]:
        """The captures, none of which is a `.scap` file.

        Raises:
            CaptureError: one is, and has to be imported first.
        """
        return tuple(self._stored)

    @property
    def _stored(self) -> "list[Capture]":
        return [_stored(capture) for capture in self._captures]


def open_captures(
    sources: str | Path | Iterable[str | Path],
) -> Captures:
    """Open captures.

    Args:
        sources: a file, a folder (its `*.parquet`), a glob, or several of them; also `.scap` files,
            of which rules can be asked directly.

    Raises:
        CaptureError: nothing is there, or a file is no capture.
    """
    several = [sources] if isinstance(sources, str | Path) else list(sources)
    paths = [path for source in several for path in expand_source(source)]
    opened = [_open(path) for path in dict.fromkeys(paths)]
    opened.sort(key=lambda capture: min((g.first_time_ns for g in capture.row_groups), default=0))
    return Captures(opened)


def _rule_of(rule: RulePlan | str, rules: Plan | None) -> RulePlan:
    return rule if isinstance(rule, RulePlan) else find_rule(rules or load_plan(), rule)


def _open(path: Path) -> "Capture | ScapCapture":
    # Reading the format takes imports that nothing else needs.
    if not is_scap(path):
        return open_capture(path)
    from falcotrace.scap.capture import ScapCapture  # noqa: PLC0415

    return ScapCapture(path)


def _stored(capture: "Capture | ScapCapture") -> Capture:
    if not isinstance(capture, Capture):
        raise CaptureError(
            capture.path, "is a .scap file: `falcotrace import` makes a capture of it"
        )
    return capture
