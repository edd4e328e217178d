"""What is known of containers, for whoever makes columns.

In: the log of look-ups, and states of threads. Out: the id of a thread's container, and the columns
`container.*` and `k8s.*`.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from falcotrace.capture.containers import (
    HOST_COLUMNS,
    Value,
    container_metadata,
    container_values,
)
from falcotrace.events.columns import PROCESS_COLUMNS
from falcotrace.events.control_groups import HOST, container_of
from falcotrace.record.runtimes.container_log import ContainerLogReader, Record
from falcotrace.record.states import State

RUNTIME_COLUMNS: Final = tuple(
    column.path
    for column in PROCESS_COLUMNS
    if column.path.startswith(("container.", "k8s.")) and column.path != "container.id"
)
"""Columns that need what a container runtime knows."""

REMEMBERED: Final = 1 << 14
"""Descriptions beyond which those that no process needs are forgotten."""

_Key = TypeVar("_Key", str, int)
_Value = TypeVar("_Value")

_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


class Containers:
    """What a recording knows of containers.

    Args:
        folder: the recording's folder; None where nothing was looked up.
        wait: waits for look-ups that are under way.
    """

    def __init__(
        self, folder: Path | None = None, wait: Callable[[], object] = lambda: None
    ) -> None:
        self._log = None if folder is None else ContainerLogReader(folder)
        self._wait = wait
        self._by_id: dict[str, Mapping[str, Value]] = {}
        self._by_set: dict[int, str] = {}
        self._of_set: dict[int, Mapping[str, Value]] = {}
        self._unknown: set[str] = set()
        self._filled: set[str] = set()

    def refresh(self) -> None:
        """Take in what was learnt since; what is being looked up is waited for."""
        if self._log is not None:
            self._wait()
            for record in self._log.take():
                self.add(record)

    def id_of(self, state: State) -> str:
        """`container.id` of a thread."""
        found = container_of(state.cgroups)
        return self._by_set.get(state.cgroups_id, HOST) if found == HOST else found

    def columns(self, state: State) -> Mapping[str, Value]:
        """The other columns about its container; those that nobody told are missing."""
        container_id = self.id_of(state)
        if container_id == HOST:
            return HOST_COLUMNS
        columns = self._of_set.get(state.cgroups_id) or self._by_id.get(container_id)
        if columns is None:
            self._note_unknown(container_id)
            return _NOTHING
        return columns

    @property
    def filled(self) -> frozenset[str]:
        """Columns that were told of at least one container."""
        return frozenset(self._filled)

    @property
    def unknown_count(self) -> int:
        """Containers of which no description came."""
        return len(self._unknown)

    @property
    def known_count(self) -> int:
        """Descriptions that are remembered, and sets of control groups of named containers."""
        return len(self._by_id) + len(self._by_set)

    def forget_unused(self, states: Iterable[State]) -> None:
        """Drop descriptions that no process needs, once there are very many.

        The newest stay: the processes that need them may be still to come.
        """
        if self.known_count <= REMEMBERED:
            return
        ids: set[str] = set()
        sets: set[int] = set()
        for state in states:
            ids.add(container_of(state.cgroups))
            sets.add(state.cgroups_id)
        self._by_id = _kept(self._by_id, ids)
        self._of_set = _kept(self._of_set, sets)
        self._by_set = _kept(self._by_set, sets)

    def add(self, record: Record) -> None:
        """Take in what a look-up came to; a later one counts more."""
        columns = _columns(record)
        if record.cgroups_id:
            self._by_set[record.cgroups_id] = record.container_id
        if columns is None or record.container is None:
            self._note_unknown(record.container_id)
            return
        self._filled.update(set(RUNTIME_COLUMNS) - set(record.container.unknown))
        self._unknown.discard(record.container_id)
        if record.cgroups_id:
            self._of_set[record.cgroups_id] = columns
        else:
            self._by_id[record.container_id] = columns

    def _note_unknown(self, container_id: str) -> None:
        if container_id not in self._by_id and len(self._unknown) < REMEMBERED:
            self._unknown.add(container_id)


def _kept(known: Mapping[_Key, _Value], used: set[_Key]) -> dict[_Key, _Value]:
    first = max(0, len(known) - REMEMBERED // 2)
    kept = used.union(islice(known, first, None))
    return {key: known[key] for key in known if key in kept}


def _columns(record: Record) -> Mapping[str, Value] | None:
    """The columns that a description fills; None where there is none."""
    if record.container is None:
        return None
    metadata = container_metadata(msgspec.to_builtins(record.container))
    if metadata is None:
        return None
    # A pod's labels and address are in the description itself: no other container is asked.
    values = metadata.columns
    if not metadata.sandbox_id:
        values = container_values(metadata.container_id, metadata)
    unknown = set(record.container.unknown)
    return MappingProxyType({path: values[path] for path in values if path not in unknown})
