"""Backward from an alert: who started the process, what it ran, who wrote that, what it was told.

In: a process and a time. Out: nodes and edges of what can have led to it, each no later than what
it led to.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from falcotrace.investigate.actions import (
    ACCEPTED,
    MAKING,
    OPENED_TO_WRITE,
    RAN,
    READ,
    RECEIVED,
    SENT,
    TAKING,
    WROTE,
)
from falcotrace.investigate.activities import IP_KINDS, Activities, Activity, Thing
from falcotrace.investigate.graph import GraphBuilder, Side, process_id, seen_as, thing_id
from falcotrace.investigate.noise import is_noise
from falcotrace.investigate.process import Process
from falcotrace.investigate.processes import Processes

TRIGGER_NS = 60 * 10**9
"""What came in over a connection longer ago than that is not taken for what a process acted on."""

_SENDING = frozenset((SENT, WROTE))
_FILES_MAX = 4
"""Files of one process whose writers are looked for, the newest first."""

_WRITERS_MAX = 2


@dataclass(slots=True)
class Causes:
    """Finds causes.

    Attributes:
        processes: of the captures.
        activities: of the same captures.
        builder: takes nodes and edges.
        node_limit: no process is followed when there are so many nodes.
        nodes_max: ancestors and requests may have so many.
        entries: processes that were started by what came in over a connection, and by whom.
    """

    processes: Processes
    activities: Activities
    builder: GraphBuilder
    node_limit: int
    nodes_max: int
    entries: list[Process] = field(default_factory=list)
    _waiting: list[tuple[Process, int]] = field(default_factory=list)
    _followed: set[Process] = field(default_factory=set)

    def find(self, process: Process, time_ns: int) -> None:
        """Add what led to a process being where it was at a time."""
        self._waiting.append((process, time_ns))
        while self._waiting and len(self.builder.nodes) < self.node_limit:
            self._follow(*self._waiting.pop(0))

    def _follow(self, process: Process, time_ns: int) -> None:
        """The line of ancestors of a process, and what each of them was fed."""
        child, moment = process, time_ns
        line = (process, *self.processes.ancestors(process))
        for place, current in enumerate(line):
            if not self._fits(self.nodes_max, process_id(current)):
                return
            self.builder.add_process(current, Side.CAUSE)
            if place:
                self.builder.add_started(current, child)
            if current.is_recorded and self._add_trigger(current, moment) and place:
                self.entries.append(child)
            if current in self._followed:
                return
            self._followed.add(current)
            self._add_files(current, moment)
            child, moment = current, current.start_ns

    def _fits(self, limit: int, *nodes: str) -> bool:
        new = frozenset(nodes) - self.builder.nodes.keys()
        return not new or len(self.builder.nodes) + len(new) <= limit

    def _add_files(self, process: Process, time_ns: int) -> None:
        """What it ran or read before a time, where somebody else had written that."""
        taken = self.activities.of(process, TAKING, made_only=True)
        before = [one for one in taken if one.first_ns <= time_ns]
        for activity, writers in self._made_files(process, before):
            for writer in writers:
                self._add_written(process, activity, writer)
        for activity in before:
            if activity.action == READ and activity.thing.kind == "pipe":
                self._add_pipe(process, activity)

    def _add_trigger(self, process: Process, time_ns: int) -> bool:
        """What came in over a connection before a time; whether it was a request to a server."""
        incoming = self.activities.of(process, (RECEIVED, ACCEPTED))
        trigger = _trigger([one for one in incoming if one.first_ns <= time_ns], time_ns)
        if trigger is None or not self._fits(self.nodes_max, thing_id(seen_as(trigger))):
            return False
        self._add_inward(process, trigger)
        self._add_peer(process, trigger)
        return trigger.is_server

    def _made_files(
        self, process: Process, taken: list[Activity]
    ) -> Iterator[tuple[Activity, list[Activity]]]:
        """What it ran or read and somebody else had written before."""
        seen: set[Thing] = set()
        files = 0
        for activity in sorted(taken, key=lambda one: (one.action != RAN, -one.first_ns)):
            thing = activity.thing
            if thing in seen or thing.kind != "file":
                continue
            seen.add(thing)
            if files == _FILES_MAX:
                return
            if is_noise(thing.kind, thing.name):
                continue
            writers = self._writers(thing, process, activity.last_ns)
            if writers:
                files += 1
                yield activity, writers

    def _writers(self, thing: Thing, reader: Process, time_ns: int) -> list[Activity]:
        """Who made a file what it was at a time, the last ones first."""
        makers = [
            one
            for one in self.activities.about(thing, reader)
            if one.action in MAKING and one.first_ns <= time_ns and one.process != reader.number
        ]
        found = {one.process: one for one in makers if one.action != OPENED_TO_WRITE}
        opened = {one.process: one for one in makers if one.action == OPENED_TO_WRITE}
        last = sorted({**opened, **found}.values(), key=lambda one: -one.first_ns)
        return last[:_WRITERS_MAX]

    def _add_inward(self, process: Process, activity: Activity) -> None:
        self.builder.add_thing(seen_as(activity), Side.CAUSE)
        self.builder.add_activity(process, activity, is_inward=True)

    def _add_written(self, process: Process, taken: Activity, written: Activity) -> None:
        """Say that a process took in what another one had put there."""
        writer = self.processes[written.process]
        things = (thing_id(seen_as(taken)), thing_id(seen_as(written)))
        if not self._fits(self.node_limit, *things, process_id(writer)):
            return
        self._add_inward(process, taken)
        self.builder.add_process(writer, Side.CAUSE)
        self.builder.add_activity(writer, written, is_inward=False)
        self._waiting.append((writer, written.last_ns))

    def _add_pipe(self, process: Process, activity: Activity) -> None:
        """Who wrote into a pipe before it was read; but no output of what it started itself."""
        for one in self.activities.about(activity.thing, process):
            is_writer = one.action == WROTE and one.process != process.number
            if not is_writer or one.first_ns > activity.last_ns:
                continue
            if process not in self.processes[one.process].ancestors:
                self._add_written(process, activity, one)

    def _add_peer(self, process: Process, trigger: Activity) -> None:
        """The other end of a connection, where it is recorded too."""
        for one in self.activities.about(trigger.thing):
            if one.action in _SENDING and one.process != process.number:
                peer = self.processes[one.process]
                fits = self._fits(self.node_limit, process_id(peer))
                if fits and one.is_server != trigger.is_server:
                    self.builder.add_process(peer, Side.CAUSE)
                    self.builder.add_activity(peer, one, is_inward=False, end=seen_as(trigger))
                    return


def _trigger(done: list[Activity], time_ns: int) -> Activity | None:
    """The connection over which something came in last before a time; requests come first."""
    incoming = [one for one in done if one.thing.kind in IP_KINDS]
    near = [one for one in incoming if time_ns - min(one.last_ns, time_ns) <= TRIGGER_NS]
    return max(near, key=lambda one: _nearness(one, time_ns), default=None)


def _nearness(one: Activity, time_ns: int) -> tuple[bool, bool, int, int]:
    return (
        one.is_server,
        one.action == RECEIVED,
        min(one.last_ns, time_ns),
        one.first_ns,
    )
