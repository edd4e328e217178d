"""Every system call that was made is in the capture or in the account: a generator that counts.

    python tests/bench/generator.py [--seconds 30] [--threads 8] [--buffer 256M]

Needs root and gcc. Prints for each type of call how many were made, seen and not seen, and what the
account says was lost of its class. Exits with 1 if anything is unaccounted for.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from falcotrace.api import open_captures
from falcotrace.capture.footer import Losses
from falcotrace.record.call_classes import CLASS_NAMES, class_of

OF_WORK = """
    SELECT evt.type, count(*) FROM events
    WHERE proc.name = 'generator' AND thread.tid != proc.pid
    AND (evt.type != 'openat' OR evt.rawres < 0)
    GROUP BY ALL
"""
"""What the generator's threads counted; each opens two files besides."""

SOURCE = Path(__file__).with_name("generator.c")


@dataclass(frozen=True)
class Generated:
    """What a recording of the generator came to.

    Attributes:
        made: calls that the generator counted, by type.
        seen: events of it in the capture, by type.
        losses: the account.
    """

    made: dict[str, int]
    seen: dict[str, int]
    losses: Losses

    @property
    def unaccounted(self) -> dict[str, int]:
        """By class, calls that are neither in the capture nor in the account."""
        missing: Counter[str] = Counter()
        for name, count in self.made.items():
            missing[CLASS_NAMES[class_of(name)]] += count - self.seen.get(name, 0)
        found = {kind: count - self.losses.by_class.get(kind, 0) for kind, count in missing.items()}
        # The account counts what other programs lost of a class too.
        return {kind: count for kind, count in found.items() if count > 0}


def compile_generator(folder: Path) -> Path:
    """The program."""
    program = folder / "generator"
    subprocess.run(["gcc", "-O1", "-w", "-pthread", "-o", program, SOURCE], check=True)
    return program


def generate(folder: Path, seconds: float, threads: int, *options: str) -> Generated:
    """Record the generator."""
    program, capture = compile_generator(folder), folder / "c.parquet"
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(capture), *options]
    command = [*recorder, "--", str(program), str(seconds), str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    made = {name: int(count) for name, count in map(str.split, done.stdout.splitlines())}
    with open_captures(capture) as opened:
        seen: dict[str, int] = dict(opened.sql(OF_WORK).fetchall())
        [one] = opened
        return Generated(made, seen, one.footer.losses)


def main(arguments: Sequence[str]) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--buffer", default="256M")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="falcotrace-bench-") as folder:
        found = generate(Path(folder), chosen.seconds, chosen.threads, "--buffer", chosen.buffer)
    print(f"{'call':14} {'made':>12} {'seen':>12} {'not seen':>12}")
    for name, count in found.made.items():
        seen = found.seen.get(name, 0)
        print(f"{name:14} {count:>12,} {seen:>12,} {count - seen:>12,}")
    made = sum(found.made.values())
    print(f"{made:,} calls in {chosen.seconds:g} s: {made / chosen.seconds:,.0f} a second")
    print(f"lost: {found.losses.by_class or 'nothing'}; unaccounted: {found.unaccounted or 'none'}")
    return 1 if found.unaccounted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
