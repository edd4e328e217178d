"""Looks containers up while they are there: as soon as the kernel names one.

In: batches of samples as they leave the ring. Out: records in the log of containers. A thread of
its own: whoever hands samples over only picks the few sets of control groups out of them, without a
loop, and nobody waits for files or sockets but the conversion, for a time that has a limit.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from falcotrace.capture.footer import User
from falcotrace.events.control_groups import ID_LENGTH
from falcotrace.record.descriptions import control_groups_of
from falcotrace.record.drain import DRAIN_NICENESS
from falcotrace.record.layout import EVENT, HEADER, SampleType
from falcotrace.record.rights import Capability, keep_only
from falcotrace.record.ring import Batch
from falcotrace.record.runtimes.container_log import ContainerLog, Record
from falcotrace.record.runtimes.description import Container
from falcotrace.record.runtimes.folders import StateFolders
from falcotrace.record.runtimes.sighting import Host, Sighting, sighting_of
from falcotrace.record.runtimes.table import Answer, look_up
from falcotrace.record.samples import SampleBlock

FIRST_PAUSE_SECONDS: Final = 0.004
LONGEST_PAUSE_SECONDS: Final = 0.2
"""Between two attempts; each pause is twice the one before."""

FOLDERS_SECONDS: Final = 0.02
"""How often it is looked whether a container has come into a runtime's folder."""

RECENT_SECONDS: Final = 10.0
"""How long a container with a name is remembered that is gone: its samples may come late."""

GLANCE_SECONDS: Final = 0.0005
EARLY_SECONDS: Final = 0.5
"""How often, and how long, it is looked whether a file is there that a runtime is about to write:
runc writes its state when the container's program begins, and removes it when that ends."""

PATIENCE_SECONDS: Final = 2.0
"""How long a container is looked for: processes may be in its group before its files are there."""

WAIT_SECONDS: Final = 4.0
"""How long conversion waits for look-ups at most, should a file system or a daemon hang."""

MOST_PENDING: Final = 1024
"""Containers that are looked up at the same time."""

_KNOWN_LIMIT: Final = 1 << 16
"""Containers of which it is remembered that they were looked up; then all are looked up again."""

assert HEADER.fields is not None
_TYPE_OFFSET: Final = HEADER.fields["type"][1]
_ONLY: Final = {kind: np.zeros(0, np.int64) for kind in SampleType}


@dataclass(slots=True)
class _LookUp:
    """A container that is being looked up.

    Attributes:
        serial: the hand-over that named it; 0: it came into a runtime's folder.
        groups: the control groups of a container that has a name only, once it is described.
        is_shared: whether another set of its groups brought the description.
    """

    sighting: Sighting
    cgroups_id: int
    serial: int
    since: float
    next_at: float
    pause: float = FIRST_PAUSE_SECONDS
    container: Container | None = None
    name: str = ""
    awaited: Path | None = None
    groups: frozenset[str] = frozenset()
    is_shared: bool = False

    def due_at(self, now: float) -> float:
        """When to look again: all the time while a file may come and go quickly."""
        if self.awaited is None or now > self.since + EARLY_SECONDS:
            return self.next_at
        return min(self.next_at, now + GLANCE_SECONDS)

    def is_due(self, now: float) -> bool:
        """Whether to ask the runtimes now."""
        return self.next_at <= now or (self.awaited is not None and self.awaited.exists())


class ContainerWatch:
    """A thread that looks containers up. Use as a context manager.

    Args:
        log: takes what was found.
        host: where runtimes keep what they know.
        ask: asks them.
        rights: what it takes to write to the log's folder.
    """

    def __init__(
        self,
        log: ContainerLog,
        host: Host,
        ask: Callable[[Host, Sighting], Answer] = look_up,
        rights: frozenset[Capability] = frozenset(),
    ) -> None:
        self._rights = rights
        self._log = log
        self._host = host
        self._ask = ask
        self._changed = threading.Condition()
        self._handed: list[tuple[int, SampleBlock]] = []
        self._serial = 0
        self._pending: list[_LookUp] = []
        self._busy: set[int] = set()
        self._known: set[str] = set()
        self._recent: dict[str, _LookUp] = {}
        self._folders = StateFolders(host)
        self._folders_at = 0.0
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="falcotrace-containers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join(WAIT_SECONDS)
        if not self._thread.is_alive():
            self._log.close()

    def see(self, batch: Batch) -> None:
        """Hand samples over; those that name no control groups cost a comparison of lengths."""
        picked = pick_control_groups(batch)
        if picked is None:
            return
        with self._changed:
            self._serial += 1
            self._busy.add(self._serial)
            self._handed.append((self._serial, picked))
            self._changed.notify_all()

    def wait(self, seconds: float = WAIT_SECONDS) -> bool:
        """Wait until what was handed over so far is known or given up; whether it is."""
        with self._changed:
            last = self._serial
            return self._changed.wait_for(
                lambda: not self._busy or min(self._busy) > last or not self._thread.is_alive(),
                seconds,
            )

    def _run(self) -> None:
        # It works little, and what it looks for may be there for milliseconds.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), DRAIN_NICENESS)
        # Runtimes of users without root keep their files in homes.
        keep_only(self._rights | {Capability.DAC_READ_SEARCH})
        while True:
            with self._changed:
                self._changed.wait_for(self._is_called, self._pause())
                handed, self._handed = self._handed, []
                is_last = self._is_over
            for serial, block in handed:
                self._pending.extend(self._new(serial, block))
            now = time.monotonic()
            if now >= self._folders_at:
                self._folders_at = now + FOLDERS_SECONDS
                self._pending += [_LookUp(one, 0, 0, now, now) for one in self._folders.take()]
            self._drop_excess()
            self._try(is_last=is_last)
            self._settle()
            if is_last:
                return

    def _is_called(self) -> bool:
        return self._is_over or bool(self._handed)

    def _pause(self) -> float:
        now = time.monotonic()
        due_at = [one.due_at(now) for one in self._pending]
        return max(0.0, min([self._folders_at, *due_at]) - now)

    def _new(self, serial: int, block: SampleBlock) -> Iterator[_LookUp]:
        """What is not known yet of the containers that some sets name."""
        now = time.monotonic()
        for cgroups_id, groups in control_groups_of(block):
            sighting = sighting_of(groups)
            if sighting.full_id in self._known:
                continue
            if sighting.full_id:
                if len(self._known) >= _KNOWN_LIMIT:
                    self._known.clear()
                self._known.add(sighting.full_id)
            elif not sighting.names:
                continue
            yield _LookUp(sighting, cgroups_id, serial, now, now)

    def _drop_excess(self) -> None:
        """Give up what is more than can be looked up: anybody may make control groups."""
        for one in self._pending[MOST_PENDING:]:
            self._give_up(one, "too many at once")
        del self._pending[MOST_PENDING:]

    def _try(self, *, is_last: bool) -> None:
        waiting: list[_LookUp] = []
        for one in self._pending:
            now = time.monotonic()
            if not is_last and not one.is_due(now):
                waiting.append(one)
                continue
            answer = self._asked(one.sighting)
            one.name, one.awaited = answer.name or one.name, answer.awaited
            if answer.container is not None and answer.container != one.container:
                self._describe(one, answer.container, answer.groups)
            if is_last or answer.is_final or now >= one.since + PATIENCE_SECONDS:
                self._give_up(one, answer.problem)
                continue
            one.next_at = time.monotonic() + one.pause
            one.pause = min(2 * one.pause, LONGEST_PAUSE_SECONDS)
            waiting.append(one)
        self._pending = [one for one in waiting if not one.is_shared]

    def _describe(self, found: _LookUp, container: Container, groups: frozenset[str]) -> None:
        """Keep a description, also for other sets of the same container.

        In version 1 of control groups a process joins one group after another, each a new set, and
        the file may be gone before each of them has been asked for.
        """
        found.container, found.groups = container, groups
        if found.sighting.full_id:
            self._note(found, "")
            return
        self._recent[container.full_id] = found
        if found.serial:
            self._note(found, "")
        for one in self._pending:
            if one.container is None and not groups.isdisjoint(one.sighting.paths):
                one.container, one.is_shared = container, True
                self._note(one, "")

    def _of_recent(self, one: _LookUp) -> Container | None:
        """The container of a name that was described just now: its sets may come late."""
        oldest = time.monotonic() - RECENT_SECONDS
        recent = self._recent.items()
        self._recent = {name: found for name, found in recent if found.since > oldest}
        for _, name in one.sighting.names:
            found = self._recent.get(name)
            if found is not None and not found.groups.isdisjoint(one.sighting.paths):
                return found.container
        return None

    def _asked(self, sighting: Sighting) -> Answer:
        # What is read was written by others: whatever it does to a reader, the recording goes on.
        try:
            return self._ask(self._host, sighting)
        except Exception as error:  # noqa: BLE001
            return Answer(None, True, type(error).__name__)

    def _give_up(self, one: _LookUp, problem: str) -> None:
        """Say that a container was not described; a later set of its groups has it looked up."""
        if one.container is not None or not one.serial:
            return
        one.container = self._of_recent(one)
        self._known.discard(one.sighting.full_id)
        if one.sighting.full_id or one.name or one.container is not None:
            self._note(one, "" if one.container else problem)

    def _note(self, one: _LookUp, problem: str) -> None:
        container, full_id = one.container, one.sighting.full_id
        name = (full_id or one.name)[:ID_LENGTH]
        record = Record(
            container_id=container.container_id if container else name,
            cgroups_id=0 if full_id else one.cgroups_id,
            container=container,
            problem=problem,
        )
        # A disk that is full ends the recording elsewhere; the container stays unknown.
        with suppress(OSError):
            self._log.append(record)

    def _settle(self) -> None:
        """Say which hand-overs have nothing pending any more."""
        with self._changed:
            pending = {one.serial for one in self._pending if one.serial}
            self._busy = pending | {serial for serial, _ in self._handed}
            self._changed.notify_all()


def watch_containers(
    folder: Path, users: Iterable[User], rights: frozenset[Capability] = frozenset()
) -> ContainerWatch:
    """A watch whose log is in a recording's folder.

    Raises:
        OSError: the log cannot be made.
    """
    homes = {user.uid: user.home for user in users}
    return ContainerWatch(ContainerLog(folder), Host(homes=homes), rights=rights)


def pick_control_groups(batch: Batch) -> SampleBlock | None:
    """The sets of control groups among samples, with memory of their own; None if there are none.

    Nearly all samples are plain events, which have one length: the others' types are looked at.
    """
    others = np.flatnonzero(batch.lengths != EVENT.itemsize)
    rest = batch.starts[others]
    found = batch.raw[rest + _TYPE_OFFSET] == SampleType.CGROUPS
    if not found.any():
        return None
    starts, lengths = rest[found], batch.lengths[others[found]].astype(np.int64)
    data = np.concatenate(
        [
            batch.raw[start : start + length]
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        ]
    )
    own_starts = np.cumsum(np.concatenate([np.zeros(1, np.int64), lengths[:-1]]))
    return SampleBlock(data, {**_ONLY, SampleType.CGROUPS: own_starts})
