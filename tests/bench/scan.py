"""Scanning speed: official rules (or those that ship) over a capture of twenty million events.

    python tests/bench/scan.py make --from a.parquet b.parquet --out big.parquet [--every-path-new]
    python tests/bench/scan.py run big.parquet --rules rules/

`make` repeats recordings (see `multiply.py`) and prints how fast distinct values grow in them and
in the result. `run` starts a new interpreter for each measurement, so that start-up is a part of
it: with a cold and a warm page cache, with one core and with all.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROW = "{cache:6} {cores:>5} {seconds:>8.2f} {rate:>14.2f} {peak:>10.0f} {alerts:>9}"


def main(arguments: Sequence[str]) -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("--from", dest="sources", nargs="+", type=Path, required=True)
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--events", type=int, default=20_000_000)
    make.add_argument("--every-path-new", action="store_true")
    run = commands.add_parser("run")
    run.add_argument("capture", type=Path)
    run.add_argument("--rules", nargs="+", type=Path, required=True)
    one = commands.add_parser("one")
    one.add_argument("capture", type=Path)
    one.add_argument("rules", nargs="+", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "make":
        make_capture(chosen.sources, chosen.out, chosen.events, new=chosen.every_path_new)
    elif chosen.command == "run":
        measure(chosen.capture, chosen.rules)
    else:
        scan_once(chosen.capture, chosen.rules)


def make_capture(sources: Sequence[Path], out: Path, events: int, *, new: bool) -> None:
    """Write the large capture, and say how alike it is."""
    from multiply import describe_growth, distinct_per_million, write_copies

    growth = distinct_per_million(sources)
    write_copies(sources, growth, out, events, every_path_new=new)
    print(f"{', '.join(map(str, sources))}, repeated in {out}")
    describe_growth(growth, distinct_per_million([out]))


def measure(capture: Path, rules: Sequence[Path]) -> None:
    """Print a row for each combination of page cache and cores."""
    print(f"{capture}, {capture.stat().st_size / 2**20:.0f} MiB")
    print("cache  cores  seconds  M events/s     peak MiB    alerts")
    every = sorted(os.sched_getaffinity(0))
    for cores in ([every[0]], every):
        for cache in ("cold", "warm"):
            if cache == "cold":
                drop_cache(capture)
            shown = run_once(capture, rules, cores)
            print(ROW.format(cache=cache, cores=len(cores), **shown))


def drop_cache(path: Path) -> None:
    """Make the kernel forget a file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def run_once(capture: Path, rules: Sequence[Path], cores: Sequence[int]) -> dict[str, float]:
    """Scan in a new interpreter bound to some cores; start-up counts."""
    command = [sys.executable, __file__, "one", str(capture), *map(str, rules)]
    started = time.perf_counter()
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    seconds = time.perf_counter() - started
    report: dict[str, float] = json.loads(done.stdout)
    return {**report, "seconds": seconds, "rate": report["events"] / seconds / 1e6}


def scan_once(path: Path, rules: Sequence[Path]) -> None:
    """Scan with all rules, disabled ones too, and report as JSON."""
    import dataclasses

    from falcotrace.capture.reader import open_capture
    from falcotrace.engines.base import ScanOptions
    from falcotrace.engines.replay import ReplayEngine
    from falcotrace.rules.load import load_rules
    from falcotrace.rules.plan import Plan

    loaded = load_rules(rules, append_suggested=True)
    loaded.raise_if_invalid()
    plan = Plan(tuple(dataclasses.replace(rule, enabled=True) for rule in loaded.plan.rules))
    with open_capture(path) as capture:
        batches = ReplayEngine().scan([capture], plan, ScanOptions())
        alerts = sum(len(batch.alerts) for batch in batches)
        events = capture.row_count
    # Of the process that took most: a large capture is scanned in several.
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(one).ru_maxrss for one in who) / 1024
    print(json.dumps({"events": events, "alerts": alerts, "peak": peak}))


if __name__ == "__main__":
    main(sys.argv[1:])
