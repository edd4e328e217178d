"""Captures as a database: views, confinement, interrupts, and errors for people."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.capture.footer import Footer, Host, Losses
from falcotrace.engines.capture_database import CaptureDatabase, DatabaseOptions
from small_captures import write_capture

ODD_NAMES = ("a[1]*.parquet", "a?b.parquet", 'it\'s "x" {1,2}.parquet', "host=web.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a capture of two events, and one whose losses nobody knows."""
    rows = [{"evt.type": "openat", "proc.name": name, "fd.name": "/x"} for name in ("vi", "cat")]
    footer = Footer(host=Host(hostname="web-1"), losses=Losses(is_known=True, made_count=2))
    write_capture(tmp_path / "c.parquet", [rows], footer).close()
    return tmp_path


@pytest.fixture
def database(folder: Path) -> Iterator[CaptureDatabase]:
    """A confined database of the capture."""
    with ft.open(folder / "c.parquet") as captures, captures.database() as opened:
        yield opened


def rows_of(database: CaptureDatabase, query: str) -> list[dict[str, object]]:
    """All rows of an answer."""
    answer = database.ask(query)
    return [row for batch in answer.batches for row in batch.to_pylist()] if answer else []


def test_events_and_captures_are_views(folder: Path) -> None:
    """Events of all files together; of each file host, times, counts and losses."""
    row = {"evt.type": "read", "proc.name": "sh"}
    write_capture(folder / "d.parquet", [[row] * 3], Footer(host=Host(hostname="db-1"))).close()
    with ft.open(folder) as captures, captures.database() as database:
        joined = rows_of(
            database,
            "SELECT c.host, count(*) AS n, any_value(c.events) AS events, bool_and(c.is_complete) "
            "AS complete, any_value(c.lost) AS lost FROM events e JOIN captures c "
            "ON e.filename = c.file GROUP BY ALL ORDER BY ALL",
        )
        times = rows_of(
            database, "SELECT epoch_ns(min(first)) AS a, epoch_ns(max(last)) AS b FROM captures"
        )
    assert joined == [
        {"host": "db-1", "n": 3, "events": 3, "complete": False, "lost": None},
        {"host": "web-1", "n": 2, "events": 2, "complete": True, "lost": 0},
    ]
    assert times == [{"a": 1000, "b": 3000}]


def test_footers_may_say_anything(folder: Path) -> None:
    """Numbers that no column holds are missing ones, not a traceback."""
    losses = Losses(is_known=True, made_count=1 << 70, lost_count=-(1 << 70))
    path = folder / "odd.parquet"
    write_capture(path, [[{"evt.type": "read"}]], Footer(losses=losses)).close()
    with ft.open(path) as captures, captures.database() as database:
        answer = rows_of(database, "SELECT made, lost, events FROM captures")
    assert answer == [{"made": None, "lost": None, "events": 1}]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_files_are_no_patterns(folder: Path, name: str) -> None:
    """A name with wildcards is that file and no other, confined or not."""
    (folder / name).write_bytes((folder / "c.parquet").read_bytes())
    for other in ("a1.parquet", "axb.parquet", "a1x.parquet"):
        (folder / other).write_bytes((folder / "c.parquet").read_bytes())
    with ft.open([folder / name]) as captures:
        for is_confined in (True, False):
            with captures.database(DatabaseOptions(is_confined=is_confined)) as database:
                query = "SELECT count(*) AS n, any_value(filename) AS file FROM events"
                assert rows_of(database, query) == [{"n": 2, "file": str(folder / name)}]
        assert captures.sql("SELECT count(*) FROM events").fetchall() == [(2,)]


_QUOTED = "WITH a AS (COPY (SELECT 1) TO ''{file}'' (FORMAT csv, USE_TMP_FILE false)) SELECT 1"
WRITES = (
    "COPY (SELECT 1 AS a) TO '{file}' (FORMAT csv, USE_TMP_FILE false)",
    "copy events to '{file}' (format parquet, use_tmp_file false)",
    "COPY (SELECT 1 AS x, 2 AS y) TO '{file}' (FORMAT parquet, PARTITION_BY (x), OVERWRITE)",
    "WITH a AS (COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false)) SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false)",
    "PREPARE p AS COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false); EXECUTE p",
    "SELECT 1; /* /* */ */ CoPy (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false)",
    "SELECT '\\'; COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false) --'",
    "\u00a0COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false)",
    "SELECT $a$ $b$ $a$;\u2003COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false)",
    "-- \r COPY (SELECT 1) TO '{file}' (FORMAT csv, USE_TMP_FILE false)",
    f"PRAGMA json_execute_serialized_sql(json_serialize_sql('{_QUOTED}'))",
    f"SELECT * FROM \"json_execute_serialized_sql\"(json_serialize_sql('{_QUOTED}'))",
    f"SELECT * FROM query($$FROM json_execute_$$ || $$serialized_sql('{_QUOTED}')$$)",
    "SELECT * FROM query ('SELECT 1')",
    "SELECT * FROM main.query('SELECT 1')",
    "SELECT * FROM system . main . \"Query\" /* x */ ('SELECT 1')",
    *(
        f"SELECT 1;{blank}COPY (SELECT 1) TO '{{file}}' (FORMAT csv, USE_TMP_FILE false)"
        for blank in ("\x00", "\x01", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u200b", "\ufeff")
    ),
    "EXPORT DATABASE '{file}'",
    "ATTACH '{file}' AS z",
    "COPY (SELECT 1) TO '{folder}/new.csv'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "SET allowed_directories = ['/']",
    "SELECT * FROM read_text('{folder}/secret.txt')",
    "SELECT * FROM '{folder}/secret.txt'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x')",
    "CREATE PERSISTENT SECRET s (TYPE s3)",
    "PRAGMA profiling_output = '{folder}/new.json'",
    "CALL enable_logging(storage = 'file', storage_path = '{folder}/new')",
    "IMPORT DATABASE '{folder}'",
    "SELECT * FROM captures_of_this_program",
)


@pytest.mark.parametrize("query", WRITES)
def test_a_confined_query_touches_nothing(folder: Path, query: str) -> None:
    """No statement reads another file, reaches the network, or changes any file, captures too."""
    captures_of_this_program = [1]
    (folder / "secret.txt").write_text("secret")
    text = query.format(file=folder / "c.parquet", folder=folder)
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    with ft.open(folder / "c.parquet") as captures, captures.database() as database:
        with pytest.raises(ft.FalcoTraceError) as caught:
            rows_of(database, text)
        assert rows_of(database, "SELECT count(*) AS n FROM events") == [{"n": 2}]
    assert "\n" not in str(caught.value)
    assert captures_of_this_program == [1]
    after = {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    assert after == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) AS n FROM events WHERE proc.name <> 'copy' -- copy, export",
        'SELECT count(*) AS n, 1 AS "copy", 2 AS "export" FROM events /* attach */',
        "SELECT count(*) AS n FROM events WHERE evt.type <> 'copy_file_range' AND 'x' <> $$copy$$",
        "CREATE TEMP TABLE t AS SELECT * FROM events; SELECT count(*) AS n FROM t",
        "PREPARE p AS SELECT count(*) AS n FROM events; EXECUTE p",
    ],
)
def test_words_in_texts_and_names_are_free(database: CaptureDatabase, query: str) -> None:
    """Only statements are refused, not what is said about copies."""
    assert rows_of(database, query)[0]["n"] == 2


def test_unrestricted_is_what_it_says(folder: Path) -> None:
    """Who asks for it can read and write other files."""
    (folder / "other.csv").write_text("a\n1\n")
    options = DatabaseOptions(is_confined=False)
    with ft.open(folder / "c.parquet") as captures, captures.database(options) as database:
        assert rows_of(database, f"SELECT a FROM '{folder}/other.csv'") == [{"a": 1}]
        rows_of(database, f"COPY (SELECT 1 AS b) TO '{folder}/new.csv'")
    assert (folder / "new.csv").read_text() == "b\n1\n"


def test_spilling_goes_to_a_folder_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query beyond its memory is answered, and nothing is left anywhere."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    options = DatabaseOptions(memory_limit_bytes=64 << 20, threads=1)
    before = sorted(folder.iterdir())
    query = (
        "SELECT count(*) AS n FROM (SELECT range AS r, repeat('x', 90) AS x FROM range(1000000) "
        "ORDER BY x, r DESC)"
    )
    with ft.open(folder / "c.parquet") as captures, captures.database(options) as database:
        assert rows_of(database, query) == [{"n": 1_000_000}]
        assert rows_of(database, "SELECT current_setting('threads') AS t") == [{"t": 1}]
    assert sorted(folder.iterdir()) == before


def test_too_little_memory_is_told(folder: Path) -> None:
    """Not enough memory is one line that names the option."""
    options = DatabaseOptions(memory_limit_bytes=4 << 20, threads=1)
    query = "SELECT list(range) FROM range(10000000)"
    with (
        ft.open(folder / "c.parquet") as captures,
        captures.database(options) as database,
        pytest.raises(ft.FalcoTraceError, match="--memory-limit"),
    ):
        rows_of(database, query)


@pytest.mark.parametrize("query", ["", "  ", "-- nothing", "/* x */ ;"])
def test_nothing_asked_is_no_answer(database: CaptureDatabase, query: str) -> None:
    """A comment is not an error."""
    assert database.ask(query) is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM event", ["`events`", "`captures`"]),
        ("SELECT proc.nam FROM events", ['"name"', "DESCRIBE events"]),
        ("SELEC 1", ["line 1: SELEC 1"]),
        ("SELECT '\x1b[2J'::INT", ["\\x1b[2J"]),
        ("SELECT 1\nFROM\x1b.", ["SQL: "]),
        ("SELECT $1", ["parameters"]),
    ],
)
def test_errors_are_one_safe_line(database: CaptureDatabase, query: str, words: list[str]) -> None:
    """DuckDB's pages become a line that says what to do; what was recorded cannot move a cursor."""
    with pytest.raises(ft.FalcoTraceError) as caught:
        rows_of(database, query)
    assert str(caught.value).isprintable()
    assert all(word in str(caught.value) for word in words)


def test_an_interrupt_ends_a_query(database: CaptureDatabase) -> None:
    """Ctrl-C ends DuckDB's work at once; the database can be asked again."""
    ends = "SELECT sum(a.range % 7 * b.range) FROM range(100000000) a, range(100000000) b"
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        rows_of(database, ends)
    timer.join()
    # Not a measurement: without the interrupt it would take hours.
    assert time.monotonic() - begin < 60
    assert rows_of(database, "SELECT count(*) AS n FROM events") == [{"n": 2}]


def test_scap_files_have_to_be_imported(shared: Path) -> None:
    """SQL needs a capture; the error says how to get one."""
    (source,) = (shared / "oracle" / "captures").glob("attack.scap*")
    with ft.open(source) as captures, pytest.raises(ft.CaptureError, match="falcotrace import"):
        captures.database()
