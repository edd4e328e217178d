"""`falcotrace hunt` as people run it: exit codes, formats, interruption, what it says."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "captures" / "first_light.parquet"
FALCOTRACE = (sys.executable, "-m", "falcotrace")


def hunt(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a pipe."""
    command = [*FALCOTRACE, "hunt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_exit_codes(tmp_path: Path) -> None:
    """1 with alerts, 0 without, 2 for nothing to hunt or wrong options, 3 beside a damaged file."""
    assert hunt(SHIPPED).returncode == 1
    quiet = tmp_path / "quiet.yaml"
    quiet.write_text("- rule: r\n  desc: d\n  condition: proc.name = nothing\n  output: o\n"
                     "  priority: DEBUG\n")  # fmt: skip
    assert hunt(SHIPPED, "-r", quiet).returncode == 0
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(SHIPPED.read_bytes()[:9000])
    done = hunt(SHIPPED, cut, "-r", quiet)
    assert done.returncode == 3
    assert f"failed: {cut}: is truncated" in done.stderr
    for wrong in (
        [cut],
        [tmp_path / "nowhere"],
        [SHIPPED, "--engine", "abacus"],
        [SHIPPED, "--format", "parquet"],
        [SHIPPED, "--since", "yesterday-ish"],
        [SHIPPED, "--memory", "much"],
    ):
        done = hunt(*wrong)
        assert done.returncode == 2, wrong
        assert "Traceback" not in done.stderr
        assert not done.stdout


def test_one_table_in_a_pipe() -> None:
    """Alerts as tab-separated lines of one width; the report by itself with `--summary`."""
    done = hunt(SHIPPED)
    widths = {line.count("\t") for line in done.stdout.splitlines()}
    assert widths == {6}
    assert "1 of 1 files hunted" in done.stderr
    summary = hunt(SHIPPED, "--summary")
    assert summary.stdout.startswith("rule\tpriority\talerts\thosts")
    assert {line.count("\t") for line in summary.stdout.splitlines()} == {7}


@pytest.mark.parametrize("engine", ["duckdb", "replay"])
def test_json_is_falcos(engine: str) -> None:
    """One object a line with Falco's keys, the same from each engine and from `scan`."""
    lines = [json.loads(line) for line in hunt(
        SHIPPED, "--format", "json", "--engine", engine).stdout.splitlines()]  # fmt: skip
    scanned = subprocess.run(
        [*FALCOTRACE, "scan", str(SHIPPED), "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line.pop("capture") for line in lines] == [str(SHIPPED)] * len(lines)
    assert lines == [json.loads(line) for line in scanned.stdout.splitlines()]


def test_interrupted_and_resumed(tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and says how to go on; the same command does the rest."""
    folder, state = tmp_path / "captures", tmp_path / "state"
    folder.mkdir()
    for number in range(400):
        shutil.copy(SHIPPED, folder / f"{number:03}.parquet")
    command = [*FALCOTRACE, "hunt", str(folder), "--state", str(state), "--format", "json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        patience_until = time.monotonic() + 60
        while not list(state.glob("part-*.json")) and time.monotonic() < patience_until:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert f"goes on from {state}" in told
    assert "Traceback" not in told
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    single = len(hunt(SHIPPED, "--format", "json").stdout.splitlines())
    assert len(done.stdout.splitlines()) == 400 * single


def test_progress_only_on_a_terminal(tmp_path: Path) -> None:
    """A terminal shows alerts, the report and a line of progress; a pipe has no escape codes."""
    for number in range(3):
        shutil.copy(SHIPPED, tmp_path / f"{number}.parquet")
    controller, terminal = pty.openpty()
    command = [*FALCOTRACE, "hunt", str(tmp_path)]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal) as running:
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(controller, 65536):
                shown += chunk
        except OSError:  # the other end is closed
            pass
    os.close(controller)
    assert running.returncode == 1
    assert b"files" in shown
    assert b"\r\x1b[K" in shown
    assert b"hosts" in shown
    assert "\x1b" not in hunt(tmp_path).stdout
