"""What is recorded is chained and signed, also when the recorder is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.evidence.allowed_signers import signers_of_key
from falcotrace.evidence.findings import Place, Status, Verdict
from falcotrace.evidence.series import with_series
from falcotrace.evidence.verify import verify_capture
from falcotrace.record.folder import SUFFIX
from falcotrace.record.journal import segments

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

FALCOTRACE = [sys.executable, "-m", "falcotrace"]
PASSPHRASE = "tell-it-to-nobody"
BUSY = "for i in $(seq 200); do head -c 1 /etc/hostname >/dev/null; done"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key with a passphrase."""
    path = tmp_path / "key"
    options = ["-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", str(path)]
    subprocess.run(["ssh-keygen", *options], check=True)
    return path


def environment() -> dict[str, str]:
    """An environment with the key's passphrase."""
    return {**os.environ, "FALCOTRACE_KEY_PASSPHRASE": PASSPHRASE}


def signed(path: Path, key: Path) -> Verdict:
    """The verdict on a capture that must be signed."""
    verdict = verify_capture(path, signers_of_key(key.with_suffix(".pub")))
    assert verdict.is_signed_well, verdict
    return verdict


def test_a_rotation_is_chained_and_signed(tmp_path: Path, key: Path) -> None:
    """Every capture by itself and each to the one before; one that is taken away is missed."""
    command = ["record", "--rotate", "2s", "--sign", str(key), "-o", str(tmp_path / "r.parquet")]
    with subprocess.Popen(
        [*FALCOTRACE, *command], env=environment(), stderr=subprocess.PIPE, text=True
    ) as recorder:
        try:
            ends = time.monotonic() + 300
            while len(list(tmp_path.glob("r-*.sig"))) < 2:
                assert recorder.poll() is None
                assert time.monotonic() < ends, "no capture was followed by another"
                time.sleep(0.1)
            recorder.send_signal(signal.SIGINT)
            _, told = recorder.communicate(timeout=200)
        finally:
            recorder.kill()
    assert recorder.returncode == 0, told
    captures = sorted(tmp_path.glob("r-*.parquet"))
    assert len(captures) >= 3
    found = with_series([signed(path, key) for path in captures])
    assert [one.status for one in found] == [Status.INTACT] * len(captures)
    assert [one.number for one in found] == list(range(1, len(captures) + 1))
    assert not any(one.notes for one in found)
    found = with_series([signed(path, key) for path in (captures[0], *captures[2:])])
    assert [finding.place for finding in found[1].findings] == [Place.SERIES]


def test_the_passphrase_is_in_no_capture(tmp_path: Path, key: Path) -> None:
    """Though recorders write down environments: the command that is followed does not have it."""
    capture = tmp_path / "c.parquet"
    subprocess.run(
        [*FALCOTRACE, "record", "--sign", str(key), "-o", str(capture), "--", "sh", "-c", BUSY],
        env=environment(),
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert signed(capture, key).status is Status.INTACT
    (found,) = (
        open_captures(capture)
        .sql(
            "SELECT count(*) FILTER (proc.env::VARCHAR LIKE '%PATH=%'),"
            f" count(*) FILTER (proc.env::VARCHAR LIKE '%{PASSPHRASE}%') FROM events"
        )
        .fetchall()
    )
    assert found[0] > 0
    assert found[1] == 0


def test_sealed_captures_are_signed_by_whom_asks(tmp_path: Path, key: Path) -> None:
    """A capture of the window has a chain of its own, and the recording goes on."""
    capture = tmp_path / "c.parquet"
    recorder = subprocess.Popen(
        [*FALCOTRACE, "record", "--ring", "1m", "--duration", "60s", "-o", str(capture)],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_journal(tmp_path / f"c.parquet{SUFFIX}")
        subprocess.run(["sh", "-c", BUSY], check=True)
        sealed = tmp_path / "sealed.parquet"
        subprocess.run(
            [*FALCOTRACE, "seal", str(capture), "-o", str(sealed), "--sign", str(key)],
            env=environment(),
            check=True,
            timeout=60,
            stderr=subprocess.DEVNULL,
        )
    finally:
        recorder.terminate()
        recorder.wait()
    assert signed(sealed, key).status is Status.INTACT
    verdict = verify_capture(capture)
    assert (verdict.status, verdict.signature) == (Status.INTACT, None)


def wait_for_journal(folder: Path) -> None:
    """Until the first samples are on disk."""
    ends = time.monotonic() + 20
    while not segments(folder):
        assert time.monotonic() < ends, "no journal was begun"
        time.sleep(0.01)


@pytest.mark.parametrize("is_changed", [False, True], ids=["left alone", "changed"])
def test_a_killed_recording(tmp_path: Path, *, is_changed: bool) -> None:
    """Is recovered with a valid chain that says so; what was changed meanwhile is named."""
    capture = tmp_path / "c.parquet"
    folder = tmp_path / f"c.parquet{SUFFIX}"
    recorder = subprocess.Popen(
        [*FALCOTRACE, "record", "-o", str(capture)], stderr=subprocess.DEVNULL
    )
    try:
        wait_for_journal(folder)
        for _ in range(4):
            subprocess.run(["sh", "-c", BUSY], check=True)
            time.sleep(0.2)
    finally:
        recorder.kill()
        recorder.wait()
    if is_changed:
        path = segments(folder)[0]
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 3] ^= 1
        path.write_bytes(raw)
    done = subprocess.run(
        [*FALCOTRACE, "recover", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == (3 if is_changed else 0), done.stderr
    assert ("warning: changed since it was recorded: samples in" in done.stderr) == is_changed
    verdict = verify_capture(capture)
    assert verdict.is_recovered
    assert verdict.status is (Status.CHANGED if is_changed else Status.INTACT)
    assert [finding.place for finding in verdict.findings] == [Place.RECORDING] * is_changed
