"""Writing captures: CPU time and size by family of columns, beside Arrow's own writer.

    python tests/bench/write.py capture.parquet [--row-group 0] [--repeat 3]

A row group of a recording is read and written again, as it is and in the order of its events. What
is printed is the least of several runs, as CPU time of this process.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.capture import encoding
from falcotrace.capture.encoding import DELTA_COLUMNS, STATISTICS_COLUMNS
from falcotrace.capture.footer import Footer
from falcotrace.capture.parquet.chunk import Chunk
from falcotrace.capture.parquet.schema import Leaf
from falcotrace.capture.reader import open_capture
from falcotrace.capture.schema import flat_type
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS, Scope

ROW = "{:30} {:>8} {:>12} {:>7} {:>12}"
DENSE = 0.1
"""The share of events with a value from which on a column is called dense."""

Columns = Mapping[str, pa.Array]


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("capture", type=Path)
    parser.add_argument("--row-group", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with open_capture(chosen.capture) as capture:
        paths = [path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS]
        read = capture.read(chosen.row_group, paths)
        processes = capture.process_table(chosen.row_group)
    events = {path: array for path, array in read.items() if array.null_count < len(array)}
    rows = len(events["evt.num"])
    print(f"{rows:,} events, {len(events)} columns of theirs, {len(processes):,} process states")
    with tempfile.TemporaryDirectory(prefix="falcotrace-bench-") as folder:
        out = Path(folder) / "out.parquet"
        print_families(events, processes, out, chosen.repeat)
        print_ways(events, processes, out, chosen.repeat)


class ChunkCosts:
    """Takes down what each chunk costs while it is entered.

    Args:
        family_of: under which name a column is counted.
    """

    def __init__(self, family_of: Callable[[Leaf], str]) -> None:
        self._family_of = family_of
        self._encode = encoding._chunks
        self.columns: dict[str, int] = defaultdict(int)
        self.seconds: dict[str, float] = defaultdict(float)
        self.sizes: dict[str, int] = defaultdict(int)

    def __enter__(self) -> Self:
        vars(encoding)["_chunks"] = self._chunks
        return self

    def __exit__(self, *_: object) -> None:
        vars(encoding)["_chunks"] = self._encode

    def _chunks(self, *given: Any) -> Iterator[Chunk]:
        chunks = self._encode(*given)
        while True:
            started = time.process_time()
            chunk = next(chunks, None)
            if chunk is None:
                return
            family = self._family_of(chunk.leaf)
            self.seconds[family] += time.process_time() - started
            self.sizes[family] += chunk.bytes
            self.columns[family] += 1
            yield chunk


def print_families(events: Columns, processes: pa.Table, out: Path, repeat: int) -> None:
    """Print a row for each family of columns."""
    rows = len(events["evt.num"])
    filled = {
        name for name in processes.column_names if processes[name].null_count < len(processes)
    }

    def family_of(leaf: Leaf) -> str:
        return family(leaf, events, filled)

    runs = []
    for _ in range(repeat):
        started = time.process_time()
        with ChunkCosts(family_of) as costs, CaptureWriter(out, overwrite=True) as writer:
            writer.write_row_group(events, processes)
            writer.close(Footer())
        runs.append((time.process_time() - started, costs))
    total, best = min(runs, key=lambda run: run[0])
    size = out.stat().st_size
    with open_capture(out) as capture:
        table_bytes = capture.footer.row_groups[0].processes_bytes
    rest = total - sum(best.seconds.values())
    best.seconds["(sorting, process table, footer)"] = rest
    best.sizes["(sorting, process table, footer)"] = size - sum(best.sizes.values())
    print(ROW.format("family of columns", "columns", "us/event", "share", "bytes/event"))
    for name, seconds in sorted(best.seconds.items(), key=lambda item: -item[1]):
        print_row(
            name, best.columns[name], seconds / rows, seconds / total, best.sizes[name] / rows
        )
    print_row("together", len(COLUMNS), total / rows, 1, size / rows)
    print(f"the process table takes {table_bytes:,} bytes")


def print_row(name: str, columns: int, seconds: float, share: float, size: float) -> None:
    """Print one row."""
    print(ROW.format(name, columns or "", f"{seconds * 1e6:.3f}", f"{share:.0%}", f"{size:.2f}"))


def family(leaf: Leaf, events: Columns, filled: set[str]) -> str:
    """What a column is like, as far as writing is concerned."""
    path = leaf.path
    if path in filled and path != "proc.key":
        return "of processes, lists" if leaf.is_list else "of processes"
    if path in DELTA_COLUMNS:
        return "numbers as differences"
    if path not in events:
        return "without values"
    array = events[path]
    share = 1 - array.null_count / len(array)
    kind = "numbers" if pa.types.is_integer(array.type) else "texts"
    return f"of events, {'dense' if share > DENSE else 'sparse'}, {kind}"


def print_ways(events: Columns, processes: pa.Table, out: Path, repeat: int) -> None:
    """Print what it costs altogether, in both orders, and with Arrow's own writer."""
    order = pa.array(np.argsort(events["evt.num"].to_numpy(), kind="stable"))
    by_number = {path: array.take(order) for path, array in events.items()}
    ways = {
        "in the order of the file": lambda: write(events, processes, out),
        "in the order of events": lambda: write(by_number, processes, out),
        "peer: Arrow, without lists": lambda: write_with_arrow(events, processes, out),
    }
    rows = len(events["evt.num"])
    print(ROW.format("", "", "us/event", "times", "bytes/event"))
    first = 0.0
    for name, way in ways.items():
        best = min(cpu_seconds(way) for _ in range(repeat))
        first = first or best
        size = f"{out.stat().st_size / rows:.2f}"
        print(ROW.format(name, "", f"{best / rows * 1e6:.3f}", f"{best / first:.1f}", size))


def cpu_seconds(task: Callable[[], None]) -> float:
    """CPU time of a task."""
    started = time.process_time()
    task()
    return time.process_time() - started


def write(events: Columns, processes: pa.Table, out: Path) -> None:
    """Write a capture of one row group."""
    with CaptureWriter(out, overwrite=True) as writer:
        writer.write_row_group(events, processes)
        writer.close(Footer())


def write_with_arrow(events: Columns, processes: pa.Table, out: Path) -> None:
    """Write the same columns, flat and without a process table, as Arrow does it.

    Lists of processes stay null: Arrow makes whole texts of them, more than one array can hold.
    """
    rows = len(events["evt.num"])
    places = np.searchsorted(processes["proc.key"].to_numpy(), events["proc.key"].to_numpy())
    single = [column.path for column in PROCESS_COLUMNS if not column.is_list]
    states = processes.select(single).take(pa.array(places))
    columns = {path: pa.nulls(rows, flat_type(path)) for path in COLUMNS}
    columns |= {path: states[path] for path in states.column_names} | dict(events)
    pq.write_table(
        pa.table(columns),
        out,
        row_group_size=rows,
        compression="zstd",
        compression_level=3,
        write_statistics=list(STATISTICS_COLUMNS),
        use_dictionary=[path for path in COLUMNS if path not in DELTA_COLUMNS],
        column_encoding=dict.fromkeys(DELTA_COLUMNS, "DELTA_BINARY_PACKED"),
        max_rows_per_page=rows,
        store_schema=False,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
