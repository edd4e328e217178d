"""What each system call is about, for the account of losses.

In: names of system calls and events. Out: classes, from the categories of Falco's event table (libs
48dfd53c, driver/event_table.c); of a socket's traffic the call's name tells that it is one.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS


class ClassName(StrEnum):
    """Classes as people read them; the most telling first."""

    PROCESS = "processes, credentials, signals"
    FILE = "files"
    NETWORK = "network"
    TRANSFER = "reads and writes"
    WAIT = "waits and clocks"
    MEMORY = "memory"
    OTHER = "others"


_OF_CATEGORY: Mapping[str, ClassName] = MappingProxyType(
    {
        **dict.fromkeys(("process", "user", "signal"), ClassName.PROCESS),
        **dict.fromkeys(("file", "io_other"), ClassName.FILE),
        "net": ClassName.NETWORK,
        **dict.fromkeys(("io_read", "io_write"), ClassName.TRANSFER),
        **dict.fromkeys(("wait", "sleep", "time"), ClassName.WAIT),
        "memory": ClassName.MEMORY,
    }
)
_SOCKET_TRAFFIC = frozenset({"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"})
_WAITS = frozenset({"futex", "futex_waitv", "epoll_pwait", "epoll_pwait2", "pselect6"})
_WAITS |= {"clock_nanosleep", "clock_gettime", "gettimeofday", "time", "sched_yield"}


@cache
def class_name_of(name: str) -> ClassName:
    """What a system call is about, by its name or by that of its event."""
    if name in _SOCKET_TRAFFIC:
        return ClassName.NETWORK
    if name in _WAITS:
        return ClassName.WAIT
    return _OF_CATEGORY.get(_categories().get(name, ""), ClassName.OTHER)


@cache
def _categories() -> Mapping[str, str]:
    of_event = {event.constant: event.category for event in EVENT_TYPES}
    # Some events have another name than their call: pread64's is pread.
    of_name = {event.name: event.category for event in EVENT_TYPES if event.is_exit}
    return of_name | {syscall.name: of_event.get(syscall.exit_event, "") for syscall in SYSCALLS}
