"""Makes a large capture from small ones, for benches: the same events again, later and elsewhere.

Each copy of a recording is shifted in time and gets other pids, and numbers and temporary names in
its paths and command lines are rewritten into as many distinct values as the recording itself
would have met anew, so that distinct values grow with the events as they did there. Row groups stay
as the recorder made them; one is in memory at a time.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.footer import Footer
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, PATHS, Scope, params_by_name

MAX_SHARE = 0.4
"""No type of event makes up more than this of the result."""

_PIDS = frozenset(
    {"thread.tid", "proc.pid", "proc.ppid", "proc.sid", "proc.pgid", "proc.vpgid", "proc.vpid"}
)
_PIDS_OF_A_COPY = 32_768
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


def distinct_per_million(paths: Sequence[Path]) -> dict[str, float]:
    """For each column of paths, how many values the second half of the events adds, per million."""
    growth = {}
    for path in sorted(REWRITTEN & COLUMNS.keys()):
        codes = _codes_in_order(paths, path)
        half = len(codes) // 2
        new = np.setdiff1d(codes[half:], codes[:half])
        growth[path] = len(new) / max(len(codes) - half, 1) * 1e6
    return growth


def _codes_in_order(paths: Sequence[Path], column: str) -> "np.typing.NDArray[np.int32]":
    """A column of all events in the order of the file, equal texts with equal numbers."""
    numbers: dict[str | None, int] = {}
    parts = []
    for path in paths:
        with open_capture(path) as capture:
            for group in capture.row_groups:
                array = capture.read(group.index, [column])[column]
                texts = [*array.dictionary.to_pylist(), None]
                table = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
                codes = array.indices.fill_null(-1).to_numpy()
                parts.append(table.astype(np.int32)[codes])
    return np.concatenate(parts)


def describe_growth(before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """Print how the columns grew in the recordings, and grow in the result."""
    print("new distinct values per million events:   recorded       made")
    for path in sorted(before, key=lambda path: -before[path]):
        if before[path]:
            print(f"  {path:38} {before[path]:>10,.0f} {after.get(path, 0):>10,.0f}")


def write_copies(
    sources: Sequence[Path],
    growth: Mapping[str, float],
    out: Path,
    events: int,
    *,
    every_path_new: bool,
) -> None:
    """Write a capture of at least so many events.

    Args:
        sources: the recordings that are repeated.
        growth: what `distinct_per_million` says about them.
        out: the file; replaced.
        events: how many events at least.
        every_path_new: give every event paths that no other event has, for the worst case.
    """
    written = 0
    owed = dict.fromkeys(growth, 0.0)
    with CaptureWriter(out, overwrite=True) as writer:
        for step, (number, capture, group) in enumerate(_groups_again_and_again(sources)):
            renewal = step if number else 0
            columns = _read(capture, group)
            count = len(columns["evt.num"])
            span = capture.row_groups[-1].last_time_ns - capture.row_groups[0].first_time_ns
            columns["evt.num"] = pa.array(np.arange(count) + written + 1)
            columns["evt.time"] = pa.array(columns["evt.time"].to_numpy() + number * (span + 1))
            for path in columns.keys() & REWRITTEN:
                if every_path_new:
                    columns[path] = _all_new(columns[path], written)
                else:
                    owed[path] += growth[path] * count / 1e6
                    columns[path], renewed = _renew(columns[path], renewal, owed[path])
                    owed[path] -= renewed
            for path in columns.keys() & _PIDS:
                columns[path] = _shift(columns[path], number * _PIDS_OF_A_COPY)
            writer.write_row_group(columns, _copy_processes(capture.process_table(group), number))
            written += count
            if written >= events:
                break
        writer.close(Footer())


def _groups_again_and_again(sources: Sequence[Path]) -> Iterator[tuple[int, Capture, int]]:
    number = 0
    while True:
        for source in sources:
            with open_capture(source) as capture:
                for group in capture.row_groups:
                    yield number, capture, group.index
        number += 1


def _read(capture: Capture, group: int) -> dict[str, pa.Array]:
    """All event columns that hold anything; types of events above `MAX_SHARE` are thinned out."""
    wanted = [path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS]
    read = capture.read(group, wanted)
    columns = {path: array for path, array in read.items() if array.null_count < len(array)}
    codes = columns["evt.type"].indices.to_numpy()
    counts = np.bincount(codes)
    keep = np.ones(len(codes), bool)
    for code in np.flatnonzero(counts > MAX_SHARE * len(codes)):
        allowed = int((len(codes) - counts[code]) * MAX_SHARE / (1 - MAX_SHARE))
        keep[np.flatnonzero(codes == code)[allowed:]] = False
    if keep.all():
        return columns
    rows = pa.array(np.flatnonzero(keep))
    return {path: array.take(rows) for path, array in columns.items()}


def _copy_processes(table: pa.Table, number: int) -> pa.Table:
    columns = {}
    for path in table.column_names:
        array = pa.concat_arrays(table[path].chunks)
        if path in _PIDS:
            array = _shift(array, number * _PIDS_OF_A_COPY)
        elif path == "proc.cmdline":
            array = _rewrite(array.dictionary_encode(), number, 1.0).cast(pa.string())
        columns[path] = array
    return pa.table(columns)


def _shift(array: pa.Array, by: int) -> pa.Array:
    values = array.fill_null(0).to_numpy(zero_copy_only=False) + by
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.array(values, array.type, mask=mask)


def _renew(
    array: pa.DictionaryArray, number: int, wanted: float
) -> tuple[pa.DictionaryArray, float]:
    """Rewrite as many of the distinct texts as are wanted, or all that can be; and how many.

    `number` 0 stands for the recording itself; texts rewritten with different numbers differ.
    """
    if number == 0:
        return array, wanted
    changing = sum(_is_changing(text) for text in array.dictionary.to_pylist())
    return _rewrite(array, number, wanted / max(changing, 1)), min(wanted, changing)


def _rewrite(array: pa.DictionaryArray, number: int, share: float) -> pa.DictionaryArray:
    """Rewrite a share of the distinct texts, the same ones in every column."""
    if number == 0:
        return array
    limit = int(min(share, 1.0) * 0xFFFF_FFFF)
    values = [
        _CHANGING.sub(lambda match: _other(match.group(), number), text)
        if text is not None and zlib.crc32(text.encode()) <= limit
        else text
        for text in array.dictionary.to_pylist()
    ]
    renewed = pa.array(values, pa.string()).dictionary_encode()
    codes = pa.array(renewed.indices).take(array.indices)
    return pa.DictionaryArray.from_arrays(codes, renewed.dictionary)


def _is_changing(text: str | None) -> bool:
    return text is not None and _CHANGING.search(text) is not None


def _other(text: str, number: int) -> str:
    if text.isdigit():
        return f"{text}{number:04}"
    return f"{text[:2]}{zlib.crc32(text.encode()):08x}{number:04}"


def _all_new(array: pa.DictionaryArray, first: int) -> pa.DictionaryArray:
    """Give every row a text of its own, with the old one as its beginning."""
    texts = array.cast(pa.string())
    rows = pa.array(np.arange(len(array)) + first).cast(pa.string())
    joined = pc.binary_join_element_wise(texts, rows, ".")
    return joined.dictionary_encode()
