"""How an event of an older layout becomes a current one: all steps at once, for each layout.

In: the tables of events and conversions. Out: a `Recipe` for an event code and its number of
parameters. What a reader does event by event and round by round (libs 48dfd53c,
userspace/libscap/engine/savefile/converter/converter.cpp) depends on nothing else, so the rounds
are gone through once, with places of parameters in the stead of values.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from falcotrace.events.event_types import EVENT_TYPES, EventType, Param
from falcotrace.events.tables import read_table

_MAX_ROUNDS = 50

FIXED_BYTES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("INT8", "UINT8", "FLAGS8", "ENUMFLAGS8"), 1),
        **dict.fromkeys(("SIGTYPE", "L4PROTO", "SOCKFAMILY"), 1),
        **dict.fromkeys(("INT16", "UINT16", "FLAGS16", "ENUMFLAGS16", "SYSCALLID", "PORT"), 2),
        **dict.fromkeys(("INT32", "UINT32", "FLAGS32", "ENUMFLAGS32", "UID", "GID", "MODE"), 4),
        **dict.fromkeys(("SIGSET", "BOOL", "FD32", "PID32", "IPV4ADDR"), 4),
        **dict.fromkeys(("INT64", "UINT64", "ERRNO", "FD", "PID"), 8),
        **dict.fromkeys(("RELTIME", "ABSTIME", "DOUBLE"), 8),
        "IPV6ADDR": 16,
    }
)
"""Types whose values have one size; the others tell it or end with NUL."""

_NO_ID_TYPES = frozenset({"UID", "GID"})


class Source(enum.Enum):
    """Where a parameter comes from."""

    OLD = "the event itself"
    ENTER = "the enter event that was kept for its thread"
    ZERO = "zero bytes"
    ONES = "bytes of ones: no user, no group"
    CONTAINER = "the JSON text of an old container event"


@dataclass(frozen=True, slots=True)
class Step:
    """How one parameter of the new event comes about.

    Attributes:
        source: where it comes from.
        index: which parameter of the source.
        size_bytes: of what is made up, also in the place of a missing enter event; 0 is no value.
        instead: what is made up for want of an enter event.
        enter_code: the code that the enter event must have.
        most_bytes: a longer value of another type is cut; 0 is no limit.
    """

    source: Source
    index: int = 0
    size_bytes: int = 0
    instead: Source = Source.ZERO
    enter_code: int = -1
    most_bytes: int = 0


NO_VALUE = Step(Source.ZERO)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What becomes of the events of one layout.

    Attributes:
        code: the current code.
        steps: one for each parameter of the current type.
        is_kept: an enter event whose parameters its exit event will take.
        is_passed: whether the event goes on, to the state at least.
        problem: why the event cannot be used; empty where it can.
    """

    code: int
    steps: tuple[Step, ...] = ()
    is_kept: bool = False
    is_passed: bool = False
    problem: str = ""

    @property
    def takes_from_enter(self) -> bool:
        """Whether a kept enter event is used up."""
        return any(step.source is Source.ENTER for step in self.steps)

    @property
    def is_identity(self) -> bool:
        """Whether all parameters stay as and where they are."""
        return all(
            step.source is Source.OLD and step.index == place
            for place, step in enumerate(self.steps)
        )


@dataclass(frozen=True, slots=True)
class _Conversion:
    action: str
    becomes: int
    steps: tuple[str, ...]


@cache
def _conversions() -> Mapping[tuple[int, int], _Conversion]:
    codes = {event.constant: event.code for event in EVENT_TYPES}
    return {
        (codes[row["event"]], int(row["params"])): _Conversion(
            row["action"],
            codes[row["becomes"] or row["event"]],
            tuple(filter(None, row["steps"].split(","))),
        )
        for row in read_table("scap_conversions")
    }


@cache
def recipe_for(code: int, count: int) -> Recipe:
    """The recipe for events with that code and number of parameters.

    Args:
        code: an event code as stored.
        count: number of parameters, at most that of the table.
    """
    steps = tuple(Step(Source.OLD, index) for index in range(count))
    for _ in range(_MAX_ROUNDS):
        event = EVENT_TYPES[code]
        if _is_dropped(event):
            return Recipe(code)
        if _is_current(event, len(steps)):
            return Recipe(code, _padded(event, steps), is_passed=True)
        found = _conversions().get((code, len(steps)))
        if found is None:
            problem = f"events {event.constant} with {len(steps)} parameters left out"
            return Recipe(code, problem=problem)
        if found.action in {"store", "pass", "store_and_pass"}:
            return Recipe(
                code,
                _padded(event, steps),
                is_kept=found.action != "pass",
                is_passed=found.action != "store",
            )
        kept = steps if found.action == "add_params" else ()
        steps = kept + _new_steps(steps, found, code, first=len(kept))
        code = found.becomes
    return Recipe(code, problem=f"events {EVENT_TYPES[code].constant} that do not become current")


@cache
def passed_enter_codes() -> frozenset[int]:
    """Codes of the enter events of system calls that go on to the state."""
    return frozenset(
        code
        for (code, _), conversion in _conversions().items()
        if conversion.action in {"pass", "store_and_pass"}
    )


def _is_dropped(event: EventType) -> bool:
    is_managed = "CONVERTER_MANAGED" in event.flags
    return "UNUSED" in event.flags or (not is_managed and "OLD_VERSION" in event.flags)


def _is_current(event: EventType, count: int) -> bool:
    if "CONVERTER_MANAGED" not in event.flags:
        return True
    is_old = "OLD_VERSION" in event.flags
    return event.is_exit and not is_old and count == len(event.params)


def _padded(event: EventType, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, and none for the parameters that older writers did not know."""
    missing = len(event.params) - len(steps)
    return steps + (NO_VALUE,) * missing


def _new_steps(
    old: tuple[Step, ...], conversion: _Conversion, code: int, *, first: int
) -> tuple[Step, ...]:
    params = EVENT_TYPES[conversion.becomes].params[first:]
    pairs = zip(conversion.steps, params, strict=False)
    return tuple(_new_step(old, text, param, code) for text, param in pairs)


def _new_step(old: tuple[Step, ...], text: str, param: Param, code: int) -> Step:
    kind, _, rest = text.partition(":")
    most_bytes = FIXED_BYTES.get(param.type, 0)
    if kind == "old":
        return replace(old[int(rest)], most_bytes=most_bytes)
    if kind == "empty":
        return NO_VALUE
    if kind == "callback":
        return Step(Source.CONTAINER)
    zero = _zero_value(param)
    if kind == "default":
        return zero
    index, _, is_empty = rest.partition("/")
    instead = NO_VALUE if is_empty else zero
    # The enter event is gone once a round has used it (converter.cpp, `used_enter_event`).
    if any(step.source is Source.ENTER for step in old):
        return instead
    return Step(
        Source.ENTER,
        int(index),
        size_bytes=instead.size_bytes,
        instead=instead.source,
        enter_code=code - 1,
        most_bytes=most_bytes,
    )


def _zero_value(param: Param) -> Step:
    """What stands for a value that is not known, by its type (converter.cpp)."""
    if param.type in _NO_ID_TYPES:
        return Step(Source.ONES, size_bytes=FIXED_BYTES[param.type])
    return Step(Source.ZERO, size_bytes=FIXED_BYTES.get(param.type, 0))
