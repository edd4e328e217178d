"""Upgrades events one after the other, round by round, as the converter of libs does.

Written from the tables alone, with none of the code that upgrades whole windows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from falcotrace.events.event_types import EVENT_TYPES, EventType, Param
from falcotrace.events.tables import read_table

SIZES = {
    1: "INT8 UINT8 FLAGS8 ENUMFLAGS8 SIGTYPE L4PROTO SOCKFAMILY",
    2: "INT16 UINT16 FLAGS16 ENUMFLAGS16 SYSCALLID PORT",
    4: "INT32 UINT32 FLAGS32 ENUMFLAGS32 UID GID MODE SIGSET BOOL FD32 PID32 IPV4ADDR",
    8: "INT64 UINT64 ERRNO FD PID RELTIME ABSTIME DOUBLE",
    16: "IPV6ADDR",
}
SIZE_OF = {name: size for size, names in SIZES.items() for name in names.split()}
CODES = {event.constant: event.code for event in EVENT_TYPES}
ROWS = {
    (CODES[row["event"]], int(row["params"])): (
        row["action"],
        CODES[row["becomes"] or row["event"]],
        [step for step in row["steps"].split(",") if step],
    )
    for row in read_table("scap_conversions")
}


@dataclass
class Event:
    """An event: thread, code and parameters."""

    tid: int
    code: int
    params: list[bytes]


def upgrade(events: Iterable[Event]) -> Iterator[Event]:
    """The events that go on, with all parameters of their types."""
    kept: dict[int, Event] = {}
    for event in events:
        found = _upgrade_one(Event(event.tid, event.code, list(event.params)), kept)
        if found is not None:
            missing = len(EVENT_TYPES[found.code].params) - len(found.params)
            found.params += [b""] * missing
            yield found


def _upgrade_one(event: Event, kept: dict[int, Event]) -> Event | None:
    for _ in range(50):
        kind = EVENT_TYPES[event.code]
        if "UNUSED" in kind.flags:
            return None
        if "CONVERTER_MANAGED" not in kind.flags:
            return None if "OLD_VERSION" in kind.flags else event
        if _is_done(kind, event):
            return event
        row = ROWS.get((event.code, len(event.params)))
        if row is None:
            return None
        action, code, steps = row
        if action in {"store", "store_and_pass"}:
            kept[event.tid] = event
        if action in {"store", "pass", "store_and_pass"}:
            return None if action == "store" else event
        old = event.params if action == "add_params" else []
        params = EVENT_TYPES[code].params[len(old) :]
        waiting = kept.get(event.tid)
        new = [_value(s, p, event, waiting) for s, p in zip(steps, params, strict=False)]
        if any(step.startswith("enter") for step in steps):
            kept.pop(event.tid, None)
        event = Event(event.tid, code, old + new)
    return None


def _is_done(kind: EventType, event: Event) -> bool:
    is_old = "OLD_VERSION" in kind.flags
    return kind.code % 2 == 1 and not is_old and len(event.params) == len(kind.params)


def _value(step: str, param: Param, event: Event, waiting: Event | None) -> bytes:
    kind, _, rest = step.partition(":")
    if kind == "empty":
        return b""
    if kind == "callback":
        name, number, title, image = (value.split(b"\0")[0] for value in event.params)
        size = int.from_bytes(event.params[1], "little")
        del number
        return b'{"id":"%b","type":%d,"name":"%b","image":"%b"}\0' % (name, size, title, image)
    if kind == "old":
        return _cut(event.params[int(rest)], param)
    index, _, otherwise = rest.partition("/")
    is_there = waiting is not None and waiting.code == event.code - 1
    if kind == "enter" and waiting is not None and is_there and int(index) < len(waiting.params):
        return _cut(waiting.params[int(index)], param)
    if otherwise:
        return b""
    return (b"\xff" if param.type in {"UID", "GID"} else b"\0") * SIZE_OF.get(param.type, 0)


def _cut(value: bytes, param: Param) -> bytes:
    return value[: SIZE_OF.get(param.type, len(value))]
