"""What the real Falco printed about the captures in the shared folder, as columns and alerts.

In: the folder `oracle` of the reference material. Out: for each capture the rule sets that Falco
ran on it, its alerts, and its events as one column for each field. Nothing is compared here.
"""

import gzip
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

EVENTS = "events"
"""The name under which the comparison of fields stands beside those of rule sets."""

OPS = "ops"
"""Rules that each test one operator, field or transformer."""

JsonValue = str | int | float | bool | None
Codes = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ValueColumn:
    """One value for each event: a code, and what the codes stand for."""

    codes: Codes
    values: Sequence[JsonValue]


@dataclass(frozen=True, slots=True, eq=False)
class PrintedEvents:
    """Every event that Falco showed to its rules, as it rendered their fields.

    Attributes:
        nums: `evt.num`, ascending.
        table: a dictionary column of JSON texts for each field.
    """

    nums: Integers
    table: pa.Table

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that Falco printed, in its order."""
        return tuple(self.table.column_names)

    def column(self, field: str) -> ValueColumn:
        """What Falco printed for one field."""
        (array,) = self.table[field].chunks
        texts = array.dictionary.to_pylist()
        return ValueColumn(array.indices.to_numpy(), [msgspec.json.decode(text) for text in texts])


def oracle_folder() -> Path:
    """Where the captures and what Falco printed about them lie."""
    beside = Path(__file__).parents[3] / "shared"
    return Path(os.environ.get("FALCOTRACE_SHARED", beside)) / "oracle"


def capture_names(oracle: Path) -> tuple[str, ...]:
    """The captures that Falco printed something about, the small ones first."""
    sizes = {path.name.split(".")[0]: path.stat().st_size for path in _captures(oracle)}
    return tuple(sorted(sizes, key=lambda name: (sizes[name], name)))


def capture_path(oracle: Path, name: str) -> Path:
    """The .scap file of a capture."""
    (path,) = (path for path in _captures(oracle) if path.name.split(".")[0] == name)
    return path


def _captures(oracle: Path) -> list[Path]:
    return sorted((oracle / "captures").glob("*.scap*"))


def expected_sets(oracle: Path, capture: str) -> tuple[str, ...]:
    """What can be compared for a capture: names of rule sets, and `EVENTS`."""
    found = (oracle / "expected").glob(f"{capture}.*.gz")
    return tuple(sorted({path.name.split(".")[1].removesuffix("_events") for path in found}))


def expected_alerts(oracle: Path, capture: str, rule_set: str) -> list[dict[str, Any]] | None:
    """Falco's alerts; None where only the numbers of the events are known."""
    path = oracle / "expected" / f"{capture}.{rule_set}.jsonl.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def expected_numbers(oracle: Path, capture: str) -> dict[str, list[int]]:
    """For each rule of `OPS` the numbers of the events that it fired on."""
    with gzip.open(oracle / "expected" / f"{capture}.ops_events.json.gz") as file:
        numbers: dict[str, list[int]] = json.load(file)
    return numbers


def printed_events(oracle: Path, capture: str) -> PrintedEvents:
    """The events of a capture; what was read once lies in a folder for temporary files."""
    source = oracle / "expected" / f"{capture}.events.jsonl.gz"
    state = source.stat()
    folder = Path(tempfile.gettempdir()) / f"falcotrace-oracle-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / f"{capture}-{state.st_mtime_ns}-{state.st_size}.arrow"
    if not kept.exists():
        _keep(_read_events(source), kept)
    with pa.memory_map(str(kept)) as file:
        table = pa.ipc.open_file(file).read_all()
    nums = _numbers(table["evt.num"].chunk(0))
    return PrintedEvents(nums, table)


def _numbers(array: pa.DictionaryArray) -> Integers:
    values = np.array([int(text) for text in array.dictionary.to_pylist()], np.int64)
    numbers: Integers = values[array.indices.to_numpy()]
    return numbers


def _read_events(source: Path) -> pa.Table:
    """A dictionary of JSON texts for each field; equal values have equal texts."""
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    with gzip.open(source) as file:
        rows = [decoder.decode(line) for line in file]
    columns = {}
    for field in rows[0] if rows else ():
        texts: dict[bytes, int] = {}
        codes = [texts.setdefault(bytes(row[field]), len(texts)) for row in rows]
        columns[field] = pa.DictionaryArray.from_arrays(
            pa.array(codes, pa.int32()), pa.array([text.decode() for text in texts], pa.string())
        )
    return pa.table(columns)


def _keep(table: pa.Table, path: Path) -> None:
    """Write under another name first: several test runs may do the same at once."""
    partial = path.with_suffix(f".{os.getpid()}")
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    partial.replace(path)
