"""What questions of one capture cost: tree, timeline, graph, show, top.

    python tests/bench/investigate.py CAPTURE [--event N] [--condition CONDITION]

Each question is a run of the command line, start-up included, with its output thrown away: seconds,
seconds of CPU, and the most memory that it had. Without --event: the event in the middle. No rules
are asked, for what a scan costs is `tests/bench/scan.py`'s.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from falcotrace.api import open_captures


def questions(capture: Path, event: int, condition: str) -> Mapping[str, Sequence[str]]:
    """Commands by name."""
    file, about = str(capture), ("--event", str(event), "--no-rules")
    return {
        "tree": ("tree", file, *about),
        "timeline of one process": ("timeline", file, *about),
        "timeline, 100 lines": ("timeline", file, "--no-rules", "--limit", "100"),
        "graph": ("graph", file, *about),
        "show": ("show", file, str(event)),
        **{
            f"top by {by}": ("top", file, "--by", by) for by in ("process", "file", "peer", "error")
        },
        "top by file of a condition": ("top", file, "--by", "file", "--where", condition),
        "diff against itself": ("diff", file, file),
    }


def measure(command: Sequence[str]) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, MiB of one run.

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "falcotrace", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if child.returncode not in (0, 3):
        raise RuntimeError(said.decode(errors="replace"))
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--event", type=int)
    parser.add_argument("--condition", default="evt.type=openat and evt.rawres<0")
    arguments = parser.parse_args()
    with open_captures(arguments.capture) as opened:
        count = sum(one.event_count for one in opened.info)
    event = arguments.event or count // 2
    print(f"{count:,} events, event {event:,}\n")
    print(f"{'question':<28} {'seconds':>8} {'CPU':>7} {'MiB':>6}")
    for name, command in questions(arguments.capture, event, arguments.condition).items():
        seconds, cpu, mib = measure(command)
        print(f"{name:<28} {seconds:8.2f} {cpu:7.2f} {mib:6.0f}", flush=True)


if __name__ == "__main__":
    main()
