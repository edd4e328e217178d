"""What each system call is about, for the account of losses.

In: names of system calls. Out: classes, from the categories of Falco's event table (libs 48dfd53c,
driver/event_table.c); of a socket's traffic the call's name tells that it is one.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS
from falcotrace.record.layout import CallClass

CLASS_NAMES: Mapping[CallClass, str] = MappingProxyType(
    {
        CallClass.PROCESS: "processes, credentials, signals",
        CallClass.FILE: "files",
        CallClass.NETWORK: "network",
        CallClass.TRANSFER: "reads and writes",
        CallClass.WAIT: "waits and clocks",
        CallClass.MEMORY: "memory",
        CallClass.OTHER: "others",
    }
)
"""What people read; the most telling first."""

_OF_CATEGORY: Mapping[str, CallClass] = MappingProxyType(
    {
        **dict.fromkeys(("process", "user", "signal"), CallClass.PROCESS),
        **dict.fromkeys(("file", "io_other"), CallClass.FILE),
        "net": CallClass.NETWORK,
        **dict.fromkeys(("io_read", "io_write"), CallClass.TRANSFER),
        **dict.fromkeys(("wait", "sleep", "time"), CallClass.WAIT),
        "memory": CallClass.MEMORY,
    }
)
_SOCKET_TRAFFIC = frozenset({"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"})
_WAITS = frozenset({"futex", "futex_waitv", "epoll_pwait", "epoll_pwait2", "pselect6"})
_WAITS |= {"clock_nanosleep", "clock_gettime", "gettimeofday", "time", "sched_yield"}


@cache
def class_of(name: str) -> CallClass:
    """What a system call is about, by its name or by that of its event."""
    if name in _SOCKET_TRAFFIC:
        return CallClass.NETWORK
    if name in _WAITS:
        return CallClass.WAIT
    return _OF_CATEGORY.get(_categories().get(name, ""), CallClass.OTHER)


@cache
def _categories() -> Mapping[str, str]:
    of_event = {event.constant: event.category for event in EVENT_TYPES}
    # Some events have another name than their call: pread64's is pread.
    of_name = {event.name: event.category for event in EVENT_TYPES if event.is_exit}
    return of_name | {syscall.name: of_event.get(syscall.exit_event, "") for syscall in SYSCALLS}
