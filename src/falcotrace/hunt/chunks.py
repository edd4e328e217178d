"""Asks an engine about some captures at a time.

In: open captures. Out: alerts. Engines differ in how they get there and in nothing else; what is
prepared for the rules is prepared once for the whole hunt.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.capture.reader import Capture
from falcotrace.engines.base import AlertBatch, ScanOptions
from falcotrace.engines.group_matches import alert_batches
from falcotrace.engines.replay import ReplayEngine
from falcotrace.rules.plan import Plan


class Asker(Protocol):
    """An engine with rules, ready to be asked of captures again and again."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def most_files(self) -> int:
        """How many captures are asked at once."""
        ...

    def ask(self, captures: Sequence[CaptureData | StreamedCapture]) -> Iterator[AlertBatch]:
        """Yield the alerts of some captures.

        Raises:
            CaptureError: one is damaged.
        """
        ...


class ReplayAsker:
    """Replay."""

    most_files = 100

    def __init__(self, plan: Plan, options: ScanOptions) -> None:
        self._plan, self._options = plan, options

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def ask(self, captures: Sequence[CaptureData | StreamedCapture]) -> Iterator[AlertBatch]:
        """Yield the alerts of some captures.

        Raises:
            CaptureError: one is damaged.
        """
        yield from ReplayEngine().scan(captures, self._plan, self._options)


class DuckdbAsker:
    """SQL in DuckDB; captures that are streams are left to replay."""

    most_files = 100

    def __init__(self, plan: Plan, options: ScanOptions, memory_bytes: int | None) -> None:
        # Importing DuckDB and sqlglot takes a third of a second.
        from falcotrace.engines.batch import DuckdbOptions, PreparedRules  # noqa: PLC0415

        self._plan = plan
        self._replay = ReplayAsker(plan, options)
        self._rules: PreparedRules = PreparedRules(
            plan, options, DuckdbOptions(memory_bytes=memory_bytes)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rules.close()

    def ask(self, captures: Sequence[CaptureData | StreamedCapture]) -> Iterator[AlertBatch]:
        """Yield the alerts of some captures.

        Raises:
            CaptureError: one is damaged.
        """
        streamed = [one for one in captures if isinstance(one, StreamedCapture)]
        stored = [one for one in captures if isinstance(one, Capture)]
        for found in self._rules.match(stored):
            yield from alert_batches(found, self._plan)
        if streamed:
            yield from self._replay.ask(streamed)


class SparkAsker:
    """Spark; captures that are streams are left to replay."""

    most_files = 1000

    def __init__(self, plan: Plan, options: ScanOptions, master: str | None) -> None:
        # PySpark is an extra, and Java takes seconds to start.
        from falcotrace.engines.spark import SparkEngine  # noqa: PLC0415
        from falcotrace.engines.spark_matches import SparkMatcher  # noqa: PLC0415

        self._plan = plan
        self._replay = ReplayAsker(plan, options)
        self._engine = SparkEngine(master)
        self._matcher = SparkMatcher(self._engine, plan, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.close()

    def ask(self, captures: Sequence[CaptureData | StreamedCapture]) -> Iterator[AlertBatch]:
        """Yield the alerts of some captures.

        Raises:
            CaptureError: one is damaged.
            FalcoTraceError: Spark failed otherwise.
        """
        streamed = [one for one in captures if isinstance(one, StreamedCapture)]
        for found in self._matcher.match([one for one in captures if isinstance(one, Capture)]):
            yield from alert_batches(found, self._plan)
        if streamed:
            yield from self._replay.ask(streamed)
