"""Asks an engine about some captures at a time.

In: open captures. Out: alerts. Engines differ in how they get there and in nothing else; what is
prepared for the rules is prepared once for the whole hunt.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import ClassVar, Self

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.capture.reader import Capture
from falcotrace.engines.base import AlertBatch, ScanOptions
from falcotrace.engines.group_matches import GroupMatches, alert_batches
from falcotrace.engines.replay import ReplayEngine
from falcotrace.rules.plan import Plan


class Asker(ABC):
    """An engine with rules, ready to be asked of captures again and again. A context manager."""

    most_files: ClassVar = 100
    """How many captures are asked at once."""

    def __init__(self, plan: Plan, options: ScanOptions) -> None:
        self._plan = plan
        self._options = options

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of the engine."""

    def ask(self, captures: Sequence[CaptureData | StreamedCapture]) -> Iterator[AlertBatch]:
        """Yield the alerts of some captures; those that are streams are left to replay.

        Raises:
            CaptureError: one is damaged.
            FalcoTraceError: the engine failed otherwise.
        """
        streamed = [one for one in captures if isinstance(one, StreamedCapture)]
        for found in self._match([one for one in captures if isinstance(one, Capture)]):
            yield from alert_batches(found, self._plan)
        if streamed:
            yield from ReplayEngine().scan(streamed, self._plan, self._options)

    @abstractmethod
    def _match(self, captures: Sequence[Capture]) -> Iterator[GroupMatches]:
        """Yield matches by row group."""


class ReplayAsker(Asker):
    """Replay."""

    def close(self) -> None:
        """Nothing is kept between captures."""

    def _match(self, captures: Sequence[Capture]) -> Iterator[GroupMatches]:
        yield from ReplayEngine().match(captures, self._plan, self._options)


class DuckdbAsker(Asker):
    """SQL in DuckDB."""

    def __init__(self, plan: Plan, options: ScanOptions, memory_bytes: int | None) -> None:
        # Importing DuckDB and sqlglot takes a third of a second.
        from falcotrace.engines.batch import DuckdbOptions, PreparedRules  # noqa: PLC0415

        super().__init__(plan, options)
        settings = DuckdbOptions(memory_bytes=memory_bytes)
        self._rules: PreparedRules = PreparedRules(plan, options, settings)

    def close(self) -> None:
        """Let go of DuckDB."""
        self._rules.close()

    def _match(self, captures: Sequence[Capture]) -> Iterator[GroupMatches]:
        yield from self._rules.match(captures)


class SparkAsker(Asker):
    """Spark: a job has a price of its own, so more captures are asked at once."""

    most_files: ClassVar = 1000

    def __init__(self, plan: Plan, options: ScanOptions, master: str | None) -> None:
        # PySpark is an extra, and Java takes seconds to start.
        from falcotrace.engines.spark import SparkEngine  # noqa: PLC0415
        from falcotrace.engines.spark_matches import SparkMatcher  # noqa: PLC0415

        super().__init__(plan, options)
        self._engine = SparkEngine(master)
        self._matcher = SparkMatcher(self._engine, plan, options)

    def close(self) -> None:
        """Stop Spark, if it was started here."""
        self._engine.close()

    def _match(self, captures: Sequence[Capture]) -> Iterator[GroupMatches]:
        yield from self._matcher.match(captures)
