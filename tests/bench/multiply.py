"""Makes a large capture from small ones, for benches: the same events again, later and elsewhere.

Each copy of the recording is shifted in time, gets other pids, and numbers and temporary names in
its paths, command lines and arguments are rewritten in as many distinct values as the recording
itself would have met anew, so that distinct values grow with the events as they did there.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.footer import Footer
from falcotrace.capture.reader import open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, PATHS, Scope, params_by_name

ROWS_PER_GROUP = 700_000
MAX_SHARE = 0.4
"""No type of event makes up more than this of the result."""

_PIDS = frozenset(
    {"thread.tid", "proc.pid", "proc.ppid", "proc.apid", "proc.sid", "proc.pgid", "proc.vpgid"}
)
_CHANGING = re.compile(r"(?<=/tmp/)[\w.-]+|\b(?=\w*\d)(?=\w*[a-z])\w{8,}\b|\d+")
"""Temporary names (below /tmp, or long with digits in them), and numbers."""
REWRITTEN = frozenset(
    {"fd.name", "fd.nameraw", "fd.path"}
    | {path for path in COLUMNS if path.startswith("fs.path.")}
    | {
        f"evt.{kind}.{name}"
        for name, forms in params_by_name().items()
        if any(form.type in PATHS for form in forms)
        for kind in ("arg", "rawarg")
    }
)
"""Columns whose texts are rewritten; addresses stay, for rules know some of them."""


@dataclass(frozen=True)
class Sample:
    """All events of some captures in memory: columns that hold anything, and process states."""

    events: Mapping[str, pa.Array]
    processes: pa.Table

    @property
    def rows(self) -> int:
        """Number of events."""
        return len(self.events["evt.num"])


def load_sample(paths: Sequence[Path]) -> Sample:
    """Read captures, one after another, and thin out types of events above `MAX_SHARE`."""
    wanted = [p for p, c in COLUMNS.items() if c.scope is not Scope.PROCESS]
    parts: list[dict[str, pa.Array]] = []
    tables: list[pa.Table] = []
    key_offset = 0
    for path in paths:
        with open_capture(path) as capture:
            for group in capture.row_groups:
                part = capture.read(group.index, wanted)
                keys = part["proc.key"].to_numpy(zero_copy_only=False)
                table = capture.processes(group.index)
                part["proc.key"] = pa.array(keys + key_offset)
                shifted = pa.array(table["proc.key"].to_numpy() + key_offset)
                tables.append(table.set_column(0, "proc.key", shifted))
                key_offset += int(keys.max()) + 1
                parts.append(part)
    events = {path: pa.chunked_array([part[path] for part in parts]) for path in wanted}
    events = {
        path: _combined(column)
        for path, column in events.items()
        if column.null_count < len(column)
    }
    processes = pa.concat_tables(tables, promote_options="default").unify_dictionaries()
    return Sample(_thin_out(events), processes.combine_chunks())


def _combined(column: pa.ChunkedArray) -> pa.Array:
    combined = column.unify_dictionaries().combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _thin_out(events: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    codes = events["evt.type"].indices.to_numpy()
    counts = np.bincount(codes)
    keep = np.ones(len(codes), bool)
    for code in np.flatnonzero(counts > MAX_SHARE * len(codes)):
        others = len(codes) - counts[code]
        allowed = int(others * MAX_SHARE / (1 - MAX_SHARE))
        keep[np.flatnonzero(codes == code)[allowed:]] = False
    rows = pa.array(np.flatnonzero(keep))
    return {path: array.take(rows) for path, array in events.items()}


def distinct_per_million(paths: Sequence[Path]) -> dict[str, float]:
    """For each text column, how many values the second half of the events adds, per million."""
    growth = {}
    for path in (name for name, column in COLUMNS.items() if column.type == "string"):
        codes = _codes_in_order(paths, path)
        if codes is not None:
            half = len(codes) // 2
            new = np.setdiff1d(codes[half:], codes[:half])
            growth[path] = len(new) / max(len(codes) - half, 1) * 1e6
    return growth


def _codes_in_order(paths: Sequence[Path], column: str) -> "np.typing.NDArray[np.int32] | None":
    """A column of all events in the order of the file, equal texts with equal numbers."""
    numbers: dict[str | None, int] = {}
    parts = []
    for path in paths:
        with open_capture(path) as capture:
            if COLUMNS[column].scope is Scope.PROCESS or column in capture.unrecorded:
                return None
            for group in capture.row_groups:
                array = capture.read(group.index, [column])[column]
                texts = [*array.dictionary.to_pylist(), None]
                table = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
                codes = array.indices.fill_null(-1).to_numpy()
                parts.append(table.astype(np.int32)[codes])
    return np.concatenate(parts)


def describe_growth(before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """Print how the columns that grow most grew in the recordings, and grow in the result."""
    print("new distinct values per million events:   recorded      made")
    for path in sorted(before, key=lambda path: -before[path]):
        if path in REWRITTEN:
            print(f"  {path:38} {before[path]:>10,.0f} {after.get(path, 0):>10,.0f}")


def write_copies(
    sample: Sample, growth: Mapping[str, float], out: Path, events: int, *, every_path_new: bool
) -> None:
    """Write a capture of at least so many events.

    Args:
        sample: what is repeated.
        growth: what `distinct_per_million` says about it.
        out: the file; replaced.
        events: how many events at least.
        every_path_new: rewrite every path of every event, for the worst case.
    """
    with CaptureWriter(out, overwrite=True) as writer:
        pending: list[tuple[dict[str, pa.Array], pa.Table]] = []
        for number in range(-(-events // sample.rows)):
            copied, table = _copy(sample, number, growth, every_path_new=every_path_new)
            for start in range(0, sample.rows, ROWS_PER_GROUP):
                part = {path: array.slice(start, ROWS_PER_GROUP) for path, array in copied.items()}
                pending.append((part, table))
                if sum(len(part["evt.num"]) for part, _ in pending) >= ROWS_PER_GROUP // 2:
                    _write(writer, pending)
                    pending = []
        if pending:
            _write(writer, pending)
        writer.close(Footer())


def _write(writer: CaptureWriter, pending: Sequence[tuple[dict[str, pa.Array], pa.Table]]) -> None:
    paths = pending[0][0].keys()
    events = {
        path: _combined(pa.chunked_array([part[path] for part, _ in pending])) for path in paths
    }
    tables = list({id(table): table for _, table in pending}.values())
    writer.write_row_group(events, pa.concat_tables(tables).unify_dictionaries().combine_chunks())


def _copy(
    sample: Sample, number: int, growth: Mapping[str, float], *, every_path_new: bool
) -> tuple[dict[str, pa.Array], pa.Table]:
    """One copy of the sample: later, with other pids and some other texts."""
    times = sample.events["evt.time"].to_numpy()
    span = int(times.max() - times.min()) + 1
    shifts = {
        "evt.num": number * sample.rows,
        "evt.time": number * span,
        "proc.key": number * (sample.processes.num_rows + 1_000_000),
    }
    columns = {}
    for path, array in sample.events.items():
        if path == "evt.num":
            columns[path] = pa.array(np.arange(sample.rows) + shifts[path] + 1)
        elif path in shifts:
            columns[path] = pa.array(array.to_numpy() + shifts[path])
        elif path in _PIDS:
            columns[path] = _shift(array, number * 32_768)
        elif path in REWRITTEN and pa.types.is_dictionary(array.type):
            share = growth[path] * sample.rows / 1e6 / max(len(array.dictionary), 1)
            new = every_path_new
            columns[path] = _all_new(array, number) if new else _rewrite(array, number, share)
        else:
            columns[path] = array
    return columns, _copy_processes(sample.processes, number, shifts["proc.key"])


def _copy_processes(table: pa.Table, number: int, key_shift: int) -> pa.Table:
    columns = {}
    for path in table.column_names:
        array = _combined(table[path])
        if path == "proc.key":
            array = pa.array(array.to_numpy() + key_shift)
        elif path in _PIDS and not pa.types.is_list(array.type):
            array = _shift(array, number * 32_768)
        elif path == "proc.cmdline" and pa.types.is_dictionary(array.type):
            array = _rewrite(array, number, 1.0)
        columns[path] = array
    return pa.table(columns)


def _shift(array: pa.Array, by: int) -> pa.Array:
    values = array.fill_null(0).to_numpy(zero_copy_only=False) + by
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.array(values, array.type, mask=mask)


def _rewrite(array: pa.DictionaryArray, number: int, share: float) -> pa.DictionaryArray:
    """Rewrite a share of the distinct texts that have something to rewrite."""
    if number == 0 or share <= 0:
        return array
    limit = int(min(share, 1.0) * 0xFFFF_FFFF)
    values = [
        text
        if text is None or zlib.crc32(text.encode()) > limit
        else _CHANGING.sub(lambda match: _other(match.group(), number), text)
        for text in array.dictionary.to_pylist()
    ]
    return _with_values(array, values)


def _other(text: str, number: int) -> str:
    if text.isdigit():
        return str(int(text) + number)
    return f"{text[:2]}{zlib.crc32(text.encode()) ^ (number * 2654435761) & 0xFFFFFFFF:08x}"


def _with_values(array: pa.DictionaryArray, values: Sequence[str | None]) -> pa.DictionaryArray:
    renewed = pa.array(values, pa.string()).dictionary_encode()
    codes = pa.array(renewed.indices).take(array.indices)
    return pa.DictionaryArray.from_arrays(codes, renewed.dictionary)


def _all_new(array: pa.DictionaryArray, number: int) -> pa.DictionaryArray:
    """Give every row a text of its own, with the old one as its beginning."""
    texts = array.cast(pa.string())
    rows = pa.array(np.arange(len(array)) + number * len(array)).cast(pa.string())
    joined = pc.binary_join_element_wise(texts, rows, ".")
    return joined.dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string()))
