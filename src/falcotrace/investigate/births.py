"""Who started whom, as the events of forks say it.

In: captures, states of processes. Out: for each process the event in which its parent learnt of it.

A process that has forked and ends at once is gone before the child does anything: in all states of
the child its parent is whoever inherited it. The parent's own event knows better.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.investigate.process_states import ProcessStates


@dataclass(frozen=True, slots=True)
class Birth:
    """A fork, seen from the parent.

    Attributes:
        parent: number of the process that forked.
        capture: number of the capture.
        num: `evt.num` of the event in which its call returned.
        time_ns: when, ns since the epoch.
    """

    parent: int
    capture: int
    num: int
    time_ns: int


_FORKS = """
    SELECT proc.key, evt.rawres, evt.num, evt.time FROM events
    WHERE evt.type IN ('clone', 'clone3', 'fork', 'vfork') AND evt.rawres > 0
    ORDER BY evt.num
"""


def read_births(
    captures: Sequence[Capture], states: ProcessStates, numbers: Sequence[Mapping[int, int]]
) -> dict[int, Birth]:
    """Births by the number of the process that was born.

    Args:
        captures: in order of time.
        states: of their processes.
        numbers: by capture, numbers of processes by `proc.key`.

    Raises:
        CaptureError: a capture is damaged.
    """
    lives = _lives(states)
    spaces = _spaces(states)
    found: dict[int, Birth] = {}
    for capture, opened in enumerate(captures):
        connection = connect_captures([opened], DatabaseOptions(is_confined=False))
        for key, vpid, num, time_ns in connection.sql(_FORKS).fetchall():
            parent = numbers[capture][key]
            candidates = lives.get((spaces[parent], vpid), ())
            place = bisect_right(candidates, (time_ns, len(states.firsts)))
            if place and candidates[place - 1][1] != parent:
                child = candidates[place - 1][1]
                found.setdefault(child, Birth(parent, capture, num, time_ns))
    return found


def _spaces(states: ProcessStates) -> list[int]:
    """By process, its pid namespace."""
    spaces: list[int] = states.pidns[states.firsts].tolist()
    return spaces


def _lives(states: ProcessStates) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """By pid namespace and pid in it: starts and numbers of processes, in order."""
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    firsts = states.firsts
    columns = (states.pidns[firsts], states.vpid[firsts], states.start_ns[firsts])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for number, (space, vpid, start_ns) in enumerate(rows):
        if start_ns > 0:
            found.setdefault((space, vpid), []).append((start_ns, number))
    for lives in found.values():
        lives.sort()
    return found
