"""Captures as views of a DuckDB database in memory: `events`, and `captures` about the files.

In: open captures. Out: a connection, or answers as Arrow batches. A confined database can read its
captures and nothing else: no other file, no network, no extension, and it writes nowhere but into
a temporary folder of its own.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar, cast

import duckdb
import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.capture.summary import describe_losses
from falcotrace.engines.sql_errors import described
from falcotrace.errors import CaptureError, FalcoTraceError

ROWS_PER_BATCH = 10_000

_WRITING_STATEMENTS = frozenset({"copy", "export", "attach"})
_WRITING_FUNCTIONS = frozenset({"query", "json_execute_serialized_sql"})
"""What a query that writes to files cannot do without: the functions run SQL out of a text."""

_NO_PLAIN_CHARACTER = re.compile(r"[^\n\r -~]")
_NAMING_TOKENS = (duckdb.token_type.keyword, duckdb.token_type.identifier)

_ABOUT_CAPTURES = pa.schema(
    [
        ("file", pa.string()),
        ("host", pa.string()),
        ("first", pa.timestamp("ns")),
        ("last", pa.timestamp("ns")),
        ("events", pa.int64()),
        ("made", pa.int64()),
        ("lost", pa.int64()),
        ("is_complete", pa.bool_()),
        ("losses", pa.string()),
        ("kernel", pa.string()),
        ("tool", pa.string()),
        ("ended_by", pa.string()),
        ("size_bytes", pa.int64()),
    ]
)
"""The view `captures`; `file` is what `events` has as `filename`, numbers of losses are null where
nobody counted."""

_REFUSALS = (duckdb.Error, pa.ArrowException, OSError, ValueError)
"""What DuckDB and Arrow raise of a query; ValueError of a text that is no UTF-8."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """What a database may use.

    Attributes:
        memory_limit_bytes: beyond it DuckDB spills to disk or gives up; its own default if None.
        threads: all cores if None.
        is_confined: nothing but the captures can be read, and nothing written.
    """

    memory_limit_bytes: int | None = None
    threads: int | None = None
    is_confined: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a query gave.

    Attributes:
        schema: names and types; names may repeat.
        batches: the rows; to be taken once.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def connect_captures(
    captures: Sequence[Capture], options: DatabaseOptions, folder: str | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a database with the views `events` and `captures`.

    Args:
        captures: open captures; rows of all of them are one view.
        options: what it may use.
        folder: where it may spill to.

    Raises:
        CaptureError: DuckDB cannot read one of them.
    """
    connection = duckdb.connect()
    # DuckDB 2.0.0 fails with an internal error on `WHERE a.b = .. ORDER BY .. LIMIT n` over
    # nested columns, because this optimizer hands the filter the whole struct.
    connection.execute("SET disabled_optimizers = 'late_materialization'")
    for name, value in (
        ("memory_limit", options.memory_limit_bytes and f"{options.memory_limit_bytes} B"),
        ("threads", options.threads),
        ("temp_directory", folder),
    ):
        if value is not None:
            connection.execute(f"SET {name} = {_literal(str(value))}")
    files = [str(capture.path) for capture in captures]
    # DuckDB takes every name for a pattern.
    patterns = [_as_pattern(file) for file in files]
    try:
        events = connection.read_parquet(
            patterns, union_by_name=True, hive_partitioning=False, filename=True
        )
        events.create_view("events")
    except duckdb.Error as error:
        raise CaptureError(files[0], described(error)) from None
    about = pa.Table.from_pylist([_about(item) for item in captures], schema=_ABOUT_CAPTURES)
    connection.register("about_captures", about)
    connection.execute("CREATE TABLE captures AS SELECT * FROM about_captures")
    connection.unregister("about_captures")
    if options.is_confined:
        _confine(connection, {*files, *patterns})
    return connection


def _confine(connection: duckdb.DuckDBPyConnection, paths: set[str]) -> None:
    """Close everything but some files; nothing can be opened again afterwards."""
    allowed = ", ".join(map(_literal, sorted(paths)))
    for statement in (
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET allow_community_extensions = false",
        # Variables of this program are no tables.
        "SET python_enable_replacements = false",
        f"SET allowed_paths = [{allowed}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


_LOOK_SECONDS = 0.2
_INTERRUPT_SECONDS = 0.05


class CaptureDatabase:
    """Answers queries about captures; an interrupt ends a query. Use it as a context manager."""

    def __init__(self, captures: Sequence[Capture], options: DatabaseOptions) -> None:
        self._options = options
        # Not where the user stands, which is DuckDB's own choice.
        self._folder = tempfile.TemporaryDirectory(prefix="falcotrace-sql-")
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="sql")
        try:
            self._connection = connect_captures(captures, options, self._folder.name)
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.shutdown()
        self._connection.close()
        self._folder.cleanup()

    def ask(self, query: str) -> Answer | None:
        """Run a query; of several statements the last one answers.

        Returns:
            The answer; None where there is none: of a comment, or of a statement that only does
            something.

        Raises:
            FalcoTraceError: DuckDB refuses the query, or it may not write files; one line that
                says what to do.
        """
        word = _writing_word(query) if self._options.is_confined else None
        if word is not None:
            raise FalcoTraceError(
                f"a query with `{word}` could write files: -o FILE writes the answer, "
                "--unrestricted lets it"
            )
        reader = self._run(lambda: _open(self._connection, query))
        return None if reader is None else Answer(reader.schema, self._batches(reader))

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        while True:
            batch = self._run(lambda: _next(reader))
            if batch is None:
                return
            if batch.num_rows:
                yield batch

    def _run(self, work: Callable[[], T]) -> T:
        """Work in a thread of its own: DuckDB does not look for interrupts while it works."""
        done = self._worker.submit(work)
        try:
            # A signal that another thread of the process takes does not wake this one.
            while not wait([done], _LOOK_SECONDS).done:
                pass
            return done.result()
        except _REFUSALS as error:
            raise FalcoTraceError(f"SQL: {described(error)}") from None
        except BaseException:
            # DuckDB forgets an interrupt that comes before a query has begun.
            while not wait([done], _INTERRUPT_SECONDS).done:
                self._connection.interrupt()
            raise


def _open(connection: duckdb.DuckDBPyConnection, query: str) -> pa.RecordBatchReader | None:
    # None where there is nothing to answer, whatever its types say.
    relation = cast("duckdb.DuckDBPyRelation | None", connection.sql(query))
    return None if relation is None else relation.to_arrow_reader(ROWS_PER_BATCH)


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


def _writing_word(query: str) -> str | None:
    """The word of a query that statements which write files begin with, or None.

    The captures themselves are files that DuckDB may open, and it does not tell reading from
    writing: `COPY (..) TO 'capture.parquet'` replaces one, also in a WITH clause. Texts and
    comments may have the words.
    """
    # DuckDB takes many characters for blanks; where it does not, a word too many is found.
    plain = _NO_PLAIN_CHARACTER.sub(" ", query)
    tokens = duckdb.tokenize(plain)
    ends = [start for start, _ in tokens[1:]] + [len(plain)]
    for (start, kind), end in zip(tokens, ends, strict=False):
        if kind in _NAMING_TOKENS:
            word = plain[start:end].strip().lower()
            if word in _WRITING_STATEMENTS or word.strip('"') in _WRITING_FUNCTIONS:
                return word
    return None


def _as_pattern(file: str) -> str:
    """The pattern that matches this file alone.

    Example:
        >>> _as_pattern("a[1]*.parquet")
        'a[[]1][*].parquet'
    """
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _about(capture: Capture) -> dict[str, object]:
    footer = capture.footer
    losses = footer.losses
    groups = capture.row_groups
    return {
        "file": str(capture.path),
        "host": footer.host.hostname,
        "first": _stored_number(min((group.first_time_ns for group in groups), default=None)),
        "last": _stored_number(max((group.last_time_ns for group in groups), default=None)),
        "events": capture.row_count,
        "made": _stored_number(losses.made_count if losses.is_known else None),
        "lost": _stored_number(losses.lost_count if losses.is_known else None),
        "is_complete": losses.is_known and not losses.lost_count,
        "losses": describe_losses(losses),
        "kernel": footer.host.kernel,
        "tool": footer.recording.tool,
        "ended_by": footer.recording.ended_by,
        "size_bytes": capture.path.stat().st_size,
    }


def _stored_number(number: int | None) -> int | None:
    """A number of a footer, which may say anything; None beyond 64 bits."""
    return number if number is not None and -(1 << 63) <= number < 1 << 63 else None
