"""Speed and size of imported captures, beside Falco and sysdig on the same file.

    python tests/bench/import_scap.py speed bench.scap.gz --rules RULES... [--copies 1 10]
    python tests/bench/import_scap.py size FILE.scap...

`speed` imports a capture and scans it, as it is and imported: uncompressed, each time in a new
process, so that start-up is a part of it, with a cold and a warm page cache. Several copies in one
file are several sections, as if captures had been joined. `size` compares imported captures with
the files that they were made from, and tells what each family of columns takes.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scan import drop_cache

PEERS = (
    ("sysdig 0.36, a filter that never holds", 1, 2.0, 0.18),
    ("Falco 0.44.1, stable rules", 1, 2.0, 0.60),
    ("Falco 0.44.1, all rules", 1, 2.0, 1.31),
    ("sysdig 0.36, a filter that never holds", 3.5, 7.0, 0.66),
    ("Falco 0.44.1, stable rules", 3.5, 7.0, 1.77),
    ("Falco 0.44.1, all rules", 3.5, 7.0, 3.83),
)
"""Measured on `bench`, uncompressed, on one core of a machine with 2 (the oracle's README): who,
copies of it, million events, seconds. Falco with all rules took 32 MB."""

ROW = "{:42} {:>6} {:>5} {:>9} {:>8} {:>11} {:>9}"
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took."""

    seconds: float
    peak_mib: float
    output: bytes


def main(arguments: Sequence[str]) -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("capture", type=Path)
    speed.add_argument("--rules", type=Path, nargs="+", required=True)
    speed.add_argument("--copies", type=int, nargs="+", default=[1, 10])
    size = commands.add_parser("size")
    size.add_argument("captures", type=Path, nargs="+")
    for command in (speed, size):
        command.add_argument("--work", type=Path, help="folder for large files; kept if given")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="falcotrace-bench-") as temporary:
        work = chosen.work or Path(temporary)
        if chosen.command == "speed":
            measure_speed(chosen.capture, chosen.rules, chosen.copies, work)
        else:
            measure_sizes(chosen.captures, work)


def measure_speed(capture: Path, rules: Sequence[Path], copies: Sequence[int], work: Path) -> None:
    """Print a row for each task, number of copies and state of the page cache."""
    print(ROW.format("", "copies", "cache", "M events", "seconds", "M events/s", "peak MiB"))
    imported = []
    for count in copies:
        source, out = work / f"copies-{count}.scap", work / f"copies-{count}.parquet"
        if not source.exists():
            join_copies(capture, count, source)
        tasks = {
            "import": (source, import_command(source, out)),
            "scan of the .scap": (source, scan_command(source, rules)),
            "scan of the imported capture": (out, scan_command(out, rules)),
        }
        for name, (file, command) in tasks.items():
            _measure_task(name, count, file, command, out)
        imported.append((source, out))
    for who, times, millions, seconds in PEERS:
        rate = f"{millions / seconds:.2f}"
        print(ROW.format(f"peer: {who}", times, "warm", f"{millions:.1f}", seconds, rate, ""))
    for source, out in imported:
        print(f"\n{source.name}: {source.stat().st_size / 2**20:.1f} MiB")
        print_families(out, capture.stat().st_size * _copies_of(source), is_scaled=True)


def _copies_of(source: Path) -> int:
    return int(source.stem.rpartition("-")[2])


def _measure_task(name: str, copies: int, file: Path, command: Sequence[str], out: Path) -> None:
    for cache in ("cold", "warm"):
        if cache == "cold":
            drop_cache(file)
        if file != out and str(out) in command:
            out.unlink(missing_ok=True)
        run = run_apart(command)
        millions = event_count(out) / 1e6
        print(
            ROW.format(
                name,
                copies,
                cache,
                f"{millions:.2f}",
                f"{run.seconds:.2f}",
                f"{millions / run.seconds:.2f}",
                f"{run.peak_mib:.0f}",
            ),
            flush=True,
        )


def import_command(source: Path, out: Path) -> list[str]:
    """The command that imports a capture."""
    return [sys.executable, "-m", "falcotrace", "import", str(source), "-o", str(out)]


def scan_command(capture: Path, rules: Sequence[Path]) -> list[str]:
    """The command that asks rules of a capture and prints every alert."""
    options = [option for path in rules for option in ("--rules", str(path))]
    return [
        *(sys.executable, "-m", "falcotrace", "scan", str(capture)),
        *(*options, "--format", "json", "--first-match"),
    ]


def run_apart(command: Sequence[str]) -> Run:
    """Run a command in a process of its own; exit codes up to 1 and 3 are no failures.

    Raises:
        RuntimeError: the command failed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode not in {0, 1, 3}:
            raise RuntimeError(f"{' '.join(command)}\n{errors.read().decode(errors='replace')}")
        return Run(seconds, usage.ru_maxrss / 1024, out.read())


def join_copies(capture: Path, count: int, out: Path) -> None:
    """Write a capture several times into one file, uncompressed."""
    with out.open("wb") as joined:
        for _ in range(count):
            with open_plain(capture) as file:
                shutil.copyfileobj(file, joined, _CHUNK_BYTES)


def open_plain(capture: Path) -> gzip.GzipFile:
    """A compressed capture's bytes."""
    return gzip.open(capture, "rb")


def event_count(capture: Path) -> int:
    """Events of an imported capture."""
    from falcotrace.capture.reader import open_capture

    with open_capture(capture) as opened:
        return opened.row_count


def measure_sizes(captures: Sequence[Path], work: Path) -> None:
    """Print sizes before and after for small captures, and families of columns for the largest."""
    print(f"{'':32} {'events':>10} {'.scap KB':>10} {'capture KB':>11} {'more KB':>9}")
    largest = max(captures, key=lambda path: path.stat().st_size)
    for source in sorted(captures, key=lambda path: path.stat().st_size):
        out = work / f"{source.name}.parquet"
        out.unlink(missing_ok=True)
        run_apart(import_command(source, out))
        before, after = source.stat().st_size / 1000, out.stat().st_size / 1000
        events = event_count(out)
        print(f"{source.name:32} {events:>10,} {before:>10,.1f} {after:>11,.1f}", end="")
        print(f" {after - before:>9,.1f}", flush=True)
    print(f"\n{largest.name}")
    print_families(work / f"{largest.name}.parquet", largest.stat().st_size)


def print_families(capture: Path, source_bytes: int, *, is_scaled: bool = False) -> None:
    """Print how many bytes of an event belong to which family of columns."""
    events = event_count(capture)
    total = capture.stat().st_size
    print(f"{'family of columns':24} {'columns':>8} {'KB':>12} {'bytes/event':>12}")
    families = family_sizes(capture)
    for family, (columns, size) in sorted(families.items(), key=lambda item: -item[1][1]):
        print(f"{family:24} {columns:>8} {size / 1000:>12,.1f} {size / events:>12.2f}")
    print(f"{'together':24} {'':8} {total / 1000:>12,.1f} {total / events:>12.2f}")
    copies = ", times copies" if is_scaled else ""
    name = f"the compressed .scap{copies}"
    print(f"{name:33} {source_bytes / 1000:>12,.1f} {source_bytes / events:>12.2f}")


def family_sizes(capture: Path) -> dict[str, tuple[int, int]]:
    """For each family: columns with values, and bytes in the file."""
    import pyarrow.parquet as pq

    from falcotrace.capture.reader import open_capture

    sizes: dict[str, int] = defaultdict(int)
    columns: dict[str, set[str]] = defaultdict(set)
    with pq.ParquetFile(capture) as file:
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            for leaf in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(leaf)
                family = family_of(chunk.path_in_schema)
                sizes[family] += chunk.total_compressed_size
                columns[family].add(chunk.path_in_schema)
    with open_capture(capture) as opened:
        tables = sum(entry.processes_bytes for entry in opened.footer.row_groups)
    rest = capture.stat().st_size - sum(sizes.values()) - tables
    return {
        **{family: (len(columns[family]), size) for family, size in sizes.items()},
        "(process tables)": (0, tables),
        "(footer)": (0, rest),
    }


def family_of(path: str) -> str:
    """The family of a column: its struct, and for arguments the struct inside `evt`.

    Example:
        >>> family_of("evt.arg.flags"), family_of("evt.num"), family_of("proc.name")
        ('evt.arg', 'evt.num', 'proc')
    """
    names = path.split(".")
    # The numbers and times of events are the largest columns, and buffers are as large as they are
    # allowed to be: each is worth a line of its own.
    alone = {"evt.num", "evt.time", "evt.buffer", "proc.key"}
    if names[:2] in (["evt", "arg"], ["evt", "rawarg"]) or ".".join(names[:2]) in alone:
        return ".".join(names[:2])
    return names[0]


if __name__ == "__main__":
    main(sys.argv[1:])
