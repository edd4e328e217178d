"""Fuzzer of the import of `.scap` captures: changed captures, imported and scanned.

    python tests/bench/fuzz_scap.py --count 50000 --seed 1 --jobs 2
    python tests/bench/fuzz_scap.py --only 1000123 [--keep changed.scap]

Each case changes a capture (`scap_mutations`), imports it into a temporary file, reads that back,
and scans both the `.scap` and the imported file, which must give the same alerts. A finding is
anything but a clean result or an error of one line: a traceback, a warning of a library, a crash,
a case that takes too long or too much memory. Cases run in processes of their own with limited
memory. Prints a table, and exits with 1 on any finding.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

BATCH_CASES = 250
CASES_PER_SEED = 1_000_000
SMALL_BYTES = 200_000
SHOWN = 5
MOST_TOLD = 20
SHARED = Path(os.environ.get("FALCOTRACE_SHARED", Path(__file__).parents[3] / "shared"))


@dataclass(slots=True)
class Totals:
    """What came of all cases."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    results: list[dict[str, object]] = field(default_factory=list)
    findings: list[dict[str, object]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, result: dict[str, object]) -> None:
        """Count one case."""
        with self.lock:
            names = result.get("mutations")
            for name in set(names) if isinstance(names, list) else ():
                self.outcomes[name, str(result["outcome"])] += 1
            self.outcomes["all cases", str(result["outcome"])] += 1
            self.results.append(result)
            if result["outcome"] not in {"fine", "refused"}:
                self.findings.append(result)
                if len(self.findings) <= MOST_TOLD:
                    print(f"case {result['case']}: {result['outcome']}", file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Run cases; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="captures", nargs="+", type=Path, help=".scap files")
    parser.add_argument("--rules", nargs="+", type=Path, help="default: the official ones")
    parser.add_argument("--other-rules", nargs="*", type=Path, help="for a few of the cases")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="run this case here, with its traceback")
    parser.add_argument("--keep", type=Path, help="with --only: write the changed capture here")
    parser.add_argument("--worker", nargs=2, type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    chosen.captures = chosen.captures or small_captures()
    chosen.rules = chosen.rules or sorted((SHARED / "falco-rules").glob("*.yaml"), key=_rule_order)
    if chosen.other_rules is None:
        chosen.other_rules = list((SHARED / "oracle" / "rules").glob("*.yaml"))
    if chosen.worker is None and chosen.only is None:
        return run_all(chosen)
    from scap_case import Options, run_only, run_worker

    options = Options(chosen.captures, chosen.rules, chosen.other_rules)
    if chosen.only is not None:
        return run_only(options, chosen.only, chosen.keep)
    run_worker(options, chosen.worker[0], chosen.worker[1])
    return 0


def small_captures() -> list[Path]:
    """Those of the reference material, without the large ones."""
    found = sorted((SHARED / "oracle" / "captures").glob("*.scap*"))
    return [path for path in found if path.stat().st_size < SMALL_BYTES]


def _rule_order(path: Path) -> tuple[bool, str]:
    return path.name != "falco_rules.yaml", path.name


def run_all(chosen: argparse.Namespace) -> int:
    """Run batches of cases in processes and print what came of them."""
    totals = Totals()
    started = time.perf_counter()
    first = chosen.seed * CASES_PER_SEED
    beyond = first + chosen.count
    batches = [(at, min(at + BATCH_CASES, beyond)) for at in range(first, beyond, BATCH_CASES)]
    options = ["--from", *map(str, chosen.captures), "--rules", *map(str, chosen.rules)]
    options += ["--other-rules", *map(str, chosen.other_rules)]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        list(pool.map(lambda batch: run_batch(options, batch[0], batch[1], totals), batches))
    print_totals(totals, time.perf_counter() - started)
    return 1 if totals.findings else 0


def run_batch(options: Sequence[str], first: int, beyond: int, totals: Totals) -> None:
    """Run cases in one process, and in another one behind a case that ended the first."""
    while first < beyond:
        for result in _worker_results(options, first, beyond):
            totals.add(result)
            number = result["case"]
            assert isinstance(number, int)
            first = number + 1


def _worker_results(options: Sequence[str], first: int, beyond: int) -> Iterator[dict[str, object]]:
    command = [sys.executable, __file__, *options, "--worker", str(first), str(beyond)]
    begun: dict[str, object] | None = None
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            result = json.loads(line)
            if "outcome" in result:
                begun = None
                yield result
            else:
                begun = result
        if process.wait():
            errors.seek(0)
            detail = errors.read()[-6000:]
            if begun is None:
                raise RuntimeError(f"no case could be run:\n{detail}")
            is_hang = "Timeout (" in detail or process.returncode == -signal.SIGPROF
            outcome = "hang" if is_hang else "crash"
            yield {**begun, "outcome": outcome, "signature": _last_frames(detail), "detail": detail}


def _last_frames(detail: str) -> str:
    frames = [line.strip() for line in detail.splitlines() if "falcotrace" in line]
    return " < ".join(frames[:2]) or detail.strip()[-200:]


def print_totals(totals: Totals, seconds: float) -> None:
    """Print changes by kind, what cost most, and findings."""
    outcomes = sorted({outcome for _, outcome in totals.outcomes})
    print(f"{'change':16}" + "".join(f"{outcome:>12}" for outcome in outcomes))
    for name in sorted({name for name, _ in totals.outcomes}):
        print(f"{name:16}" + "".join(f"{totals.outcomes[name, out]:>12,}" for out in outcomes))
    print(f"\n{len(totals.results):,} cases in {seconds:.0f} s")
    for title, key, unit in (("slowest", "seconds", "s"), ("largest", "grown_mib", "MiB more")):
        print(f"\n{title}")
        known = [result for result in totals.results if key in result]
        for result in sorted(known, key=lambda result: -_number(result, key))[:SHOWN]:
            about = f"{result['capture']}: {', '.join(map(str, _list(result, 'mutations')))}"
            print(f"  case {result['case']}: {_number(result, key):.2f} {unit}  {about}")
    by_signature: dict[str, list[dict[str, object]]] = {}
    for finding in totals.findings:
        by_signature.setdefault(str(finding.get("signature")), []).append(finding)
    print(f"\n{len(totals.findings)} findings of {len(by_signature)} kinds")
    for signature, found in sorted(by_signature.items(), key=lambda item: -len(item[1])):
        numbers = ", ".join(str(finding["case"]) for finding in found[:4])
        print(f"  {len(found):>5}  {found[0]['outcome']}: {signature}\n         cases {numbers}")


def _number(result: dict[str, object], key: str) -> float:
    value = result[key]
    assert isinstance(value, int | float)
    return value


def _list(result: dict[str, object], key: str) -> list[object]:
    value = result[key]
    assert isinstance(value, list)
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
