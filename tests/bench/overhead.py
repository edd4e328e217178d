"""What recording costs the programs that are recorded, as ratios to their time without it.

    python tests/bench/overhead.py [--repeat 5] [--rules FILE ...] [--only dd fork]

Needs root. For each load the median of some runs, alternating between the ways of recording, so
that a busy machine is busy for all of them:

    floor       a hook at the exit of every system call that records none
    rules       `--syscalls rules` with the rules given (those that ship by default)
    asked       the same, and the rules are asked while recording
    all         every system call, converted beside the load
    perf        `perf trace -o` where it works, on a part of the load, without its start-up
    strace      `strace -f -o`, on a part of the load
"""

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from falcotrace.record.folder import SUFFIX
from falcotrace.record.session import KernelSession, SessionSettings
from falcotrace.rules.shipped import shipped_rules

FALCOTRACE = [sys.executable, "-m", "falcotrace"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

WEB = """
import http.client, http.server, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: the second would wait for an acknowledgement
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "5"); self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for _ in range(int(sys.argv[1])):
    connection = http.client.HTTPConnection(*server.server_address)
    for _ in range(10):
        connection.request("GET", "/"); connection.getresponse().read()
    connection.close()
"""
FORKS = "i=0; while [ $i -lt $0 ]; do /bin/true; i=$((i+1)); done"

COMPILE = 'for file; do gcc -O1 -c -o /dev/null "$file"; done'

Command = Callable[[Path, float], list[str]]


def _dd(_: Path, share: float) -> list[str]:
    return ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={int(2_000_000 * share)}"]


def _forks(_: Path, share: float) -> list[str]:
    return ["sh", "-c", FORKS, str(int(3000 * share))]


def _compile(folder: Path, share: float) -> list[str]:
    files = [str(path) for path in sorted(folder.glob("*.c"))][: max(1, int(20 * share))]
    return ["sh", "-c", COMPILE, "sh", *files]


def _web(_: Path, share: float) -> list[str]:
    return [sys.executable, "-c", WEB, str(max(1, int(1200 * share)))]


def _tar(folder: Path, share: float) -> list[str]:
    names = 20 * [f"small/{number}" for number in range(max(1, int(40 * share)))]
    return ["tar", "-C", str(folder), "-cf", "/dev/null", "--ignore-failed-read", *names]


LOADS: dict[str, tuple[str, Command]] = {
    "dd": ("dd bs=1, 4 M calls", _dd),
    "fork": ("3,000 fork and exec of /bin/true", _forks),
    "compile": ("gcc of 20 C files", _compile),
    "web": ("Python web server, 12,000 requests", _web),
    "tar": ("tar of 20,000 small files, 20 times", _tar),
}
STRACE_SHARE, PERF_SHARE = 0.02, 0.2


def main(arguments: Sequence[str]) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rules", type=Path, nargs="*", default=[])
    parser.add_argument("--only", nargs="*", choices=LOADS, default=list(LOADS))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="falcotrace-bench-") as name:
        folder = Path(name)
        _prepare(folder)
        ways = _ways(folder, chosen.rules)
        print(
            f"{'load':36} {'alone':>8} "
            + " ".join(f"{way:>7}" for way in (*ways, "perf", "strace"))
        )
        for key in chosen.only:
            title, command = LOADS[key]
            print(f"{title:36} {_row(command, folder, ways, chosen.repeat)}", flush=True)


def _prepare(folder: Path) -> None:
    """Files to compile and to pack."""
    body = "\n".join(f"int f{n}(int x) {{ return x * {n} + f{n - 1}(x); }}" for n in range(1, 800))
    for number in range(20):
        source = f"#include <stdio.h>\nint f0(int x) {{ return x; }}\n{body}\n"
        (folder / f"{number}.c").write_text(source)
    for number in range(40):
        (folder / "small" / str(number)).mkdir(parents=True)
        for file in range(500):
            (folder / "small" / str(number) / str(file)).write_bytes(b"x" * 100)


Way = Callable[[], contextlib.AbstractContextManager[None]]


def _ways(folder: Path, rules: Sequence[Path]) -> dict[str, Way]:
    given = [word for path in rules or [shipped_rules()] for word in ("-r", str(path))]
    chosen = ["--syscalls", "rules", *given]
    return {
        "floor": _floor,
        "rules": lambda: _recording(folder, [*chosen, "--no-alerts"]),
        "asked": lambda: _recording(folder, chosen),
        "all": lambda: _recording(folder, []),
    }


@contextlib.contextmanager
def _floor() -> Iterator[None]:
    with KernelSession(SessionSettings(numbers=frozenset())) as session:
        session.start()
        yield
        session.stop()


@contextlib.contextmanager
def _recording(folder: Path, options: Sequence[str]) -> Iterator[None]:
    """A recording of the host, from its first samples on."""
    capture = folder / "c.parquet"
    command = [*FALCOTRACE, "record", *options, "-o", str(capture)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    counters = capture.with_name(capture.name + SUFFIX) / "counters.json"
    while not counters.exists():
        time.sleep(0.01)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        if b"lost: none" not in said:
            print(said.decode().strip(), file=sys.stderr)
        capture.unlink(missing_ok=True)


def _row(command: Command, folder: Path, ways: dict[str, Way], repeat: int) -> str:
    alone: list[float] = []
    ratios: dict[str, list[float]] = {way: [] for way in ways}
    traced: list[float] = []
    perfed: list[float] = []
    for _ in range(repeat):
        alone.append(_seconds(command(folder, 1)))
        for way, record in ways.items():
            with record():
                ratios[way].append(_seconds(command(folder, 1)))
        part = _seconds(command(folder, STRACE_SHARE))
        strace = ["strace", "-f", "-o", os.devnull, *command(folder, STRACE_SHARE)]
        traced.append(_seconds(strace) / part)
        if shutil.which("perf"):
            perf = ["perf", "trace", "-o", os.devnull]
            start_up = _seconds([*perf, "true"])
            part = _seconds(command(folder, PERF_SHARE))
            perfed.append((_seconds([*perf, *command(folder, PERF_SHARE)]) - start_up) / part)
    base = statistics.median(alone)
    shown = " ".join(f"{statistics.median(ratios[way]) / base:>6.2f}x" for way in ways)
    perf_shown = f"{statistics.median(perfed):>6.2f}x" if perfed else f"{'none':>7}"
    return f"{base:>7.2f}s {shown} {perf_shown} {statistics.median(traced):>6.0f}x"


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, **QUIET)  # type: ignore[call-overload]
    return time.perf_counter() - started


if __name__ == "__main__":
    main(sys.argv[1:])
