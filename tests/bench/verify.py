"""What the hash chain costs: writing with it, and verifying beside just reading the file.

python tests/bench/verify.py CAPTURE [MIB]: row groups of the capture, over and over, make a file of
so many MiB; figures are the least of five runs.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from falcotrace.capture.encoding import EncodedRowGroup, encode_row_group
from falcotrace.capture.footer import Footer
from falcotrace.capture.reader import open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, Scope
from falcotrace.evidence.verify import verify_capture

RUNS = 5
EVENT_COLUMNS = tuple(path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS)


def least_s(work: Callable[[], object]) -> float:
    """The shortest of some runs, in seconds."""
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def row_groups(path: Path) -> tuple[list[EncodedRowGroup], float]:
    """The row groups of a capture, encoded, and how long that took."""
    found = []
    spent = 0.0
    with open_capture(path) as capture:
        for group in capture.row_groups:
            columns = capture.read(group.index, EVENT_COLUMNS)
            events = {name: one for name, one in columns.items() if one.null_count < len(one)}
            processes = capture.process_table(group.index)
            began = time.perf_counter()
            found.append(encode_row_group(events, processes))
            spent += time.perf_counter() - began
    return found, spent


def digest(groups: list[EncodedRowGroup]) -> None:
    """What the writer does for the chain."""
    for group in groups:
        found = sha256()
        for chunk in group.chunks:
            for part in chunk.parts:
                found.update(part)
        found.update(group.processes)


def read(path: Path) -> None:
    """Read a file from front to back."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def main(source: Path, size_mib: int) -> None:
    """Print the figures."""
    groups, encoding_s = row_groups(source)
    events = sum(group.row_count for group in groups)
    digest_s = least_s(lambda: digest(groups))
    each_ns = digest_s / events * 1e9
    print(f"digests: {each_ns:.1f} ns an event, {digest_s / encoding_s:.2%} of encoding")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.parquet"
        with CaptureWriter(path) as writer:
            while writer.bytes_written < size_mib << 20:
                for group in groups:
                    writer.append(group)
            writer.close(Footer())
        reading_s = least_s(lambda: read(path))
        one_s = least_s(lambda: verify_capture(path, threads=1))
        all_s = least_s(lambda: verify_capture(path))
    for name, seconds in (("read", reading_s), ("1 thread", one_s), ("all cores", all_s)):
        print(f"{name}: {size_mib / seconds:,.0f} MiB/s, {seconds / reading_s:.2f} of reading")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1024)
