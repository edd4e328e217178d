"""Captures that are no captures: one clear line and an exit code, never a traceback or a hang."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from falcotrace.capture import encoding
from falcotrace.capture.footer import METADATA_KEY, Footer, encode_footer
from falcotrace.capture.reader import open_capture
from small_captures import write_capture

ROOT = Path(__file__).parents[2]


def whole(path: Path) -> bytes:
    """The bytes of a good capture."""
    row = {"evt.type": "openat", "proc.name": "vi", "fd.name": "/etc/passwd"}
    write_capture(path, [[row] * 50]).close()
    return path.read_bytes()


def with_footer(path: Path, footer: bytes) -> None:
    """A Parquet file with any bytes as its footer."""
    table = pa.table({"x": [1]}).replace_schema_metadata({METADATA_KEY: footer})
    pq.write_table(table, path)


def with_column(capture: Path, path: str, values: pa.Array) -> None:
    """A capture with one of its columns replaced."""
    file = pq.ParquetFile(capture)
    metadata = file.metadata.metadata
    table = file.read()
    head, leaf = path.split(".")
    struct = table[head].combine_chunks()
    fields = list(struct.type)
    arrays = struct.flatten()
    place = struct.type.get_field_index(leaf)
    arrays[place], fields[place] = values, pa.field(leaf, values.type)
    made = pa.StructArray.from_arrays(arrays, fields=fields)
    table = table.set_column(table.schema.get_field_index(head), head, made)
    pq.write_table(table.replace_schema_metadata(metadata), capture)


def truncated(path: Path) -> None:
    """The end is missing: a recorder that was killed."""
    path.write_bytes(whole(path)[:-500])


def halved(path: Path) -> None:
    """Half of the file, with the right end."""
    raw = whole(path)
    path.write_bytes(raw[: len(raw) // 2] + raw[-8:])


def empty(path: Path) -> None:
    """Nothing at all."""
    path.write_bytes(b"")


def text(path: Path) -> None:
    """Some other file."""
    path.write_text("not a capture\n")


def other_parquet(path: Path) -> None:
    """Parquet, but not ours."""
    pq.write_table(pa.table({"x": [1, 2]}), path)


def newer(path: Path) -> None:
    """Written by a later version."""
    with_footer(path, encode_footer(Footer(format_version=99)))


def bad_json(path: Path) -> None:
    """A footer that is no JSON."""
    with_footer(path, b"{broken")


def wrong_types(path: Path) -> None:
    """A footer with a text where a number belongs."""
    with_footer(path, b'{"format_version": "one"}')


def lying(path: Path) -> None:
    """A footer that speaks of row groups that are not there."""
    with_footer(path, b'{"row_groups": []}')


def outside(path: Path) -> None:
    """A process table that is said to lie outside the file."""
    entry = {
        **dict.fromkeys(("first_num", "last_num", "first_time_ns", "last_time_ns"), 0),
        "row_count": 1,
        "process_count": 1,
        "processes_offset": 1 << 40,
        "processes_bytes": 9,
    }
    with_footer(path, msgspec.json.encode({"row_groups": [entry]}))


def folder(path: Path) -> None:
    """A folder without captures."""
    path.mkdir()


def missing(path: Path) -> None:
    """No file."""


def flipped_processes(path: Path) -> None:
    """The process table's bytes were changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "MEDIUM_COUNT", 0)
        raw = bytearray(whole(path))
    entry = open_capture(path).footer.row_groups[0]
    start = entry.processes_offset
    raw[start : start + entry.processes_bytes] = b"\xaa" * entry.processes_bytes
    path.write_bytes(raw)


def flipped_pages(path: Path) -> None:
    """The pages' bytes were changed."""
    raw = bytearray(whole(path))
    end = open_capture(path).footer.row_groups[0].processes_offset
    raw[4:end] = b"\x55" * (end - 4)
    path.write_bytes(raw)


CASES: list[tuple[Callable[[Path], None], str]] = [
    (truncated, "is truncated"),
    (halved, "is damaged"),
    (empty, "is not a Parquet file"),
    (text, "is not a Parquet file"),
    (other_parquet, "not a capture of FalcoTrace"),
    (newer, "has format version 99; this FalcoTrace reads up to 1"),
    (bad_json, "has a damaged footer"),
    (wrong_types, "has a damaged footer: Expected `int`, got `str` - at `$.format_version`"),
    (lying, "row groups and footer disagree"),
    (outside, "a process table lies outside the file"),
    (folder, "no .parquet file in this folder"),
    (missing, "cannot be read: No such file or directory"),
    (flipped_processes, "is damaged"),
    (flipped_pages, "is damaged"),
]


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (["scan"], ["-r", str(ROOT / "rules")]),
        (["export", "--format", "ecs"], ["-r", str(ROOT / "rules")]),
        (["query"], ["fd.name=x and proc.name=x"]),
        (["query", "--count-by", "proc.name"], ["proc.name exists"]),
        (["sql"], ["SELECT min(fd.name), min(proc.name), sum(evt.num) FROM events"]),
        (["stream"], ["--event", "1"]),
    ],
    ids=["scan", "export", "query", "count", "sql", "stream"],
)
@pytest.mark.parametrize(
    ("make", "message"), CASES, ids=lambda value: getattr(value, "__name__", "")
)
def test_bad_captures_get_one_line(
    make: Callable[[Path], None],
    message: str,
    before: list[str],
    behind: list[str],
    tmp_path: Path,
) -> None:
    """Whatever is wrong with a file is said in one line, with exit code 2."""
    path = tmp_path / "c.parquet"
    make(path)
    command = [sys.executable, "-m", "falcotrace", *before, str(path), *behind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    is_duckdb = before[0] in {"sql", "stream"}
    if before == ["sql"] and make is flipped_processes:
        # DuckDB does not look at process tables.
        assert done.returncode == 3
        return
    assert done.returncode == 2, done
    assert message in done.stderr or (is_duckdb and make in {flipped_pages, flipped_processes})
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("fd.cport", pa.array(["x"] * 50)),
        ("proc.pid", pa.array(["x"] * 50)),
        ("proc.cmdline", pa.array([b"\xff\xfe"] * 50)),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.type),
)
def test_columns_of_other_types_get_one_line(path: str, values: pa.Array, tmp_path: Path) -> None:
    """A column that holds something else than its name says is damage, for queries and exports."""
    made = tmp_path / "c.parquet"
    whole(made)
    with_column(made, path, values)
    (tmp_path / "r.yaml").write_text(
        "- {rule: r, desc: d, condition: evt.type=openat, output: x, priority: INFO}"
    )
    export = ["-r", str(tmp_path / "r.yaml"), "--format", "csv", "-o", str(tmp_path / "o")]
    for name, options in (("query", ["evt.num>0", "--columns", path]), ("export", export)):
        command = [sys.executable, "-m", "falcotrace", name, str(made), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.startswith(f"falcotrace: {made}: is damaged: ")
    assert not (tmp_path / "o").exists()


def test_names_of_files_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """A capture called by an attacker does not clear the screen."""
    path = tmp_path / "a\x1b[2Jb.parquet"
    path.write_text("x")
    command = [sys.executable, "-m", "falcotrace", "info", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[2J" in done.stderr
