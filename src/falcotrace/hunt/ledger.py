"""What a hunt has done, written down part by part in a folder.

In: outcomes of files and their alerts. Out: both again, also after an interruption.

    hunt.json            what is asked; another question needs another folder
    lock                 held while a hunt runs
    part-000001.parquet  alerts of some files
    part-000001.json     outcomes of these files; written last, so that it makes the part count

A file that has changed since is read anew, and what it gave before is left out.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from falcotrace.alerts import Alert, FieldValue, Undetermined
from falcotrace.errors import FalcoTraceError

LEDGER_VERSION = 2

NUMS_KEPT = 100
"""So many events for which nobody can say are named for each rule, file and reason."""

ALERT_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("host", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("priority", pa.string()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("source", pa.string()),
        pa.field("num", pa.int64()),
        pa.field("time_ns", pa.int64()),
        pa.field("output", pa.string()),
        pa.field("output_fields", pa.string()),
        pa.field("steps", pa.list_(pa.int64())),
    ]
)
"""Alerts as a table; `output_fields` is JSON, `time_ns` is since the epoch, `steps` are numbers of
the events that led to it."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file.

    Attributes:
        file: its path or URL.
        identity: the same for the same content under the same name.
        status: `hunted`, `pruned` (its footer was enough) or `failed`.
        reason: why it was pruned, or what is wrong with it.
        host: the host that was recorded.
        first_ns: the first event, ns since the epoch.
        last_ns: the last event.
        event_count: events in it.
        asked_counts: events by type, of which rules were asked.
        alert_count: alerts that it gave.
        losses: the loss account in one line; empty where nothing was lost.
        blindness: which processes acted past the system calls; empty without any.
        gaps: rules that could not fully run on it, each with the reason.
        idle_rules: rules that could not run on it at all.
        undetermined: of rules about several events what nobody can say: rule, reason, how many
            events, and `evt.num` of the first of them.
    """

    file: str
    identity: str
    status: str
    reason: str = ""
    host: str = ""
    first_ns: int = 0
    last_ns: int = 0
    event_count: int = 0
    asked_counts: dict[str, int] = msgspec.field(default_factory=dict)
    alert_count: int = 0
    losses: str = ""
    blindness: str = ""
    gaps: list[tuple[str, str]] = msgspec.field(default_factory=list)
    idle_rules: list[str] = msgspec.field(default_factory=list)
    undetermined: list[tuple[str, str, int, list[int]]] = msgspec.field(default_factory=list)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    digest: str


class LedgerPart:
    """Alerts of some files, on their way to disk. Nothing counts before `commit`."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._writer = pq.ParquetWriter(base.with_suffix(".parquet"), ALERT_SCHEMA)
        self.counts: dict[str, int] = {}
        self.undetermined: dict[str, list[Undetermined]] = {}

    def add(self, file: str, alerts: tuple[Alert, ...]) -> None:
        """Write alerts of a file."""
        if alerts:
            self._writer.write_table(_table_of(file, alerts))
            self.counts[file] = self.counts.get(file, 0) + len(alerts)

    def commit(self, outcomes: list[Outcome]) -> None:
        """Make the part count."""
        self._writer.close()
        _sync(self._base.with_suffix(".parquet"))
        _write_whole(self._base.with_suffix(".json"), msgspec.json.encode(outcomes))

    def discard(self) -> None:
        """Forget the part."""
        self._writer.close()
        self._base.with_suffix(".parquet").unlink(missing_ok=True)


class Ledger:
    """The folder of a hunt. A context manager: it is locked until it is left."""

    def __init__(self, folder: Path, digest: str) -> None:
        """Open or begin a ledger.

        Raises:
            FalcoTraceError: the folder belongs to another hunt, is in use, or cannot be written.
        """
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FalcoTraceError(f"{folder}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._check(digest)
            self._parts = self._read_parts()
        except BlockingIOError:
            os.close(self._lock)
            raise FalcoTraceError(f"{folder}: another hunt is at work there") from None
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def begin_part(self) -> LedgerPart:
        """Begin the next part; what an interrupted hunt left of it is overwritten."""
        return LedgerPart(self.folder / f"part-{max(self._parts, default=0) + 1:06}")

    def commit(self, part: LedgerPart, outcomes: list[Outcome]) -> None:
        """Make a part count."""
        part.commit(outcomes)
        self._parts[max(self._parts, default=0) + 1] = outcomes

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What is known of each file: its last outcome."""
        return {one.file: one for outcomes in self._parts.values() for one in outcomes}

    def tables(self, files: frozenset[str]) -> Iterator[pa.Table]:
        """The alerts of some files, each from the part that read it last."""
        newest = {one.file: number for number, outcomes in self._parts.items() for one in outcomes}
        for number in sorted(self._parts):
            current = [f for f, part in newest.items() if part == number and f in files]
            if not current:
                continue
            path = self.folder / f"part-{number:06}.parquet"
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches():
                    table = pa.table(batch)
                    chosen = pc.is_in(table["file"], pa.array(current, pa.string()))
                    yield table.filter(chosen)

    def _check(self, digest: str) -> None:
        path = self.folder / "hunt.json"
        if not path.exists():
            asked = _Asked(version=LEDGER_VERSION, digest=digest)
            _write_whole(path, msgspec.json.encode(asked))
            return
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Asked)
        except (OSError, msgspec.MsgspecError) as error:
            raise FalcoTraceError(f"{path}: is not of a hunt: {error}") from None
        if (found.version, found.digest) != (LEDGER_VERSION, digest):
            raise FalcoTraceError(
                f"{self.folder}: belongs to a hunt with other rules or limits; name another folder"
            )

    def _read_parts(self) -> dict[int, list[Outcome]]:
        parts: dict[int, list[Outcome]] = {}
        for path in sorted(self.folder.glob("part-*.json")):
            try:
                outcomes = msgspec.json.decode(path.read_bytes(), type=list[Outcome])
            except (OSError, msgspec.MsgspecError) as error:
                raise FalcoTraceError(
                    f"{path}: is damaged ({error}); remove it, and its files are read again"
                ) from None
            parts[int(path.stem.removeprefix("part-"))] = outcomes
        return parts


def _table_of(file: str, alerts: tuple[Alert, ...]) -> pa.Table:
    rows = {
        "file": [file] * len(alerts),
        "host": [alert.hostname for alert in alerts],
        "rule": [alert.rule.name for alert in alerts],
        "priority": [alert.priority.title for alert in alerts],
        "tags": [list(alert.tags) for alert in alerts],
        "source": [alert.source for alert in alerts],
        "num": [alert.num for alert in alerts],
        "time_ns": [alert.time_ns for alert in alerts],
        "output": [alert.output for alert in alerts],
        "output_fields": [_encode(alert) for alert in alerts],
        "steps": [list(alert.steps) for alert in alerts],
    }
    return pa.table(rows, schema=ALERT_SCHEMA)


def _encode(alert: Alert) -> str:
    return msgspec.json.encode(dict(alert.output_fields)).decode()


def decode_fields(text: str) -> dict[str, FieldValue]:
    """The output fields of an alert."""
    return msgspec.json.decode(text, type=dict[str, FieldValue])


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    _sync(new)
    new.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
