"""Runs many rules as SQL in DuckDB: the batch form, part by part.

In: open captures and a plan. Out: matches of each row group, as from replay. A part is as much as
one query reads: many small captures, or some row groups of a large one, so memory is bounded
whatever is asked. Rules that SQL cannot express are run by replay.
"""

import functools
import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa

from falcotrace.capture.footer import Footer
from falcotrace.capture.reader import Capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.engines.base import (
    AlertBatch,
    MatchBatch,
    ScanOptions,
    joined_matches,
    order_matches,
    runs_on_captures,
)
from falcotrace.engines.batch.found import matches_by_group
from falcotrace.engines.batch.gates import gates_of
from falcotrace.engines.batch.parts import Part, cut_into_parts
from falcotrace.engines.batch.verdicts import judge_by_sql
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.correlations import (
    NOTHING,
    Correlated,
    Correlator,
    nothing_but,
    step_plan,
    widened,
)
from falcotrace.engines.group_matches import GroupMatches, alert_batches
from falcotrace.engines.replay import ReplayEngine, matches_of_rules
from falcotrace.engines.sql.batch import Batch, batch_of, events_query
from falcotrace.errors import CaptureError
from falcotrace.rules.plan import Plan

_EXPRESSION_DEPTH = 100_000
"""DuckDB refuses expressions of more than 1,000 levels by default; rules may have that many."""

_PATTERN_CHARACTERS = frozenset("*?[]{}")


@dataclass(frozen=True, slots=True)
class DuckdbOptions:
    """What DuckDB may use.

    Attributes:
        memory_bytes: its own limit; beyond it, it writes to disk. None: DuckDB's default.
        temporary: folder for what it writes then.
    """

    memory_bytes: int | None = None
    temporary: Path | None = None


class DuckdbEngine:
    """Runs plans as SQL over captures."""

    def __init__(self, settings: DuckdbOptions | None = None) -> None:
        self._settings = settings or DuckdbOptions()

    def scan(
        self, captures: Sequence[Capture], plan: Plan, options: ScanOptions | None = None
    ) -> Iterator[AlertBatch]:
        """Yield the alerts of the enabled rules, as replay would.

        Raises:
            CaptureError: a capture is damaged.
        """
        for found in self.match(captures, plan, options):
            yield from alert_batches(found, plan)

    def match(
        self, captures: Sequence[Capture], plan: Plan, options: ScanOptions | None = None
    ) -> Iterator[GroupMatches]:
        """Yield the matches of each row group that has some, without rendering anything.

        Raises:
            CaptureError: a capture is damaged.
        """
        with PreparedRules(plan, options or ScanOptions(), self._settings) as rules:
            yield from rules.match(captures)


class PreparedRules:
    """Rules translated once, to be asked of captures again and again. A context manager."""

    def __init__(self, plan: Plan, options: ScanOptions, settings: DuckdbOptions) -> None:
        self._plan = plan
        self._options = options
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._numbers = itertools.count()
        self._batch = batch_of(
            rule for rule in plan.rules if runs_on_captures(rule) and rule.correlation is None
        )
        self._steps = step_plan(plan)
        self._asks_steps: PreparedRules | None = None
        if self._steps.rules:
            wide = widened(self._steps, options)
            self._asks_steps = PreparedRules(self._steps.plan, wide, settings)
        places = {rule.name: place for place, rule in enumerate(plan.rules)}
        self._places = np.array([places[rule.name] for rule in self._batch.rules], np.int32)
        self._connection = _connect(settings, options.threads)
        self._connection.register("types", _types(self._batch))
        for name, texts in self._batch.lists:
            self._connection.register(name, pa.table({"value": pa.array(texts, pa.string())}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of DuckDB, and of links to files."""
        self._connection.close()
        if self._asks_steps is not None:
            self._asks_steps.close()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """Names of rules that replay runs, and what SQL cannot express of them."""
        return tuple((rule.name, reason) for rule, reason in self._batch.left_out)

    def match(self, captures: Sequence[Capture]) -> Iterator[GroupMatches]:
        """Yield the matches of each row group that has some, in order of time in each part.

        Raises:
            CaptureError: a capture is damaged.
        """
        correlated = self._correlate(captures)
        for capture in captures:
            undetermined = correlated.get(capture.path, NOTHING).undetermined
            if undetermined:
                yield nothing_but(capture, undetermined)
        for part in cut_into_parts(captures, self._options):
            yield from self._match_part(part, correlated)

    def _correlate(self, captures: Sequence[Capture]) -> dict[Path, Correlated]:
        """Ask the rules about several events: their steps as rules, then what they make up."""
        if self._asks_steps is None:
            return {}
        correlator = Correlator(
            self._steps, self._options, functools.partial(judge_by_sql, self._connection)
        )
        for found in self._asks_steps.match(captures):
            correlator.take(found)
        return {capture.path: correlator.judged(capture) for capture in captures}

    def _match_part(
        self, part: Part, correlated: Mapping[Path, Correlated]
    ) -> Iterator[GroupMatches]:
        found = self._ask(part) if self._batch.rules else {}
        left_out = frozenset(rule.name for rule, _ in self._batch.left_out)
        for capture in part.captures:
            wanted = {group.index for group in part.groups_of(capture)}
            for left in matches_of_rules(
                ReplayEngine(), capture, self._plan, left_out, self._options
            ):
                if left.source.index in wanted:
                    found.setdefault((capture, left.source.index), []).append(left.matches)
        for capture, group in part.groups:
            own = correlated.get(capture.path, NOTHING)
            batches = found.get((capture, group.index), [])
            lying = own.matches_in(RowGroupSource(capture, group.index))
            if len(lying):
                batches = [*batches, lying]
            if not batches:
                continue
            matches = order_matches(joined_matches(batches), first_match=self._options.first_match)
            yield GroupMatches(capture, RowGroupSource(capture, group.index), matches, own.steps)

    def _ask(self, part: Part) -> dict[tuple[Capture, int], list[MatchBatch]]:
        try:
            self._connection.register("gates", gates_of(part, self._batch, self._connection))
            self._create_events(part)
            rows = self._connection.sql(self._batch.events_query).to_arrow_table()
        except duckdb.Error as error:
            raise CaptureError(part.captures[0].path, str(error).splitlines()[0]) from None
        return matches_by_group(rows, part, self._places, self._batch.words)

    def _plain_path(self, path: Path) -> str:
        """A name of the file that DuckDB does not take for a pattern."""
        text = str(path.absolute())
        if not set(text) & _PATTERN_CHARACTERS:
            return text
        link = self._new_path()
        link.symlink_to(text)
        return str(link)

    def _full_file(self) -> str:
        """A capture without events, but with every column: others may be older than some."""
        path = self._new_path()
        with CaptureWriter(path) as writer:
            writer.close(Footer())
        return str(path)

    def _new_path(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="falcotrace-")
        return Path(self._folder.name) / f"{next(self._numbers)}.parquet"

    def _create_events(self, part: Part) -> None:
        """The view `events`: the rows of the part, with file and row."""
        nums = None
        if not part.is_whole:
            nums = (part.groups[0][1].first_num, part.groups[-1][1].last_num)
        files = [self._plain_path(capture.path) for capture in part.captures]
        lacking = {capture.lacking for capture in part.captures}
        if any(lacking):
            files.append(self._full_file())
        query = events_query(
            files,
            are_alike=len(lacking) == 1 and len(files) == len(part.captures),
            nums=nums,
            since_ns=self._options.since_ns,
            until_ns=self._options.until_ns,
        )
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS {query}")


def _connect(settings: DuckdbOptions, threads: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET max_expression_depth TO {_EXPRESSION_DEPTH}")
    # Matches are put in order here; without this DuckDB keeps the order of the files.
    connection.execute("SET preserve_insertion_order TO false")
    connection.execute(f"SET threads TO {max(1, min(threads, len(os.sched_getaffinity(0))))}")
    if settings.memory_bytes is not None:
        connection.execute(f"SET memory_limit TO '{settings.memory_bytes}B'")
    if settings.temporary is not None:
        connection.execute("SET temp_directory TO ?", [str(settings.temporary)])
    return connection


def _types(batch: Batch) -> pa.Table:
    names = [name for name, _ in batch.types]
    words = {
        f"t{word}": pa.array([bits[word] for _, bits in batch.types], pa.int64())
        for word in range(batch.words)
    }
    return pa.table({"name": pa.array(names, pa.string()), **words})
