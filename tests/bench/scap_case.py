"""One case of the fuzzer: change a capture, import it, scan it both ways, compare.

In: captures, rules and the number of a case. Out: a result as a line of JSON.
"""

import faulthandler
import json
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scap_model import Block, Event, read_capture
from scap_mutations import mutated
from scap_soundness import check_threads

from falcotrace.capture.reader import Capture, open_capture
from falcotrace.engines import group_worker
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.group_program import compile_plan
from falcotrace.engines.replay import ReplayEngine
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from falcotrace.scap import blocks
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.capture import ScapCapture
from falcotrace.scap.importer import import_scap
from falcotrace.scap.state import BatchState, StateEngine

MEMORY_BYTES = 2 << 30
MOST_GROWTH_MIB = 600
SLOW_SECONDS = 6
MOST_SECONDS = 20
"""What takes more time of a CPU hangs: captures have a few hundred kilobytes."""

MOST_WAITING_SECONDS = 600
"""The same for what waits for something; a busy or paused machine is no finding."""

MOST_EVENTS = 4000
WINDOWS = (2, 4, 0, 0, 0, 0)
"""Windows in a capture, so that a case has several batches; 0 for one of the usual size."""

USUAL_WINDOW_BYTES = blocks.WINDOW_BYTES
READ_BACK_EVERY = 4
OTHER_RULES_EVERY = 25
"""Rules that look at every field make so many alerts that few cases can be asked them."""

_ONE_THREAD = ScanOptions(threads=1)

Alerts = list[tuple[str, int, int, str]]


class DifferenceError(Exception):
    """The two ways to the same answer gave different ones."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which captures are changed, and the rules that are asked of most cases and of a few."""

    captures: Sequence[Path]
    rules: Sequence[Path]
    other_rules: Sequence[Path]


class Cases:
    """Makes and runs cases."""

    def __init__(self, options: Options, folder: Path) -> None:
        self._paths = options.captures
        self._captures: dict[Path, list[Block | Event]] = {}
        self._plan = load_plan(*options.rules)
        self._other_plan = load_plan(*options.other_rules) if options.other_rules else self._plan
        # Compiling rules would take a fifth of the time.
        programs = {id(plan): compile_plan(plan) for plan in (self._plan, self._other_plan)}
        group_worker.__dict__["compile_plan"] = lambda plan: programs[id(plan)]
        _check_each_batch()
        self._source, self._out = folder / "case.scap", folder / "case.parquet"

    def make(self, number: int) -> tuple[str, bytes, list[str]]:
        """A changed capture: which it was, its bytes, and what was done."""
        rng = random.Random(number)
        path, other = rng.choice(self._paths), rng.choice(self._paths)
        data, done = mutated(rng, self._read(path), self._read(other))
        count = rng.choice(WINDOWS)
        blocks.WINDOW_BYTES = max(len(data) // count, 1000) if count else USUAL_WINDOW_BYTES
        return path.name, data, done

    def _read(self, path: Path) -> list[Block | Event]:
        if path not in self._captures:
            self._captures[path] = read_capture(path, MOST_EVENTS)
        return self._captures[path]

    def run(self, number: int, data: bytes) -> int:
        """Import and scan; returns the number of events.

        Raises:
            CaptureError: the capture is refused.
            DifferenceError: something does not add up.
        """
        self._source.write_bytes(data)
        plan = self._plan if number % OTHER_RULES_EVERY else self._other_plan
        direct = _alerts(ScapCapture(self._source), plan)
        report = import_scap(self._source, self._out, overwrite=True)
        for warning in report.warnings:
            if "\n" in str(warning):
                raise DifferenceError("a warning of several lines")
        with open_capture(self._out) as capture:
            if sum(group.row_count for group in capture.row_groups) != report.event_count:
                raise DifferenceError("events were lost on the way to the file")
            if number % READ_BACK_EVERY == 0:
                for group in capture.row_groups:
                    capture.read(group.index, list(COLUMNS))
                    capture.processes(group.index)
            imported = _alerts(capture, plan)
        if sorted(direct) != sorted(imported):
            raise DifferenceError(_first_difference(direct, imported))
        return report.event_count


def _check_each_batch() -> None:
    """Have the tables of threads checked behind each batch."""
    go_through = StateEngine.run

    def run(engine: StateEngine, batch: EventBatch) -> BatchState:
        state = go_through(engine, batch)
        check_threads(engine.threads)
        return state

    StateEngine.run = run  # type: ignore[method-assign, assignment]


def _alerts(capture: Capture | ScapCapture, plan: Plan) -> Alerts:
    return [
        (alert.rule.name, alert.num, alert.time_ns, alert.output)
        for batch in ReplayEngine().scan([capture], plan, _ONE_THREAD)
        for alert in batch.alerts
    ]


def _first_difference(direct: Alerts, imported: Alerts) -> str:
    only_direct = sorted(set(direct) - set(imported))[:1]
    only_imported = sorted(set(imported) - set(direct))[:1]
    return f"alerts differ: scanned {only_direct}, imported and scanned {only_imported}"


def run_worker(options: Options, first: int, beyond: int) -> None:
    """Run cases and print a line before and one after each."""
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)
    with tempfile.TemporaryDirectory(prefix="falcotrace-fuzz-") as folder:
        cases = Cases(options, Path(folder))
        for number in range(first, beyond):
            capture, data, done = cases.make(number)
            begun: dict[str, object] = {"case": number, "capture": capture, "mutations": done}
            print(json.dumps(begun), flush=True)
            signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
            faulthandler.dump_traceback_later(MOST_WAITING_SECONDS, exit=True)
            result = _result(cases, number, data)
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps({**begun, "bytes": len(data), **result}), flush=True)


def _result(cases: Cases, number: int, data: bytes) -> dict[str, object]:
    before = _reset_peak_mib()
    started = time.process_time()
    result: dict[str, object] = {}
    try:
        result["events"] = cases.run(number, data)
        result["outcome"] = "fine"
    except CaptureError as error:
        result["outcome"] = "refused" if "\n" not in str(error) else "finding"
        result["signature"] = str(error)[:200]
    except DifferenceError as error:
        result |= {"outcome": "finding", "signature": str(error)[:600]}
    except BaseException as error:  # noqa: BLE001 - every one of them is a finding
        result |= {"outcome": "finding", "signature": _signature(error)}
    seconds, grown_mib = time.process_time() - started, _peak_mib() - before
    if result["outcome"] == "fine" and seconds > SLOW_SECONDS:
        result |= {"outcome": "slow", "signature": "slow"}
    elif result["outcome"] == "fine" and grown_mib > MOST_GROWTH_MIB:
        result |= {"outcome": "large", "signature": "large"}
    return {**result, "seconds": seconds, "grown_mib": grown_mib}


def run_only(options: Options, number: int, keep: Path | None) -> int:
    """Run one case here; a finding ends with its traceback."""
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(prefix="falcotrace-fuzz-") as folder:
        cases = Cases(options, Path(folder))
        capture, data, done = cases.make(number)
        print(f"{capture}, {', '.join(done)}: {len(data):,} bytes, window {blocks.WINDOW_BYTES:,}")
        if keep is not None:
            keep.write_bytes(data)
        started = time.process_time()
        try:
            print(f"{cases.run(number, data):,} events")
        except CaptureError as error:
            print(f"refused: {error}")
        print(f"{time.process_time() - started:.2f} s, {_peak_mib():.0f} MiB")
    return 0


def _signature(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "falcotrace" in frame.filename]
    where = " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in ours[:-4:-1]
    )
    return f"{type(error).__name__}: {str(error)[:120]} at {where}"


def _reset_peak_mib() -> float:
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_mib()


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
