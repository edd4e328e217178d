"""Forward from a process: what it started, wrote, read and reached, and who used that afterwards.

In: processes to begin with. Out: candidates with a weight each; the graph takes the heaviest ones,
with the way that leads to them.

Weights say what a reader wants to see first, not how bad it is: what an alert is about, what was
changed and stays, where data went, what hardly anybody else reads.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from falcotrace.investigate.actions import (
    ACCEPTED,
    CHANGED,
    CONNECTED,
    CREATED,
    DELETED,
    LINKED,
    LISTENED,
    MOVED_FROM,
    MOVED_TO,
    OPENED,
    OPENED_TO_WRITE,
    RAN,
    READ,
    RECEIVED,
    REDIRECTED,
    SENT,
    SIGNALLED,
    TRACED,
    WROTE,
    Action,
)
from falcotrace.investigate.activities import IP_KINDS, Activities, Activity, Thing
from falcotrace.investigate.noise import is_noise
from falcotrace.investigate.process import Process
from falcotrace.investigate.processes import Processes

_WEIGHTS: Mapping[Action, int] = MappingProxyType(
    {
        TRACED: 80,
        LISTENED: 70,
        CONNECTED: 60,
        REDIRECTED: 58,
        CREATED: 50,
        WROTE: 50,
        MOVED_TO: 50,
        LINKED: 50,
        CHANGED: 45,
        DELETED: 45,
        MOVED_FROM: 40,
        SENT: 40,
        ACCEPTED: 40,
        SIGNALLED: 30,
        OPENED_TO_WRITE: 20,
        RAN: 10,
        RECEIVED: 10,
        READ: 5,
        OPENED: 5,
    }
)

_ALERTED = 100
_NAMED_ADDRESS = 30
_RARE_READERS_MAX = 2
_RARE = 35
"""A file that nobody else reads while it is recorded."""

_STAYS = 25
"""A file that is there when the recording ends."""

_PROCESS = 15
_USERS_MAX = 4
_ROUNDS_MAX = 3
_INWARD = frozenset((RAN, READ, OPENED, RECEIVED, ACCEPTED, MOVED_FROM))
_LOCAL = ("127.", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be drawn.

    Attributes:
        weight: how much a reader wants to see it.
        process: who did it.
        activity: what it did; None for the process itself.
        is_inward: whether the thing led to the process, as who used a file that was written.
    """

    weight: int
    process: Process
    activity: Activity | None = None
    is_inward: bool = False


@dataclass(slots=True)
class Impacts:
    """Finds impacts.

    Attributes:
        processes: of the captures.
        activities: of the same captures.
        alerted: processes and events that alerts are about: numbers of events by process.
        reached: processes that belong to the impact.
    """

    processes: Processes
    activities: Activities
    alerted: Mapping[int, frozenset[int]]
    reached: set[Process] = field(default_factory=set)

    def find(self, begins: Iterable[tuple[Process, int]]) -> list[Candidate]:
        """Candidates from processes on, each from a time on."""
        found: list[Candidate] = []
        waiting = list(begins)
        for _ in range(_ROUNDS_MAX):
            new = [pair for pair in waiting if pair[0] not in self.reached]
            members = list(self._members(new))
            self.reached |= {process for process, _ in members}
            waiting = []
            for process, since_ns in members:
                done = [one for one in self.activities.of(process) if one.last_ns >= since_ns]
                found.append(Candidate(self._process_weight(process), process))
                found += self._candidates(process, done)
                waiting += [
                    (c.process, c.activity.first_ns) for c in self._users(done) if c.activity
                ]
                found += self._users(done)
        return found

    def _members(self, begins: Iterable[tuple[Process, int]]) -> Iterator[tuple[Process, int]]:
        """Processes, and what they started after a time."""
        seen: set[Process] = set()
        for process, since_ns in begins:
            if process.is_recorded and process not in seen:
                seen.add(process)
                yield process, since_ns
            for _, child in self.processes.descendants(process):
                if child.start_ns >= since_ns and child not in seen:
                    seen.add(child)
                    yield child, child.start_ns

    def _candidates(self, process: Process, done: list[Activity]) -> Iterator[Candidate]:
        best: dict[tuple[Thing, bool], Candidate] = {}
        for one in done:
            is_inward = one.action in _INWARD
            if is_noise(one.thing.kind, one.thing.name, is_written=not is_inward):
                continue
            found = Candidate(self._weight(one), process, one, is_inward)
            key = (one.thing, is_inward)
            if key not in best or best[key].weight < found.weight:
                best[key] = found
        yield from best.values()

    def _process_weight(self, process: Process) -> int:
        return _PROCESS + (_ALERTED if process.number in self.alerted else 0)

    def _weight(self, one: Activity) -> int:
        weight = _WEIGHTS[one.action]
        nums = self.alerted.get(one.process, frozenset())
        if any(one.first_num <= num <= one.last_num for num in nums) and one.count < _COMMON:
            weight += _ALERTED if one.first_num in nums or one.last_num in nums else 0
        if one.thing.kind in IP_KINDS and one.remote and not one.remote.startswith(_LOCAL):
            weight += _NAMED_ADDRESS
        if one.action in (READ, OPENED) and one.thing.kind == "file":
            weight += _RARE if self._is_rare(one) else 0
        if one.action in (WROTE, CREATED, MOVED_TO, LINKED):
            weight += _STAYS if self._stays(one) else 0
        return weight

    def _is_rare(self, one: Activity) -> bool:
        """Whether hardly any process but these reads it."""
        readers = {other.process for other in self._others(one)}
        others = {n for n in readers if self.processes[n] not in self.reached}
        return len(others) < _RARE_READERS_MAX

    def _stays(self, one: Activity) -> bool:
        later = self._others(one)
        gone = (DELETED, MOVED_FROM)
        return not any(o.action in gone and o.last_ns >= one.last_ns for o in later)

    def _others(self, one: Activity) -> list[Activity]:
        return self.activities.about(one.thing, self.processes[one.process])

    def _users(self, done: Iterable[Activity]) -> list[Candidate]:
        """Who ran or read what these processes wrote."""
        found: list[Candidate] = []
        for one in done:
            is_made = one.action in (WROTE, CREATED, MOVED_TO, LINKED)
            if not is_made or one.thing.kind not in ("file", "pipe"):
                continue
            if is_noise(one.thing.kind, one.thing.name, is_written=True):
                continue
            users = [
                other
                for other in self._others(one)
                if other.action in (RAN, READ, OPENED)
                and other.last_ns >= one.first_ns
                and self.processes[other.process] not in self.reached
            ]
            for other in users[:_USERS_MAX]:
                process = self.processes[other.process]
                weight = _WEIGHTS[one.action] + (_RARE if other.action == RAN else 0)
                found.append(Candidate(weight, process, other, is_inward=True))
        return found


_COMMON = 1000
"""An activity of so many events says little about any one of them."""
