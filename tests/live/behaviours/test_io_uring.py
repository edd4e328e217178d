"""Programs that act through io_uring: rules see what they asked for, and the capture names them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.capture.footer import PartlyBlind
from falcotrace.record.libbpf import has_btf_tracepoint
from falcotrace.rules.plan import Plan

pytestmark = [
    pytest.mark.live,
    pytest.mark.usefixtures("live_kernel"),
    pytest.mark.skipif(
        not has_btf_tracepoint("io_uring_submit_req"), reason="needs Linux 6.3 with io_uring"
    ),
]
TESTS = Path(__file__).parents[2]
PROGRAM = f"""
import ctypes, sys, time
sys.path.insert(0, {str(TESTS)!r})
from live.behaviours.calls.rings import Ring, text
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ring = Ring(libc)
area, path = text(b"/etc/shadow")
"""
OPEN = "assert ring.ask(18, fd=-100, addr=path) > 2"
FALCOTRACE = [sys.executable, "-m", "falcotrace"]


def _record(capture: Path, *arguments: str) -> None:
    command = [*FALCOTRACE, "record", "-o", str(capture), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _blind(capture: Path) -> list[PartlyBlind]:
    [opened] = open_captures(capture)
    return opened.footer.partly_blind


def test_rules_see_a_file_that_a_ring_opened(tmp_path: Path, own_rules: Plan) -> None:
    """The rule about reading password hashes fires, though no system call opened the file."""
    capture = tmp_path / "c.parquet"
    _record(capture, "--", sys.executable, "-c", PROGRAM + OPEN)
    captures = open_captures(capture)
    alerts = [
        a for a in captures.scan(own_rules) if a.output_fields.get("fd.name") == "/etc/shadow"
    ]
    assert [alert.rule.name for alert in alerts] == ["Password hashes read"]
    query = f"SELECT evt.type, evt.io_uring FROM events WHERE evt.num = {alerts[0].num}"
    assert captures.sql(query).fetchall() == [("openat", True)]


def test_the_capture_names_who_had_a_ring(tmp_path: Path) -> None:
    """Pid, program, rings and requests stand in the footer, `info` and the Python API say so."""
    capture = tmp_path / "c.parquet"
    _record(capture, "--", sys.executable, "-c", PROGRAM + OPEN + "\n" + OPEN)
    [process] = _blind(capture)
    assert (process.ring_count, process.request_count) == (1, 2)
    assert Path(process.exepath) == Path(sys.executable).resolve()
    [(pid,)] = (
        open_captures(capture)
        .sql("SELECT DISTINCT proc.pid FROM events WHERE evt.type = 'io_uring_setup'")
        .fetchall()
    )
    assert process.pid == pid
    told = subprocess.run(
        [*FALCOTRACE, "info", capture], check=True, capture_output=True, text=True
    )
    assert f"({pid}) used io_uring: 1 ring, 2 of its requests recorded" in told.stdout
    [note] = open_captures(capture).blindness_notes
    assert note.startswith("c.parquet: partly blind: ")


def test_a_ring_from_before_the_recording(tmp_path: Path) -> None:
    """Whoever has a ring already is named too, also if nothing is asked of it."""
    capture = tmp_path / "c.parquet"
    waiting = PROGRAM + "print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", waiting], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        _record(capture, "--duration", "1s")
        program.send_signal(signal.SIGKILL)
    found = {process.pid: process for process in _blind(capture)}
    assert found[program.pid].ring_count == 1
    assert found[program.pid].request_count == 0


def test_without_a_ring_nobody_is_named(tmp_path: Path) -> None:
    """A recording in which nobody used io_uring says nothing about it."""
    capture = tmp_path / "c.parquet"
    _record(capture, "--", "true")
    assert _blind(capture) == []
    assert open_captures(capture).blindness_notes == ()
    told = subprocess.run(
        [*FALCOTRACE, "info", capture], check=True, capture_output=True, text=True
    )
    assert "partly blind" not in told.stdout
