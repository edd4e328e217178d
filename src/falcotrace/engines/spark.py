"""Runs all rules of a plan in Spark, over captures that one machine would not read in time.

In: a plan and paths of captures, local or on any store that Spark reads. Out: matches. The
conditions are those that people read (`engines.sql`), so verdicts are those of replay; here they
are put together so that one job reads each file once.

How a job is built, and why (measured on 2 M events, 81 rules, 2 cores): rules are bits of a few
numbers, and those that look at the same events stand behind one look at the type of the event.
Spark makes one Java method of a stage, and that of 81 rules does not fit into 64 KB: it gave up and
copied all columns of all events for an interpreter (18 s). So the stage ends behind the filter for
types of events, whose method reads the columns of the few events that are left, and the rules are
asked in a step that Spark splits into many methods (3.2 s; 3.1 s are decoding).
"""

import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pyarrow as pa

from falcotrace.engines.spark_schema import spark_schema
from falcotrace.engines.spark_session import one_line, open_session
from falcotrace.engines.sql.spark_query import BITS, SparkQuery, event_filter, spark_query
from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.rules.plan import Plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FILES_PER_JOB = 1000
"""A job's matches come to this process together."""

_STEP = "java_method('java.lang.Math', 'random')"
"""Something that Spark has no generated code for, and that differs from call to call: the rules
stay in a step of their own, and are not asked once more by a filter that was moved before it."""

_NO_PATTERNS = ("__globPaths__", "false")
"""Spark's option: names of files are no patterns."""

_UNREADABLE = re.compile(
    r"(?:reading file|does not exist:|Path does not exist:) ?(\S+?)\.?(?:\s|$)"
)


class SparkMatch(NamedTuple):
    """One rule that holds for one event.

    Attributes:
        path: the capture, as the caller named it.
        rule: the place of the rule in the plan.
        num: the event's `evt.num`.
        time_ns: the event's `evt.time`, ns since the epoch.
    """

    path: str
    rule: int
    num: int
    time_ns: int


class SparkEngine:
    """Asks captures in Spark. Use it as a context manager: Spark stops at its end.

    Attributes:
        session: where queries run, with the settings that they need.
    """

    def __init__(
        self,
        master: str | None = None,
        settings: Mapping[str, str] | None = None,
        files_per_job: int = FILES_PER_JOB,
    ) -> None:
        """Start Spark.

        Args:
            master: `local[2]`, `spark://host:7077`, `yarn` ...; None takes the session that there
                is, and without one what Spark is set up for on this machine.
            settings: Spark's, such as `spark.executor.memory`.
            files_per_job: captures that are asked together.

        Raises:
            FalcoTraceError: PySpark or Java is missing, or Spark does not start.
        """
        self.session, self._started = open_session(master, settings or {})
        self._files_per_job = files_per_job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop Spark, if it was started here."""
        if self._started is not None:
            self._started.stop()

    def refused(self, plan: Plan) -> Mapping[int, str]:
        """Why enabled rules cannot run in Spark, by the place of the rule in the plan."""
        return spark_query(plan.rules).refused

    def matches(self, plan: Plan, paths: Sequence[Path | str]) -> Iterator[SparkMatch]:
        """All matches of the enabled rules, but for those that `refused` names.

        Every worker must be able to read the captures by these paths.

        Args:
            plan: the rules.
            paths: captures; paths of this machine, or URLs such as `s3a://bucket/x.parquet`.

        Yields:
            Matches by capture in the order of paths, `evt.num`, and the place of the rule.

        Raises:
            CaptureError: a capture is missing or cannot be read, or Spark would leave it out.
            FalcoTraceError: Spark failed otherwise.
        """
        query = spark_query(plan.rules)
        if not query.words:
            return
        for start in range(0, len(paths), self._files_per_job):
            some = paths[start : start + self._files_per_job]
            names = {_location(path): str(path) for path in some}
            yield from _matches(self._ask(query, list(names)), query, names)

    def _ask(self, query: SparkQuery, paths: Sequence[str]) -> pa.Table:
        from py4j.protocol import Py4JError  # noqa: PLC0415
        from pyspark.errors import PySparkException  # noqa: PLC0415

        try:
            return self._query(query, paths).toArrow()
        except (PySparkException, Py4JError) as error:
            raise _as_ours(error) from None

    def _query(self, query: SparkQuery, paths: Sequence[str]) -> "DataFrame":
        reader = self.session.read.schema(spark_schema(query.columns)).option(*_NO_PATTERNS)
        events = reader.parquet(*paths)
        meant = event_filter(query)
        if meant is not None:
            events = events.where(meant)
        words = [f"{word} AS word_{place}" for place, word in enumerate(query.words)]
        asked = events.selectExpr(
            *("_metadata.file_path AS path", "evt.num AS num", "evt.time AS time_ns"),
            *words,
            f"{_STEP} AS step",
        )
        some = " | ".join(f"word_{place}" for place in range(len(words)))
        return asked.where(f"({some}) <> 0 AND step IS NOT NULL").drop("step")


def _location(path: Path | str) -> str:
    """A path as Spark takes it: characters of URLs mean nothing, not even `%20`."""
    text = str(path)
    if "://" in text:
        name = text.rpartition("/")[2]
    else:
        file = Path(text).absolute()
        name, text = file.name, f"file:{file}"
        if ":" in str(file):
            raise CaptureError(path, "Spark cannot read a file with `:` in its path: rename it")
        if file.is_file() and file.stat().st_size == 0:
            raise CaptureError(path, "an empty file is no capture")
    if name.startswith(("_", ".")):
        raise CaptureError(path, "Spark leaves out names that begin with `_` or `.`: rename it")
    return text


def _reported(url: str) -> str:
    """The location behind what Spark reports, which is escaped as a URL."""
    return re.sub(r"^file:/+", "file:/", urllib.parse.unquote(url))


def _matches(found: pa.Table, query: SparkQuery, names: Mapping[str, str]) -> Iterator[SparkMatch]:
    order = {location: place for place, location in enumerate(names)}
    paths = found.column("path").combine_chunks().dictionary_encode()
    files = np.array([order[_reported(url)] for url in paths.dictionary.to_pylist()], np.int64)
    file = files[paths.indices.to_numpy()] if len(files) else np.empty(0, np.int64)
    nums, times = (found.column(name).to_numpy() for name in ("num", "time_ns"))
    rows, rules = [], []
    for number in range(len(query.words)):
        word = found.column(f"word_{number}").to_numpy()
        for bit, place in enumerate(query.places[number * BITS : (number + 1) * BITS]):
            (matched,) = np.nonzero(word & (1 << bit))
            rows.append(matched)
            rules.append(np.full(len(matched), place))
    row, rule = np.concatenate(rows), np.concatenate(rules)
    ordered = np.lexsort((rule, nums[row], file[row]))
    row, rule = row[ordered], rule[ordered]
    given = list(names.values())
    columns = (file[row].tolist(), rule.tolist(), nums[row].tolist(), times[row].tolist())
    for place, matched_rule, num, time_ns in zip(*columns, strict=True):
        yield SparkMatch(given[place], matched_rule, num, time_ns)


def _as_ours(error: Exception) -> FalcoTraceError:
    """One line about what happened; about a capture, where the message names one."""
    named = _UNREADABLE.search(str(error))
    if named is None:
        return FalcoTraceError(f"Spark: {one_line(error)}")
    path = _reported(named.group(1)).removeprefix("file:")
    missing = "exist" in named.group(0)
    reason = "no such file" if missing else "Spark cannot read it: it is damaged or no capture"
    return CaptureError(path, reason)
