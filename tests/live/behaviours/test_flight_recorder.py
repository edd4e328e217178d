"""`record --ring` and `--rotate`, `seal`: what is kept, and what is handed out."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.capture.reader import open_capture
from falcotrace.record.folder import SUFFIX
from live.behaviours.test_interruptions import FALCOTRACE, MARKS, NANO, NOISE, ask, running

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

MARKING = [sys.executable, "-c", MARKS, "0.001"]

MARKS_OF = (
    "SELECT count(*), min(mark), max(mark), count(DISTINCT mark) FROM (SELECT"
    " regexp_extract(evt.arg.name, 'mark-(\\d+)-', 1)::BIGINT AS mark FROM events"
    " WHERE evt.type = 'openat' AND evt.arg.name LIKE '/tmp/mark-%')"
)


def marks_of(*captures: Path) -> tuple[int, int]:
    """The first and the last mark in captures; none between them is missing or there twice."""
    ((count, first, last, distinct),) = open_captures(captures).sql(MARKS_OF).fetchall()
    assert count == distinct == last - first + 1 > 100
    return first, last


def span_s(capture: Path) -> float:
    """Seconds from the first to the last event."""
    ((span_ns,),) = ask(capture, "SELECT max(evt.time) - min(evt.time) FROM events")
    return int(str(span_ns)) / NANO


@contextmanager
def recording(capture: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A recorder that goes on while the block runs."""
    command = [*FALCOTRACE, "record", "-o", str(capture), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recorder:
        try:
            yield recorder
        finally:
            recorder.kill()


def seal(capture: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `falcotrace seal`."""
    command = [*FALCOTRACE, "seal", str(capture), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_the_last_seconds_are_kept(tmp_path: Path) -> None:
    """Sealed twice, by command and by signal, and at the end: each has its window, without gaps."""
    capture = tmp_path / "c.parquet"
    with running(MARKING), recording(capture, "--ring", "4s") as recorder:
        time.sleep(12)
        asked_ns = time.time_ns()
        done = seal(capture, "-o", str(tmp_path / "sealed.parquet"))
        assert done.returncode == 0, done.stderr
        assert "lost: none of" in done.stderr
        recorder.send_signal(signal.SIGUSR1)
        time.sleep(3)
        recorder.send_signal(signal.SIGINT)
        _, told = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, told
    [by_signal] = tmp_path.glob("c-*.parquet")
    assert str(by_signal) in told
    for path in (tmp_path / "sealed.parquet", by_signal, capture):
        marks_of(path)
        assert 3 < span_s(path) < 9
        nums = ask(path, "SELECT min(evt.num) > 1000, count(*) = max(evt.num) - min(evt.num) + 1,"
                         " count(*) FILTER (proc.name IS NULL) FROM events")  # fmt: skip
        assert nums == [(True, True, 0)]
    ((last_ns,),) = ask(tmp_path / "sealed.parquet", "SELECT max(evt.time) FROM events")
    assert abs(int(str(last_ns)) - asked_ns) < 2 * NANO
    with open_capture(tmp_path / "sealed.parquet") as opened:
        footer = opened.footer
        assert footer.recording.ended_by == "seal"
        assert footer.losses.made_count == opened.row_count
        assert footer.recording.started_ns > asked_ns - 9 * NANO
    assert not capture.with_name(capture.name + SUFFIX).exists()


def test_everything_so_far(tmp_path: Path) -> None:
    """Without a window `seal` looks into a recording that goes on and ends as if nobody had."""
    capture = tmp_path / "c.parquet"
    with running(MARKING), recording(capture) as recorder:
        time.sleep(3)
        done = seal(capture)
        assert done.returncode == 0, done.stderr
        again = seal(capture, "-o", str(next(tmp_path.glob("c-*.parquet"))))
        assert again.returncode == 2
        assert "exists already" in again.stderr
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=30)
    [sealed] = tmp_path.glob("c-*.parquet")
    begin, middle = marks_of(sealed)
    assert marks_of(capture)[0] == begin
    assert marks_of(capture)[1] >= middle


def test_a_window_that_was_killed(tmp_path: Path) -> None:
    """Recovery gives the last seconds before the kill, without a gap."""
    capture = tmp_path / "c.parquet"
    with running(MARKING), recording(capture, "--ring", "4s") as recorder:
        time.sleep(9)
        killed_ns = time.time_ns()
        recorder.kill()
        recorder.wait()
        told = seal(capture)
    assert told.returncode == 2
    assert f"falcotrace recover {capture}{SUFFIX}" in told.stderr
    subprocess.run([*FALCOTRACE, "recover", f"{capture}{SUFFIX}"], check=True, capture_output=True)
    marks_of(capture)
    assert 3 < span_s(capture) < 10
    ((last_ns,),) = ask(capture, "SELECT max(evt.time) FROM events")
    assert int(str(last_ns)) > killed_ns - NANO


@pytest.mark.parametrize(
    ("option", "noise"), [(["--rotate", "3s"], []), (["--rotate-size", "500K"], [NOISE])], ids=str
)
def test_captures_follow_each_other(
    tmp_path: Path, option: list[str], noise: list[list[str]]
) -> None:
    """Together they are the whole recording; each is a capture by itself, with its own account."""
    with running(MARKING, *noise), recording(tmp_path / "c.parquet", *option) as recorder:
        ends = time.monotonic() + 60
        while len(list(tmp_path.glob("c-*.parquet"))) < 2:
            assert time.monotonic() < ends, "no capture was followed by another"
            time.sleep(0.1)
        recorder.send_signal(signal.SIGTERM)
        _, told = recorder.communicate(timeout=120)
    assert recorder.returncode == 0, told
    captures = sorted(tmp_path.iterdir())
    assert len(captures) > 2
    assert all(re.fullmatch(r"c-\d{8}T\d{6}Z(-\d+)?\.parquet", path.name) for path in captures)
    marks_of(*captures)
    for path in captures:
        assert str(path) in told
        with open_capture(path) as opened:
            assert opened.footer.losses.made_count == opened.row_count > 0


def test_a_window_never_fills_the_disk(tmp_path: Path) -> None:
    """At its limit the oldest goes; recording ends when it is told to and not before."""
    capture = tmp_path / "c.parquet"
    limit = 400 << 20
    with (
        running(MARKING, NOISE),
        recording(capture, "--ring", "10m", "--max-size", "400M") as recorder,
    ):
        most = 0
        folder = capture.with_name(capture.name + SUFFIX)
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            time.sleep(0.1)
            sizes = [path.stat().st_size for path in folder.glob("[pjk]*") if path.exists()]
            most = max(most, sum(sizes))
        assert recorder.poll() is None
        recorder.send_signal(signal.SIGINT)
        _, told = recorder.communicate(timeout=120)
    assert recorder.returncode == 0, told
    assert most < limit * 1.5
    with open_capture(capture) as opened:
        losses = opened.footer.losses
        assert losses.is_known
        assert losses.made_count == opened.row_count + losses.lost_count


def test_nobody_records(tmp_path: Path) -> None:
    """`seal` says so in one line, and writes nothing."""
    done = seal(tmp_path / "c.parquet")
    assert done.returncode == 2
    assert "c.parquet is not being recorded" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
