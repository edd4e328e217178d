"""How much a reader wants to see something, as numbers: one table, and what adds to it.

Weights do not say how bad something is: what an alert is about, what was changed and stays, where
data went and what hardly anybody else reads comes first.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from falcotrace.investigate.actions import (
    ACCEPTED,
    CHANGED,
    CONNECTED,
    CREATED,
    DELETED,
    LINKED,
    LISTENED,
    MAKING,
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
from falcotrace.investigate.activities import Activities, Activity, Thing

WEIGHTS: Mapping[Action, int] = MappingProxyType(
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

ALERTED_WEIGHT = 100
_NAMED_ADDRESS = 30
_RARE_READERS_MAX = 2
RARE_WEIGHT = 35
"""A file that nobody else reads while it is recorded."""

_STAYS = 25
"""A file that is there when the recording ends."""

PROCESS_WEIGHT = 15
_MADE = 40
"""A program that was written while it was recorded."""

_PIPE = 50
"""Shells have pipes to what they start; those between strangers are followed all the same."""

_RESOLVER = ":53"
_IPS = ("ipv4", "ipv6")
_LOCAL = ("127.", "[::1]", "::1")
_COMMON = 1000
"""An activity of so many events says little about any one of them."""


def weigh(
    one: Activity,
    activities: Activities,
    alerted: frozenset[int],
    is_reached: Callable[[int], bool],
) -> int:
    """Weigh an activity.

    Args:
        one: the activity.
        activities: all of them.
        alerted: numbers of the process's events that alerts are about.
        is_reached: whether the process of a number belongs to the impact.
    """
    weight = WEIGHTS[one.action]
    # That a program was run is said by the process itself.
    is_alerted = one.action != RAN and alerted & {one.first_num, one.last_num}
    if is_alerted and one.count < _COMMON:
        weight += ALERTED_WEIGHT
    if one.action == RAN and any(o.action in MAKING for o in activities.about(one.thing)):
        weight += _MADE
    if one.thing.kind == "pipe":
        weight -= _PIPE
    if one.thing.kind in _IPS and one.remote:
        is_dull = one.remote.startswith(_LOCAL) or one.remote.endswith(_RESOLVER)
        weight += -_NAMED_ADDRESS if is_dull else _NAMED_ADDRESS
    if one.action in (READ, OPENED) and one.thing.kind == "file":
        weight += RARE_WEIGHT if _is_rare(one.thing, activities, is_reached) else 0
    if one.action in (WROTE, CREATED, MOVED_TO, LINKED):
        weight += _STAYS if _stays(one, activities) else 0
    return weight


def _is_rare(thing: Thing, activities: Activities, is_reached: Callable[[int], bool]) -> bool:
    """Whether hardly any process but these reads it."""
    readers = {one.process for one in activities.about(thing)}
    return sum(not is_reached(number) for number in readers) < _RARE_READERS_MAX


def _stays(one: Activity, activities: Activities) -> bool:
    gone = (DELETED, MOVED_FROM)
    later = activities.about(one.thing)
    return not any(other.action in gone and other.last_ns >= one.last_ns for other in later)
