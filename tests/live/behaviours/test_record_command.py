"""`falcotrace record`: whom it records, when it ends, what it leaves, what it says if it cannot."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.errors import RecordError
from falcotrace.record import libbpf
from falcotrace.record.options import RecordOptions
from falcotrace.record.recorder import record_host

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

FALCOTRACE = [sys.executable, "-m", "falcotrace"]
BUSY = ["sh", "-c", "while :; do cat /etc/hostname; sleep 0.02; done > /dev/null"]


def _record(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*FALCOTRACE, "record", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def _ask(capture: Path, query: str) -> list[tuple[object, ...]]:
    return open_captures(capture).sql(query).fetchall()


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_only_the_command_and_its_descendants_are_recorded(tmp_path: Path) -> None:
    """Somebody else's work at the same time stays out; children and grandchildren are in."""
    with _running(BUSY):
        capture = tmp_path / "c.parquet"
        done = _record(
            "-o", capture, "--", "sh", "-c", "sh -c 'head -1 /etc/passwd; :'; tail -1 /etc/group"
        )
    assert done.returncode == 0, done.stderr
    names = {name for (name,) in _ask(capture, "SELECT DISTINCT proc.name FROM events")}
    assert {"sh", "head", "tail"} <= names
    assert "cat" not in names
    ancestors = _ask(
        capture, "SELECT DISTINCT proc.aname[1:2] FROM events WHERE proc.name = 'head'"
    )
    assert ancestors == [(["sh", "sh"],)]


def test_everything_of_the_command_is_there(tmp_path: Path) -> None:
    """From its execve to its exit: the first event is the command's own start, the last its end."""
    capture = tmp_path / "c.parquet"
    assert _record("-o", capture, "--", "/bin/true", "argument").returncode == 0
    query = "SELECT evt.type, proc.cmdline FROM events WHERE evt.type IN ('execve', 'procexit')"
    assert _ask(capture, f"{query} ORDER BY evt.num") == [
        ("execve", "true argument"),
        ("procexit", "true argument"),
    ]


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137), (":", 0)])
def test_exit_code_is_the_commands(tmp_path: Path, script: str, code: int) -> None:
    """What the command returned, `record` returns; of a signal 128 + number, as in shells."""
    done = _record("-o", tmp_path / "c.parquet", "--", "sh", "-c", script)
    assert done.returncode == code


def test_command_that_does_not_exist(tmp_path: Path) -> None:
    """A name that is no program gives a shell's exit code and one line."""
    done = _record("-o", tmp_path / "c.parquet", "--", "/nonexistent/program")
    assert done.returncode == 127
    assert "falcotrace: /nonexistent/program: No such file or directory\n" in done.stderr


def test_recording_ends_with_the_command_and_not_with_its_children(tmp_path: Path) -> None:
    """A daemon that the command leaves behind does not keep the recording open."""
    capture = tmp_path / "c.parquet"
    began = time.monotonic()
    done = _record("-o", capture, "--", "sh", "-c", "sleep 50 > /dev/null 2>&1 & echo $!")
    assert done.returncode == 0
    os.kill(int(done.stdout), signal.SIGKILL)
    assert time.monotonic() - began < 40


def test_duration_ends_a_recording_of_the_host(tmp_path: Path) -> None:
    """After the given time the file is complete and covers about that time."""
    capture = tmp_path / "c.parquet"
    with _running(BUSY):
        done = _record("-o", capture, "--duration", "1s")
    assert done.returncode == 0, done.stderr
    [(span_ns,)] = _ask(capture, "SELECT max(evt.time) - min(evt.time) FROM events")
    assert isinstance(span_ns, int)
    assert 0.5e9 < span_ns < 10e9
    [summary] = open_captures(capture).info
    assert f"{summary.event_count:,} events" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_file(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C is how people end a recording: the file is whole, up to that moment."""
    capture = tmp_path / "c.parquet"
    command = [*FALCOTRACE, "record", "-o", str(capture)]
    with (
        _running(BUSY),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recorder,
    ):
        _wait_until_recording(recorder.pid)
        recorder.send_signal(number)
        _, error = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, error
    assert "events in" in error
    assert _ask(capture, "SELECT count(*) FROM events WHERE proc.name = 'cat'") != [(0,)]


def _wait_until_recording(pid: int) -> None:
    """Wait until the recorder has mapped the ring, and a moment more until something is in it."""
    limit = time.monotonic() + 30
    while "bpf-map" not in Path(f"/proc/{pid}/maps").read_text():
        assert time.monotonic() < limit
        time.sleep(0.05)
    time.sleep(1)


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    """Somebody's capture stays as it is, with a line that says how to replace it; --force does."""
    capture = tmp_path / "c.parquet"
    capture.write_bytes(b"precious")
    refused = _record("-o", capture, "--duration", "1s")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert capture.read_bytes() == b"precious"
    assert _record("-o", capture, "--force", "--", "true").returncode == 0
    assert _ask(capture, "SELECT count(*) > 0 FROM events") == [(True,)]


def test_capture_is_readable_for_its_owner_only(tmp_path: Path) -> None:
    """Command lines and paths of everybody on the host are in it."""
    capture = tmp_path / "c.parquet"
    assert _record("-o", capture, "--", "true").returncode == 0
    assert capture.stat().st_mode & 0o777 == 0o600


OLD_PROCESS = """
import os, sys
file = open(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    os.pread(file.fileno(), 4, 0)
    os.fstat(0)
    print("done", flush=True)
"""


def test_processes_and_files_from_before_the_recording_are_described(tmp_path: Path) -> None:
    """A process that ran already has its name, command line and ancestors; its files have names."""
    opened = tmp_path / "opened before"
    opened.write_text("text")
    script = ["sh", "-c", '"$0" -c "$1" "$2" && :', sys.executable, OLD_PROCESS, str(opened)]
    capture = tmp_path / "c.parquet"
    with _running(script) as old:
        assert old.stdin is not None
        assert old.stdout is not None
        assert old.stdout.readline() == "ready\n"
        recorder = subprocess.Popen([*FALCOTRACE, "record", "-o", str(capture), "--duration", "4s"])
        while recorder.poll() is None:
            old.stdin.write("\n")
            old.stdin.flush()
            assert old.stdout.readline() == "done\n"
            time.sleep(0.05)
    assert recorder.returncode == 0
    rows = _ask(
        capture,
        f"""SELECT DISTINCT proc.name, proc.argv[2], proc.aname[1], proc.acmdline[1], proc.exepath,
        fd.name, fd.type, fd.path, proc.stdin.type, proc.pid FROM events
        WHERE evt.type = 'pread' AND fd.name = '{opened}'""",
    )
    [(name, code, parent, parent_command, exepath, fd_name, fd_type, fd_path, stdin, pid)] = rows
    assert name == Path(sys.executable).name
    assert code == OLD_PROCESS
    assert parent == "sh"
    assert str(parent_command).startswith('sh -c "$0" -c')
    assert exepath == os.path.realpath(sys.executable)
    assert (fd_name, fd_path, fd_type) == (str(opened), str(opened), "file")
    assert stdin == "pipe"
    assert pid != old.pid


WITHOUT_RIGHTS = """
import contextlib, os, sys
import falcotrace.cli

def run(*arguments):
    sys.argv = ["falcotrace", "record", *arguments]
    falcotrace.cli.main()

with contextlib.suppress(SystemExit):
    run("--duration", "wrong")  # imports what this process may not read any more below
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
run("--duration", "1s", "-o", OUTPUT)
"""


def test_without_root_it_says_what_is_needed() -> None:
    """An ordinary user gets a message and no traceback, and no empty file is left."""
    with tempfile.TemporaryDirectory() as folder:  # everybody can enter its parents
        Path(folder).chmod(0o777)
        program = WITHOUT_RIGHTS.replace("OUTPUT", repr(f"{folder}/c.parquet"))
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert not list(Path(folder).iterdir())
    assert done.returncode == 2
    message = done.stderr.splitlines()[1:]
    assert message[0] == (
        "falcotrace: the kernel refused the BPF programs: Operation not permitted"
    )
    assert message[1].startswith("Recording needs root")
    assert len(message) == 2


def test_without_libbpf_it_says_which_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the library the message names the packages of the large distributions."""
    monkeypatch.setattr(libbpf, "LIBRARY", "libbpf-that-is-nowhere.so.1")
    libbpf._library.cache_clear()
    capture = tmp_path / "c.parquet"
    try:
        with pytest.raises(RecordError, match="apt install libbpf1") as raised:
            record_host(RecordOptions(capture, duration_s=1))
    finally:
        libbpf._library.cache_clear()
    assert str(raised.value).startswith("cannot load libbpf-that-is-nowhere.so.1")
    assert not capture.exists()


def test_without_btf_it_says_which_kernels(tmp_path: Path) -> None:
    """A kernel without type information cannot be recorded; the message says what to look for."""
    hint = libbpf.explain(22, euid=0, btf=tmp_path / "vmlinux")
    assert "CONFIG_DEBUG_INFO_BTF=y" in hint
    assert "\n" not in hint


def test_only_what_rules_ask_for(tmp_path: Path) -> None:
    """The rules that ship find what they look for; what nobody asks for is not recorded."""
    capture = tmp_path / "c.parquet"
    done = _record("--syscalls", "rules", "-o", capture, "--", "cat", "/etc/shadow")
    assert done.returncode == 0, done.stderr
    with open_captures(capture) as opened:
        assert list(opened.scan())
    types = {name for (name,) in _ask(capture, "SELECT DISTINCT evt.type FROM events")}
    assert {"openat", "execve", "procexit"} <= types
    assert not types & {"read", "mmap", "brk"}


def test_a_rule_that_asks_for_more_than_was_recorded_is_named(tmp_path: Path) -> None:
    """It is not silently quiet."""
    capture = tmp_path / "c.parquet"
    done = _record("--syscalls", "execve", "-o", capture, "--", "cat", "/etc/shadow")
    assert done.returncode == 0, done.stderr
    with open_captures(capture) as opened:
        notes = opened.scan().coverage_notes
    assert any("openat" in note for note in notes)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--syscalls", "execv", "Did you mean execve"),
        ("--snaplen", "pipes=3", "expected files=SIZE or sockets=SIZE, found 'pipes=3'"),
        ("--snaplen", "much", "expected a size"),
        ("--max-size", "big", "expected a size"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, option: str, value: str, expected: str) -> None:
    """Say what was expected, and leave nothing behind."""
    done = _record(option, value, "-o", tmp_path / "c.parquet", "--", "true")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def _rights_of_threads(pid: int) -> set[int]:
    """The effective capabilities of a process's threads, as masks."""
    found = set()
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        [line] = [line for line in status.read_text().splitlines() if line.startswith("CapEff:")]
        found.add(int(line.split()[1], 16))
    return found


def _rights_when_recording(pid: int, allowed: int) -> set[int]:
    """The rights of a recorder's threads once they are what is allowed, or after a minute."""
    patience_until = time.monotonic() + 60
    while any(found & ~allowed for found in _rights_of_threads(pid)):
        if time.monotonic() > patience_until:
            break
        time.sleep(0.2)
    time.sleep(1)  # and they stay so
    return _rights_of_threads(pid)


@pytest.mark.parametrize("mode", [0o755, 0o700], ids=oct)
def test_rights_are_given_up(tmp_path: Path, mode: int) -> None:
    """No thread of a recorder that has begun is root; it can still write where it was told to."""
    bpf, search, override = 1 << 39, 1 << 2, 1 << 1
    nobody = 65534
    folder = tmp_path / "folder"
    folder.mkdir(mode=mode)
    rules = tmp_path / "rules.yaml"
    rules.write_text("- rule: any\n  desc: any\n  condition: evt.type = openat\n  output: any\n"
                     "  priority: DEBUG\n")  # fmt: skip
    # Looking containers up takes the right to read what runtimes have written.
    for owner, allowed in ((0, bpf | search), (nobody, bpf | search | override)):
        os.chown(folder, owner, owner)
        capture = folder / f"{owner}.parquet"
        command = [*FALCOTRACE, "record", "-o", str(capture), "--ring", "5s", "-r", str(rules)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as one:
            try:
                rights = _rights_when_recording(one.pid, allowed)
                assert bpf in {found & bpf for found in rights}
                assert all(found & ~allowed == 0 for found in rights), [*map(hex, rights)]
            finally:
                one.send_signal(signal.SIGINT)
                one.wait()
        assert open_captures(capture).info[0].event_count > 0


def test_all_of_root_is_not_needed(tmp_path: Path) -> None:
    """Two capabilities are enough, and the capture is its owner's alone."""
    capture = tmp_path / "c.parquet"
    record = [*FALCOTRACE, "record", "--duration", "1s", "-o", str(capture)]
    only = ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+bpf,+perfmon"]
    done = subprocess.run([*only, *record], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "lost: none of" in done.stderr
    assert capture.stat().st_mode & 0o777 == 0o600
    only[-1] = "--bounding-set=-all,+perfmon"
    done = subprocess.run([*only, *record, "--force"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_how_much_of_arguments_and_environments(tmp_path: Path) -> None:
    """`--args-max` and `--env-max` are limits; what was cut is named and counted in the footer."""
    long = "x" * 9000
    query = (
        "SELECT DISTINCT proc.cut, proc.argv[1], len(proc.env) FROM events WHERE proc.name = 'true'"
    )
    capture = tmp_path / "c.parquet"
    done = _record("-o", capture, "--args-max", "16K", "--env-max", "0", "--", "true", long)
    assert done.returncode == 0, done.stderr
    assert _ask(capture, query) == [(None, long, 0)]
    [opened] = open_captures(capture)
    assert opened.footer.recording.settings["argv_bytes"] == "16384"
    done = _record("-o", capture, "--force", "--args-max", "100", "--", "true", long)
    assert done.returncode == 0, done.stderr
    [(cut, argument, _)] = _ask(capture, query)
    assert (cut, argument) == ("args", long[:95])
    [opened] = open_captures(capture)
    assert opened.footer.losses.incomplete["texts cut at a limit"] >= 1
    done = _record("-o", capture, "--force", "--args-max", "1M", "--", "true")
    assert done.returncode == 2
    assert "1,048,576 bytes of arguments are not possible" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
