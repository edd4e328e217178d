"""`falcotrace query` and `falcotrace sql`: wiring, formats, files, pipes, terminals, Ctrl-C."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from falcotrace.capture.footer import Footer, Host, Losses
from falcotrace.events.text import to_text
from small_captures import write_capture

EVENTS: list[dict[str, object]] = [
    {"fd.name": "/etc/shadow", "proc.name": "cat", "proc.pid": 7},
    {"fd.name": "/tmp/a\x1b[2Jb", "proc.name": "=cmd|'/C calc'!A1", "proc.pid": 8},
    {"fd.name": to_text(b"/tmp/\xff\n"), "proc.name": "vi", "proc.pid": 9},
    {"evt.type": "read", "fd.name": "/etc/shadow", "proc.name": "cat", "proc.pid": 7},
]


def command_of(*arguments: str) -> list[str]:
    """The command as a user types it."""
    return [sys.executable, "-m", "falcotrace", *arguments]


def falcotrace(
    *arguments: str, cwd: Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a pipe."""
    return subprocess.run(
        command_of(*arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        input=given,
    )


def on_terminal(*arguments: str, cwd: Path) -> str:
    """Run the command in a pseudo terminal of 80 columns; what it draws."""
    master, slave = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(
        command_of(*arguments), stdout=slave, stderr=slave, stdin=slave, cwd=cwd, env=env
    ) as process:
        os.close(slave)
        drawn = b""
        try:
            while piece := os.read(master, 65536):
                drawn += piece
        except OSError:  # the terminal is gone when its last user is
            pass
        process.wait(60)
    os.close(master)
    return drawn.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a complete capture, one with losses, and a file of macros."""
    path = tmp_path_factory.mktemp("questions")
    rows = [{"evt.type": "openat", **event} for event in EVENTS]
    complete = Footer(host=Host(hostname="h"), losses=Losses(is_known=True, made_count=4))
    write_capture(path / "c.parquet", [rows], complete).close()
    lost = Footer(losses=Losses(is_known=True, made_count=9, lost_count=5))
    write_capture(path / "lost.parquet", [rows], lost).close()
    (path / "m.yaml").write_text("- {macro: secret, condition: fd.name=/etc/shadow}\n")
    (path / "q.sql").write_text("SELECT count(*) AS n FROM events -- from a file")
    return path


def test_rows_in_a_pipe_are_tab_separated(folder: Path) -> None:
    """A header and a line for each event; nothing else on standard output."""
    done = falcotrace("query", "c.parquet", "secret", "-r", "m.yaml", cwd=folder)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0][:3] == ["evt.num", "evt.time.iso8601", "proc.pid"]
    assert [line[0] for line in lines[1:]] == ["1", "4"]
    assert (done.returncode, done.stderr) == (0, "")


def test_rows_on_a_terminal_are_a_table(folder: Path) -> None:
    """Columns stand below each other, and the number of events below them."""
    drawn = on_terminal(
        *("query", "c.parquet", "proc.pid<9", "--columns", "proc.pid,fd.name,proc.name"), cwd=folder
    )
    lines = drawn.splitlines()
    assert lines[0].split() == ["proc.pid", "fd.name", "proc.name"]
    assert [line.index("/") for line in lines[2:4]] == [lines[0].index("fd.name")] * 2
    assert lines[-1] == "3 events"
    assert "\x1b" not in drawn


@pytest.mark.parametrize("name", ["table", "json", "csv"])
@pytest.mark.parametrize(
    "question",
    [
        ("query", "c.parquet", "evt.num>0"),
        ("query", "c.parquet", "evt.num>0", "--count-by", "proc.name,fd.name"),
        ("sql", "c.parquet", "SELECT fd.name, [fd.name], {'v': proc.name}, proc FROM events"),
    ],
)
def test_nothing_recorded_reaches_the_terminal_raw(
    folder: Path, question: tuple[str, ...], name: str
) -> None:
    """No format lets a control character or a byte that is no UTF-8 through, nested or not."""
    for output in (
        falcotrace(*question, "--format", name, cwd=folder).stdout,
        on_terminal(*question, "--format", name, cwd=folder),
    ):
        assert "/etc/shadow" in output
        assert "\\xff" in output
        assert all(char.isprintable() or char in "\n\t" for char in output)
        assert len(output.splitlines()) in range(3, 8)


def test_formats_read_back(folder: Path) -> None:
    """JSON has an object a line with typed values, CSV no formulas, Parquet the types."""
    question = ("query", "c.parquet", "evt.type=openat", "--columns", "proc.pid,proc.name,fd.name")
    objects = [
        json.loads(line)
        for line in falcotrace(*question, "--format", "json", cwd=folder).stdout.splitlines()
    ]
    assert objects[0] == {"proc.pid": 7, "proc.name": "cat", "fd.name": "/etc/shadow"}
    assert objects[2]["fd.name"] == "/tmp/\\xff\n"
    rows = list(
        csv.reader(io.StringIO(falcotrace(*question, "--format", "csv", cwd=folder).stdout))
    )
    assert rows[0] == ["proc.pid", "proc.name", "fd.name"]
    assert rows[2][1] == "'=cmd|'/C calc'!A1"
    done = subprocess.run(
        command_of(*question, "--format", "parquet"), capture_output=True, cwd=folder, check=True
    )
    table = pq.read_table(io.BytesIO(done.stdout))
    assert table["proc.pid"].to_pylist() == [7, 8, 9]
    assert table["fd.name"].to_pylist()[2] == to_text(b"/tmp/\xff\n")


def test_parquet_is_not_for_a_terminal(folder: Path) -> None:
    """Bytes that would ruin a terminal are refused with what to do."""
    assert "-o FILE" in on_terminal(
        "query", "c.parquet", "evt.num>0", "--format", "parquet", cwd=folder
    )


def test_counts_have_a_total(folder: Path) -> None:
    """The most frequent first; the total stands beside the rows, not among them."""
    question = ("query", "c.parquet", "evt.num>0", "--count-by", "proc.name", "--limit", "1")
    done = falcotrace(*question, cwd=folder)
    assert done.stdout == "proc.name\tcount\ncat\t2\n"
    assert done.stderr == "4 events, 3 combinations, the first 1 shown\n"
    assert on_terminal(*question, cwd=folder).splitlines()[-1].startswith("4 events")


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--limit", "2"], 2),
        (["--limit", "0"], 0),
        (["--since", "@0.000002"], 3),
        (["--until", "@0.000002"], 1),
    ],
)
def test_options_choose(folder: Path, options: list[str], rows: int) -> None:
    """Limit and times leave what they say."""
    done = falcotrace("query", "c.parquet", "evt.num>0", *options, cwd=folder)
    assert len(done.stdout.splitlines()) == rows + 1


def test_lost_events_are_an_exit_code_and_a_note(folder: Path) -> None:
    """An answer out of an incomplete capture says so."""
    for question in (("query", "lost.parquet", "evt.num>0"), ("sql", "lost.parquet", "SELECT 1")):
        done = falcotrace(*question, cwd=folder)
        assert done.returncode == 3
        assert "note: lost.parquet: lost events: 5 of 9 events" in done.stderr


def test_columns_that_nobody_has_are_noted(folder: Path) -> None:
    """An empty column is not taken for an answer."""
    done = falcotrace(
        "query", "c.parquet", "evt.num=1", "--columns", "evt.deltatime,proc.name", cwd=folder
    )
    assert "note: column `evt.deltatime` is not supported" in done.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.parquet", "out.txt"])
@pytest.mark.parametrize(
    "question", [("query", "c.parquet", "evt.num>0"), ("sql", "c.parquet", "SELECT 1 AS a")]
)
def test_files_appear_when_they_are_complete(
    folder: Path, tmp_path: Path, question: tuple[str, ...], name: str
) -> None:
    """-o writes by the name, for its owner alone, replaces nothing unasked, and leaves no rest."""
    target = tmp_path / name
    first = falcotrace(*question, "-o", str(target), cwd=folder)
    assert (first.returncode, first.stdout) == (0, "")
    assert target.stat().st_mode & 0o777 == 0o600
    content = target.read_bytes()
    begin = {"csv": b"evt.num,", "json": b'{"', "parquet": b"PAR1", "txt": b"evt.num\t"}
    wanted = begin[name.split(".")[1]] if question[0] == "query" or name[4] in "jp" else b"a\n"
    assert content.startswith(wanted)
    second = falcotrace(*question, "-o", str(target), cwd=folder)
    assert second.returncode == 2
    assert "--force overwrites" in second.stderr
    assert target.read_bytes() == content
    assert falcotrace(*question, "-o", str(target), "--force", cwd=folder).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_links_and_devices_are_no_output(folder: Path, tmp_path: Path) -> None:
    """Neither what a link points to nor a device is written, forced or not."""
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "link").symlink_to(victim)
    for target in (str(tmp_path / "link"), "/dev/null"):
        done = falcotrace("query", "c.parquet", "evt.num>0", "-o", target, "--force", cwd=folder)
        assert done.returncode == 2
        assert "no regular file" in done.stderr
    assert victim.read_text() == "kept"
    missing = falcotrace("query", "c.parquet", "evt.num>0", "-o", "no/such/x.csv", cwd=folder)
    assert "cannot be written" in missing.stderr


def test_a_failed_answer_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    """An error on the way takes the half written file away."""
    query = "SELECT CASE WHEN i > 50000 THEN error('x') ELSE i END FROM range(100000) t(i)"
    done = falcotrace("sql", "c.parquet", query, "-o", str(tmp_path / "x.csv"), cwd=folder)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_queries_come_from_files_and_from_standard_input(folder: Path) -> None:
    """`--file`, `-`, and the last argument are the same query."""
    answers = [
        falcotrace("sql", "c.parquet", "--file", "q.sql", cwd=folder),
        falcotrace("sql", "c.parquet", "-", cwd=folder, given="SELECT count(*) AS n FROM events"),
        falcotrace("sql", "c.parquet", "SELECT count(*) AS n FROM events", cwd=folder),
        falcotrace("sql", "--file", "q.sql", "--", "c.parquet", cwd=folder),
    ]
    assert [done.stdout for done in answers] == ["n\n4\n"] * 4
    both = falcotrace("sql", "c.parquet", "lost.parquet", "--file", "q.sql", cwd=folder)
    assert both.stdout == "n\n8\n"


def test_the_captures_are_a_view(folder: Path) -> None:
    """Hosts, times and losses of the files can be asked."""
    query = "SELECT file, host, events, lost, is_complete FROM captures ORDER BY file"
    done = falcotrace("sql", "c.parquet", "lost.parquet", query, "--format", "json", cwd=folder)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"file": "c.parquet", "host": "h", "events": 4, "lost": 0, "is_complete": True},
        {"file": "lost.parquet", "host": "", "events": 4, "lost": 5, "is_complete": False},
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "c.parquet", ""], ["<condition>:1:1", "^"]),
        (["query", "c.parquet", "proc.nme=x"], ["<condition>:1:1", "did you mean `proc.name`"]),
        (["query", "c.parquet", "secret"], ["macro `secret` is not defined"]),
        (["query", "c.parquet", "x", "-r", "none.yaml"], ["none.yaml"]),
        (["query", "c.parquet"], ["the last argument is the condition", "looks like a file"]),
        (["query", "c.parquet", "lost.parquet"], ["the last argument is the condition"]),
        (["query", "proc.name=x"], ["name captures before"]),
        (["query"], ["expected captures and a condition"]),
        (["query", "none.parquet", "proc.name=x"], ["none.parquet"]),
        (["query", "c.parquet", "proc.name=x", "--columns", "a.b"], ["<columns>:1:1", "^"]),
        (["query", "c.parquet", "proc.name=x", "--count-by", "a.b"], ["<columns>:1:1", "^"]),
        (
            ["query", "c.parquet", "proc.name=x", "--count-by", "a.b", "--columns", "c.d"],
            ["give one"],
        ),
        (["query", "c.parquet", "proc.name=x", "--format", "xml"], ["expected one of table, json"]),
        (["query", "c.parquet", "proc.name=x", "--since", "soon"], ["expected a time"]),
        (["query", "c.parquet", "proc.name=x", "--limit", "-1"], ["--limit"]),
        (["sql", "c.parquet"], ["name captures before"]),
        (["query", "c.parquet", "proc.name=x", "-o", "c.parquet"], ["one of the captures"]),
        (["sql", "./c.parquet", "SELECT 1", "-o", "c.parquet", "--force"], ["one of the captures"]),
        (["query", "c.parquet", "fd.name=x.gz", "--columns", "a.b"], ["<columns>:1:1"]),
        (["sql", "c.parquet", "SELECT '\udcff'"], ["SQL: "]),
        (["sql"], ["expected captures and a query"]),
        (["sql", "c.parquet", " "], ["the query is empty"]),
        (["sql", "c.parquet", "--file", "none.sql"], ["none.sql: cannot be read"]),
        (["sql", "c.parquet", "SELECT 1", "--memory-limit", "much"], ["expected a size"]),
        (["sql", "c.parquet", "SELECT * FROM e"], ["`events`"]),
        (["sql", "c.parquet", "COPY events TO 'x.csv'"], ["--unrestricted"]),
        (["sql", "c.parquet", "SELECT * FROM 'q.sql'"], ["`events`"]),
    ],
)
def test_errors_say_what_to_do(folder: Path, arguments: list[str], words: list[str]) -> None:
    """Whatever is typed, the answer is a sentence and exit code 2."""
    done = falcotrace(*arguments, cwd=folder)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(a.range % 7 * b.range) FROM range(100000000) a, range(100000000) b",
        "SELECT range FROM range(100000000000)",
    ],
)
def test_ctrl_c_is_clean(folder: Path, tmp_path: Path, query: str) -> None:
    """An interrupted query ends at once with code 130, without a traceback or a file."""
    command = command_of("sql", "c.parquet", query, "-o", str(tmp_path / "x.csv"))
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        while not list(tmp_path.iterdir()) and "range(100000000000)" in query:
            time.sleep(0.05)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    """`| head` ends the command without a word."""
    command = " ".join(command_of("sql", "c.parquet", "'SELECT range FROM range(10000000)'"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -2"],
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("range\n0\n", "")
