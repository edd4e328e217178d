"""Forward from a process: what it started, wrote, read and reached, and who used that afterwards.

In: processes to begin with. Out: candidates with a weight each; the graph takes the heaviest ones,
with the way that leads to them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from falcotrace.investigate.actions import (
    ACCEPTED,
    ACTIONS,
    CREATED,
    LINKED,
    MOVED_FROM,
    MOVED_TO,
    OPENED,
    RAN,
    READ,
    RECEIVED,
    TAKING,
    WROTE,
)
from falcotrace.investigate.activities import Activities, Activity, Thing
from falcotrace.investigate.graph import seen_as
from falcotrace.investigate.noise import is_noise
from falcotrace.investigate.process import Process
from falcotrace.investigate.processes import Processes
from falcotrace.investigate.weights import (
    ALERTED_WEIGHT,
    PROCESS_WEIGHT,
    RARE_WEIGHT,
    WEIGHTS,
    weigh,
)

_USERS_MAX = 4
_WEIGHT_MIN = 15
"""What is lighter is not drawn, even where there is room."""

_ROUNDS_MAX = 3
_READS_MAX = 2_000
_OTHERS = tuple(action for action in ACTIONS.values() if action not in (READ, OPENED))
_INWARD = frozenset((RAN, READ, OPENED, RECEIVED, ACCEPTED, MOVED_FROM))
_KEEPING = (WROTE, CREATED, MOVED_TO, LINKED)


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


@dataclass(frozen=True, slots=True)
class _Begin:
    """A process from which to go on.

    Attributes:
        process: the process.
        since_ns: from when on, ns since the epoch.
        is_reader: it belongs to somebody else, and has only read what was written: of what it
            starts, only what takes such a file too goes on.
    """

    process: Process
    since_ns: int
    is_reader: bool = False


@dataclass(slots=True)
class Impacts:
    """Finds impacts.

    Attributes:
        processes: of the captures.
        activities: of the same captures.
        alerted: numbers of events that alerts are about, by process.
        alike: by process, how many that its parent started alike it stands for.
    """

    processes: Processes
    activities: Activities
    alerted: Mapping[int, frozenset[int]]
    alike: Counter[Process] = field(default_factory=Counter)
    _reached: set[int] = field(default_factory=set)
    _made: set[Thing] = field(default_factory=set)
    _first_alike: dict[tuple[Process | None, str], Process] = field(default_factory=dict)
    _stands_for: dict[Process, Process] = field(default_factory=dict)

    def find(self, begins: Iterable[tuple[Process, int]]) -> list[Candidate]:
        """Candidates from processes on, each from a time on."""
        found: list[Candidate] = []
        waiting = [_Begin(process, since_ns) for process, since_ns in begins]
        for _ in range(_ROUNDS_MAX):
            new = [begin for begin in waiting if begin.process.number not in self._reached]
            members = list(self._members(new))
            self._reached |= {process.number for process, _, _ in members}
            waiting = []
            for process, since_ns, is_reader in members:
                done = [one for one in self._done(process) if one.last_ns >= since_ns]
                self._made |= {one.thing for one in done if one.action in _KEEPING}
                users = list(self._users(done))
                waiting += [_begin_of(user) for user in users]
                self.alike[self._first(process)] += 1
                if self._is_shown(process):
                    found.append(Candidate(self._process_weight(process), process))
                    own = self._candidates(process, done)
                    # What somebody else takes in besides is not of the impact.
                    found += [one for one in own if not (is_reader and one.is_inward)]
                    found += users
        return [one for one in found if one.weight >= _WEIGHT_MIN and self._is_shown(one.process)]

    def _is_shown(self, process: Process) -> bool:
        return self._first(process) == process or process.number in self.alerted

    def _done(self, process: Process) -> tuple[Activity, ...]:
        """What a process did; not every one of very many files that it read."""
        return (
            *self.activities.of(process, _OTHERS),
            *self.activities.of(process, (READ, OPENED), limit=_READS_MAX),
        )

    def _members(self, begins: Iterable[_Begin]) -> Iterator[tuple[Process, int, bool]]:
        """Processes, and what they started after a time; and whether they have only read."""
        seen: set[Process] = set()
        for begin in begins:
            if begin.process.is_recorded and begin.process not in seen:
                seen.add(begin.process)
                yield begin.process, begin.since_ns, begin.is_reader
            below = [
                child
                for _, child in self.processes.descendants(begin.process)
                if child.start_ns >= begin.since_ns
            ]
            for child in self._takers(below) if begin.is_reader else below:
                if child not in seen:
                    seen.add(child)
                    yield child, child.start_ns, False

    def _takers(self, below: Iterable[Process]) -> Iterator[Process]:
        """Processes that take what was made, and what these start."""
        taking: set[Process] = set()
        for child in below:
            taken = self.activities.of(child, TAKING, made_only=True)
            if child.parent in taking or any(one.thing in self._made for one in taken):
                taking.add(child)
                yield child

    def _first(self, process: Process) -> Process:
        """The first of those that the same parent, or one like it, started alike."""
        found: Process | None = None
        # From the eldest down: a damaged capture may have a process among its own ancestors.
        for one in (*reversed(process.ancestors), process):
            known = self._stands_for.get(one)
            if known is None:
                known = self._first_alike.setdefault((found, one.label), one)
                self._stands_for[one] = known
            found = known
        assert found is not None
        return found

    def _candidates(self, process: Process, done: list[Activity]) -> Iterator[Candidate]:
        best: dict[tuple[Thing, bool], Candidate] = {}
        alerted = self.alerted.get(process.number, frozenset())
        for one in done:
            is_inward = one.action in _INWARD
            if is_noise(one.thing.kind, one.thing.name, is_written=not is_inward):
                continue
            weight = weigh(one, self.activities, alerted, self._reached.__contains__)
            found = Candidate(weight, process, one, is_inward)
            key = (seen_as(one), is_inward)
            if key not in best or best[key].weight < found.weight:
                best[key] = found
        yield from best.values()

    def _process_weight(self, process: Process) -> int:
        return PROCESS_WEIGHT + (ALERTED_WEIGHT if process.number in self.alerted else 0)

    def _users(self, done: Iterable[Activity]) -> Iterator[Candidate]:
        """Who ran or read what a process wrote: the strongest use of each."""
        for one in done:
            is_quiet = is_noise(one.thing.kind, one.thing.name, is_written=True)
            if one.action not in _KEEPING or one.thing.kind not in ("file", "pipe") or is_quiet:
                continue
            used: dict[int, Activity] = {}
            for other in self.activities.about(one.thing, self.processes[one.process]):
                is_later = other.last_ns >= one.first_ns and other.process not in self._reached
                if other.action in TAKING and is_later:
                    best = used.get(other.process)
                    if best is None or WEIGHTS[best.action] < WEIGHTS[other.action]:
                        used[other.process] = other
            for use in list(used.values())[:_USERS_MAX]:
                weight = WEIGHTS[one.action] + (RARE_WEIGHT if use.action == RAN else 0)
                yield Candidate(weight, self.processes[use.process], use, is_inward=True)


def _begin_of(user: Candidate) -> _Begin:
    assert user.activity is not None
    return _Begin(user.process, user.activity.first_ns, user.activity.action != RAN)
