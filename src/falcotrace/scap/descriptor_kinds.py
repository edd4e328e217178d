"""Descriptors that one call makes and nothing changes: pipes, timers, events, memory files.

In: the event. Out: a descriptor, and whether an exec closes it.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.descriptor import Descriptor, DescriptorType
from falcotrace.scap.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Plain:
    """How an event makes a descriptor.

    Attributes:
        type: what it is.
        closing_flag: the bit of the event's `flags` that has an exec close it; 0 for none.
        closes_always: an exec closes it whatever the flags say.
        name: the parameter with its name.
        ino: the parameter with its inode.
        pid: the parameter with the process that it stands for; its name is `/proc/PID` then.
    """

    type: DescriptorType
    closing_flag: int = 0
    closes_always: bool = False
    name: str = ""
    ino: str = ""
    pid: str = ""


_O_CLOEXEC = 1 << 12

PLAIN_DESCRIPTORS: Mapping[str, Plain] = {
    "pipe": Plain(DescriptorType.PIPE, ino="ino"),
    "eventfd": Plain(DescriptorType.EVENT),
    "eventfd2": Plain(DescriptorType.EVENT, _O_CLOEXEC),
    "signalfd": Plain(DescriptorType.SIGNALFD),
    "signalfd4": Plain(DescriptorType.SIGNALFD, _O_CLOEXEC),
    "timerfd_create": Plain(DescriptorType.TIMERFD),
    "inotify_init": Plain(DescriptorType.INOTIFY),
    "inotify_init1": Plain(DescriptorType.INOTIFY, _O_CLOEXEC),
    "epoll_create": Plain(DescriptorType.EVENTPOLL),
    "epoll_create1": Plain(DescriptorType.EVENTPOLL, 1),
    "userfaultfd": Plain(DescriptorType.USERFAULTFD, _O_CLOEXEC),
    "bpf": Plain(DescriptorType.BPF, closes_always=True),
    "io_uring_setup": Plain(DescriptorType.IO_URING, closes_always=True),
    "memfd_create": Plain(DescriptorType.MEMFD, 1, name="name"),
    "pidfd_open": Plain(DescriptorType.PIDFD, closes_always=True, pid="pid"),
}
"""Calls by name. `pipe` stands for `pipe2` too, which makes two of them."""


def plain_descriptor(name: str, event: Parameters) -> tuple[Descriptor, bool]:
    """The descriptor that an event makes, and whether an exec closes it."""
    plain = PLAIN_DESCRIPTORS[name]
    places = {param.name: place for place, param in enumerate(EVENT_TYPES[event.code].params)}
    text, pid = "", 0
    if plain.name:
        text = event.text(places[plain.name])
    if plain.pid:
        pid = event.number(places[plain.pid])
        text = f"/proc/{pid}"
    ino = event.number(places[plain.ino]) if plain.ino else 0
    flags = event.number(places["flags"]) if "flags" in places else 0
    made = Descriptor(plain.type, text, ino=ino, pid=pid)
    return made, plain.closes_always or bool(flags & plain.closing_flag)
