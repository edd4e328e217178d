"""Where the time of an import goes: CPU time of each stage, one after the other in one thread.

python tests/bench/import_stages.py FILE.scap
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from falcotrace.capture.footer import Footer
from falcotrace.capture.writer import CaptureWriter
from falcotrace.scap.batch_columns import BatchColumns
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.reader import open_scap
from falcotrace.scap.state import StateEngine

P = ParamSpec("P")
T = TypeVar("T")


def main(path: Path) -> None:
    """Import a file stage by stage, and print a table."""
    spent: dict[str, float] = defaultdict(float)
    events = 0

    def timed(stage: str, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        started = time.process_time()
        done = work(*given, **named)
        spent[stage] += time.process_time() - started
        return done

    with (
        tempfile.TemporaryDirectory() as folder,
        open_scap(path) as file,
        CaptureWriter(Path(folder) / "capture.parquet") as writer,
    ):
        for section in file:
            engine = StateEngine(section.metadata)
            interfaces = Interfaces.of(section.metadata.interfaces)
            batches = iter(section)
            while (batch := timed("reading, upgrading", next, batches, None)) is not None:
                state = timed("state of threads and descriptors", engine.run, batch)
                columns = BatchColumns(batch, state, interfaces)
                arrays = timed("columns of events", columns.arrays)
                processes = timed("states of processes", columns.processes)
                timed("writing", writer.write_row_group, arrays, processes)
                events += len(columns)
        writer.close(Footer())
    print(f"{path}: {events:,} events")
    print(f"{'stage':36} {'CPU s':>7} {'us/event':>9}")
    for stage, seconds in spent.items():
        print(f"{stage:36} {seconds:>7.2f} {seconds / max(events, 1) * 1e6:>9.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
