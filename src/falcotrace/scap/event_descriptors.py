"""Which descriptor an event is about.

In: an `EventBatch`. Out: for each event the number of its descriptor. An event that uses one names
it in a parameter; one that makes some is about the last that it made, or about none where it
failed.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp, `reset` and `add_fd`; event.cpp,
`get_exit_event_fd_location`.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES, EventType
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.parameters import numbers

Integers = npt.NDArray[np.int64]

NO_DESCRIPTOR = -1

_F_DUPFD, _F_DUPFD_CLOEXEC = 1, 26

_USED: Mapping[str, str] = {
    "copy_file_range": "fdout",
    "splice": "fd_out",
    "sendfile": "out_fd",
    "symlinkat": "linkdirfd",
    "dup": "oldfd",
    "dup2": "oldfd",
    "dup3": "oldfd",
}
"""Parameters of events that do not call their descriptor `fd` or `dirfd`."""

_MADE: Mapping[str, str] = {"pipe": "fd2", "pipe2": "fd2", "socketpair": "fd2"}
"""The last descriptor of events that make two."""


def originals(batch: EventBatch) -> tuple[Integers, Integers]:
    """Events that duplicate a descriptor, and the number of the original."""
    rows, fds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for code, params in batch.params.items():
        name = EVENT_TYPES[code].name
        if name in {"dup", "dup2", "dup3"}:
            rows.append(params.rows)
            fds.append(numbers(batch, code, _USED[name], NO_DESCRIPTOR))
        elif name == "fcntl":
            is_dup = _is_duplicate(batch, code)
            rows.append(params.rows[is_dup])
            fds.append(numbers(batch, code, "fd", NO_DESCRIPTOR)[is_dup])
    return np.concatenate(rows), np.concatenate(fds)


def _is_duplicate(batch: EventBatch, code: int) -> npt.NDArray[np.bool_]:
    """Which calls of fcntl duplicate a descriptor."""
    commands = numbers(batch, code, "cmd")
    return (commands == _F_DUPFD) | (commands == _F_DUPFD_CLOEXEC)


@cache
def is_about_descriptors(code: int) -> bool:
    """Whether fields of descriptors have values for an event."""
    flags = EVENT_TYPES[code].flags
    return bool(flags & {"CREATES_FD", "USES_FD", "DESTROYS_FD"})


def event_descriptors(batch: EventBatch) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """For each event the number of its descriptor, and whether it is about descriptors at all.

    A duplicate counts as made; where the original is unknown, libs makes none (`originals`).
    """
    found = np.full(len(batch), NO_DESCRIPTOR, np.int64)
    is_about = np.zeros(len(batch), np.bool_)
    for code, params in batch.params.items():
        if is_about_descriptors(code):
            is_about[params.rows] = True
            found[params.rows] = _of_code(batch, code, EVENT_TYPES[code])
    return found, is_about


def _of_code(batch: EventBatch, code: int, event: EventType) -> Integers:
    names = [param.name for param in event.params]
    results = _results(batch, code, event)
    if "USES_FD" not in event.flags:
        made = numbers(batch, code, _MADE[event.name], -1) if event.name in _MADE else results
        return np.where(results >= 0, made, NO_DESCRIPTOR)
    used_name = _USED.get(event.name) or ("fd" if "fd" in names else "dirfd")
    used = numbers(batch, code, used_name, -1) if used_name in names else results
    if "CREATES_FD" in event.flags:
        return np.where(results >= 0, results, used)
    if event.name == "fcntl":
        return np.where(_is_duplicate(batch, code) & (results >= 0), results, used)
    return used


def _results(batch: EventBatch, code: int, event: EventType) -> Integers:
    if not event.params or event.direction == "enter":
        return np.full(len(batch.params[code].rows), -1, np.int64)
    return numbers(batch, code, event.params[0].name, -1)
