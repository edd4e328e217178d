"""Hunts at scale: many small captures, many rules at once, a rule with a long list.

    python tests/bench/hunt.py make FOLDER BASE... [--files 2000] [--hosts 50]
    python tests/bench/hunt.py files FOLDER [--rules R...]
    python tests/bench/hunt.py speed CAPTURE [--rules R...]
    python tests/bench/hunt.py list CAPTURE

`make` re-stamps real captures: times are written anew, hosts into copies of these. `files` hunts
them, with one rule and with all, with and without a limit of time. `speed` compares replay, the
batch form and one query a rule on one large capture. `list` asks for 10,000 names and addresses.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from falcotrace.api import open_captures
from falcotrace.capture.footer import METADATA_KEY
from falcotrace.capture.reader import open_capture
from falcotrace.engines.base import ScanOptions, runs_on_captures
from falcotrace.engines.batch import DuckdbEngine
from falcotrace.engines.duckdb import CaptureQueries
from falcotrace.engines.replay import ReplayEngine
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Plan

sys.path.insert(0, str(Path(__file__).parents[1]))
from restamped import restamp

HOST = "bench-host-{:03}"
"""All names are as long, so that a copy differs from another in nothing but these bytes."""

_SHIFT_NS = 6 * 3600 * 10**9


def make(folder: Path, bases: Sequence[Path], files: int, hosts: int) -> None:
    """Write captures of so many hosts."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = max(1, hosts // 2)
    shifts = -(-files // (copies * len(bases)))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = list(itertools.product(bases, range(shifts)))
        made = list(
            pool.map(_restamped, *zip(*((base, folder, n) for base, n in jobs), strict=True))
        )
    written = 0
    for number, original in enumerate(made):
        for copy in range(copies):
            if written < files:
                host = (number % 2 + 2 * copy) % hosts
                _rename(original, folder / f"{written:05}.parquet", host)
                written += 1
        original.unlink()
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    print(f"{written:,} captures, {size / 1e6:,.0f} MB")


def _restamped(base: Path, folder: Path, shift: int) -> Path:
    path = folder / f"{base.stem}-{shift}.base"
    path.unlink(missing_ok=True)
    restamp(base, path, HOST.format(0), shift * _SHIFT_NS)
    return path


def _rename(source: Path, path: Path, host: int) -> None:
    raw = source.read_bytes()
    at = raw.rindex(METADATA_KEY)  # data before the footer stays as it is
    old, new = HOST.format(0).encode(), HOST.format(host).encode()
    path.write_bytes(raw[:at] + raw[at:].replace(old, new))


def hunt_files(folder: Path, rules: Sequence[Path]) -> None:
    """Hunt all captures, as the command line does."""
    chosen = [part for path in rules for part in ("-r", str(path))]
    with open_captures(min(folder.glob("*.parquet"))) as first:
        since_ns = first.info[0].first_time_ns + 2 * _SHIFT_NS
    one = ["--rule", load_rules(list(rules)).plan.enabled[0].name] if rules else []
    limit = ["--since", f"@{since_ns // 10**9}"]
    print(f"{'':34} {'seconds':>8} {'MiB':>6}  result")
    for name, options in (
        ("one rule", one),
        ("all rules", []),
        ("all rules, limited time", limit),
    ):
        for engine in ("duckdb", "replay"):
            command = ["hunt", str(folder), *chosen, *options, "--engine", engine, "--summary"]
            seconds, mebibytes, told = _run(command)
            print(f"{name + ', ' + engine:34} {seconds:8.1f} {mebibytes:6,}  {told}")


def _run(arguments: Sequence[str]) -> tuple[float, int, str]:
    """Seconds, peak memory and what the command said of its files."""
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "falcotrace", *arguments], stdout=subprocess.DEVNULL, stderr=told
        )
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        told.seek(0)
        line = next((line for line in told if "files hunted" in line), "failed\n")
    return seconds, usage.ru_maxrss >> 10, line.strip()


def speed(capture: Path, plan: Plan) -> None:
    """Replay, the batch form, and one query a rule."""
    with open_capture(capture) as opened:
        events = opened.row_count
        print(f"{events:,} events, {len(plan.enabled)} rules")
        print(f"{'':20} {'seconds':>8} {'events/s':>12} {'matches':>9}")
        for name, matches in (
            ("replay", _replay(opened, plan)),
            ("batch form", _batch(opened, plan)),
            ("one query a rule", _naive(capture, plan)),
        ):
            begun = time.monotonic()
            found = sum(matches)
            seconds = time.monotonic() - begun
            print(f"{name:20} {seconds:8.2f} {events / seconds:12,.0f} {found:9,}")


def _replay(opened: object, plan: Plan) -> Iterator[int]:
    for found in ReplayEngine().match([opened], plan, ScanOptions()):  # type: ignore[list-item]
        yield len(found.matches)


def _batch(opened: object, plan: Plan) -> Iterator[int]:
    for found in DuckdbEngine().match([opened], plan, ScanOptions()):  # type: ignore[list-item]
        yield len(found.matches)


def _naive(capture: Path, plan: Plan) -> Iterator[int]:
    with CaptureQueries([capture]) as queries:
        for rule in filter(runs_on_captures, plan.enabled):
            yield len(queries.matches(rule))


_LIST_RULES = """
- list: domains
  items: [{domains}]
- list: addresses
  items: [{addresses}]
- rule: known bad
  desc: d
  condition: evt.type in (connect, sendto, openat) and (fd.sip.name in (domains)
    or fd.sip in (addresses) or fd.name in (domains) or proc.name in (domains))
  output: o
  priority: DEBUG
- rule: one of them
  desc: d
  condition: evt.type in (connect, sendto, openat) and (fd.sip.name = host-1.example
    or fd.sip = "11.0.0.1" or fd.name = host-1.example or proc.name = host-1.example)
  output: o
  priority: DEBUG
"""


def long_list(capture: Path) -> None:
    """A rule with 10,000 names and as many addresses beside the same rule with one of each."""
    domains = ", ".join(f"host-{number}.example" for number in range(10_000))
    addresses = ", ".join(f'"11.0.{n // 250}.{n % 250 + 1}"' for n in range(10_000))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.yaml"
        path.write_text(_LIST_RULES.format(domains=domains, addresses=addresses))
        begun = time.monotonic()
        load_rules([path]).raise_if_invalid()
        print(f"loaded in {time.monotonic() - begun:.2f} s")
        for engine in ("duckdb", "replay"):
            for rule in ("known bad", "one of them"):
                command = ["hunt", str(capture), "-r", str(path), "--rule", rule]
                seconds, _, told = _run([*command, "--engine", engine])
                print(f"{engine + ', ' + rule:24} {seconds:6.2f} s  {told}")


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("make", "files", "speed", "list"))
    parser.add_argument("path", type=Path)
    parser.add_argument("bases", type=Path, nargs="*")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--rules", type=Path, nargs="*", default=[])
    chosen = parser.parse_args(arguments)
    match chosen.what:
        case "make":
            make(chosen.path, chosen.bases, chosen.files, chosen.hosts)
        case "files":
            hunt_files(chosen.path, chosen.rules)
        case "speed":
            speed(chosen.path, load_rules(chosen.rules).plan)
        case _:
            long_list(chosen.path)


if __name__ == "__main__":
    main(sys.argv[1:])
