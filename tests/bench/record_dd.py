"""What recording costs and keeps under the densest load there is: `dd bs=1`.

Prints a table: the load alone and under `falcotrace record`, what it cost the program and the
recorder, and what was lost. Needs root.

Run: python tests/bench/record_dd.py [COUNT] [RUNS]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from falcotrace.api import open_captures


@dataclass(frozen=True)
class Run:
    """One recording of the load.

    Attributes:
        load_s: how long the program itself took.
        total_s: from the recorder's start to its end.
        recorder_s: CPU time of the recorder.
    """

    load_s: float
    total_s: float
    recorder_s: float
    event_count: int
    lost_count: int
    size_bytes: int


def load(count: int) -> list[str]:
    """The command: a shell that says how long its copy took, in nanoseconds."""
    copy = f"dd if=/dev/zero of=/dev/null bs=1 count={count} 2>/dev/null"
    return ["bash", "-c", f"a=$(date +%s%N); {copy}; b=$(date +%s%N); echo $((b - a))"]


def run_alone(count: int) -> float:
    """Seconds that the load takes without a recorder."""
    done = subprocess.run(load(count), check=True, capture_output=True, text=True)
    return int(done.stdout) / 1e9


def run_recorded(count: int, folder: Path) -> Run:
    """The load under `falcotrace record`."""
    capture = folder / "dd.parquet"
    recorder = [sys.executable, "-m", "falcotrace", "record", "--force", "-o", str(capture), "--"]
    began = time.monotonic()
    done = subprocess.run([*recorder, *load(count)], check=True, capture_output=True, text=True)
    total_s = time.monotonic() - began
    with open_captures(capture) as captures:
        [opened] = captures
        footer = opened.footer
        return Run(
            load_s=int(done.stdout) / 1e9,
            total_s=total_s,
            recorder_s=footer.recording.cpu_time_ns / 1e9,
            event_count=sum(footer.event_counts.values()),
            lost_count=footer.losses.lost_count or 0,
            size_bytes=capture.stat().st_size,
        )


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    alone_s = statistics.median(run_alone(count) for _ in range(runs))
    with tempfile.TemporaryDirectory() as folder:
        recorded = [run_recorded(count, Path(folder)) for _ in range(runs)]
    middle = sorted(recorded, key=lambda run: run.load_s)[runs // 2]
    rows = [
        ("dd alone", f"{alone_s:.2f} s"),
        ("dd recorded", f"{middle.load_s:.2f} s ({middle.load_s / alone_s:.2f} x)"),
        ("calls a second while recorded", f"{2 * count / middle.load_s:,.0f}"),
        ("until the capture was complete", f"{middle.total_s:.2f} s"),
        ("recorder's CPU time", f"{middle.recorder_s:.2f} s"),
        ("recorder's CPU time an event", f"{middle.recorder_s / middle.event_count * 1e6:.2f} us"),
        ("events seen", f"{middle.event_count:,}"),
        ("events lost", f"{middle.lost_count:,}"),
        ("bytes an event", f"{middle.size_bytes / middle.event_count:.1f}"),
    ]
    width = max(len(name) for name, _ in rows)
    print(f"dd bs=1 count={count:,}, median of {runs} runs")
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


if __name__ == "__main__":
    main()
