"""What of an event or of a process was cut at a limit or could not be read: which names.

In: marks of the kernel side. Out: names, as the columns `evt.cut` and `proc.cut` show them. A text
for each distinct combination of marks.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.event_types import EventType
from falcotrace.record.argument_sources import Source, sources
from falcotrace.record.call import CallEvents
from falcotrace.record.layout import ImageFlag, PartKind, ProcessFlag
from falcotrace.record.states import State

_READ_FROM: Mapping[str, PartKind] = MappingProxyType(
    {
        **dict.fromkeys(("path", "text", "execname", "key"), PartKind.STRING),
        **dict.fromkeys(("buf", "struct", "timespec", "sockopt", "prctl"), PartKind.BYTES),
        **dict.fromkeys(("sem", "ptrace", "quota"), PartKind.BYTES),
        "addr": PartKind.SOCKADDR,
        "vbuf": PartKind.VECTOR_DATA,
        "vsize": PartKind.VECTOR_SIZE,
        "mbuf": PartKind.MSG_DATA,
        "msize": PartKind.MSG_SIZE,
        "control": PartKind.MSG_CONTROL,
        "poll": PartKind.POLL,
    }
)
"""The kind of part that a source of `arguments.tsv` reads."""

_PLACES: Mapping[str, int] = MappingProxyType({"quota": 3, "sem": 1})
"""Arguments that sources without a place of their own read."""

_CUTS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "args": (int(ImageFlag.ARGV_CUT | ImageFlag.ARGV_FAULT), 0),
        "env": (int(ImageFlag.ENV_CUT | ImageFlag.ENV_FAULT), 0),
        "exepath": (int(ImageFlag.EXEPATH_CUT), 0),
        "cwd": (0, int(ProcessFlag.CWD_CUT)),
        "root": (0, int(ProcessFlag.ROOT_CUT)),
    }
)
"""Bits of a program and of a state that say so, as plain numbers: they are asked of every state."""

_ANY_IMAGE, _ANY_PLACE = (sum(bits) for bits in zip(*_CUTS.values(), strict=True))

_ATTEMPTED = ("args", "env")
"""What a failed exec was given, in the order of its parts."""


def process_cuts(state: State | None) -> tuple[str, ...]:
    """What of a process is not whole: some of `args env exepath cwd root`."""
    if state is None:
        return ()
    flags, process_flags = int(state.image.flags), state["process_flags"]
    if not (flags & _ANY_IMAGE or process_flags & _ANY_PLACE):
        return ()
    return tuple(
        name for name, (image, place) in _CUTS.items() if flags & image or process_flags & place
    )


def event_cuts(event: EventType, call: CallEvents) -> np.ndarray:
    """Codes of the names of arguments that are not whole, joined by blanks; MISSING for none."""
    parts = _names_of_parts(event, call.part_places)
    states, which = call.states
    of_states = [_names_of_state(event, state) for state in states]
    has_cut_state = np.array([bool(names) for names in of_states], np.bool_)[which]
    codes = np.full(call.count, MISSING, np.int32)
    rows = np.flatnonzero((call.cut_parts != 0) | has_cut_state)
    if not len(rows):
        return codes
    failed = call.results[rows] < 0
    keys = which[rows] << 16 | failed.astype(np.int64) << 8 | call.cut_parts[rows]
    found, indices = distinct(keys)
    texts = [
        _joined(event, parts, of_states[key >> 16], key & 0xFF, has_failed=bool(key >> 8 & 1))
        for key in found.tolist()
    ]
    codes[rows] = call.codes(texts)[indices]
    return codes


def _joined(
    event: EventType,
    parts: Sequence[frozenset[str]],
    of_state: frozenset[str],
    bits: int,
    *,
    has_failed: bool,
) -> str | None:
    """Names in the order of the event's parameters; None without any."""
    attempted = frozenset().union(*(names for names in parts)) & frozenset(_ATTEMPTED)
    cut = of_state - attempted if has_failed else of_state
    cut |= frozenset().union(*(names for at, names in enumerate(parts) if bits >> at & 1))
    return " ".join(param.name for param in event.params if param.name in cut) or None


def _names_of_parts(
    event: EventType, places: Sequence[tuple[PartKind, int]]
) -> tuple[frozenset[str], ...]:
    """The parameters that are read from each part of the event."""
    read: dict[tuple[PartKind, int], set[str]] = {}
    for name, source in sources().get(event.name, {}).items():
        if source.verb in _READ_FROM:
            read.setdefault((_READ_FROM[source.verb], _place(source)), set()).add(name)
    attempts = iter(_ATTEMPTED)
    return tuple(
        frozenset({next(attempts)} if kind is PartKind.ARGV else read.get((kind, place), ()))
        for kind, place in places
    )


def _place(source: Source) -> int:
    place = _PLACES.get(source.verb)
    return source.place if place is None else place


def _names_of_state(event: EventType, state: State | None) -> frozenset[str]:
    """The parameters of the event that repeat what of the process is not whole."""
    cut = process_cuts(state)
    if not cut:
        return frozenset()
    return frozenset(
        name
        for name, source in sources().get(event.name, {}).items()
        if source.verb == "proc" and source.operands[0] in cut
    )
