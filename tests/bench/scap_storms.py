"""Very much of one thing: clones, descriptors, directories, users, containers.

In: a thread. Out: events whose cost must grow with their number and not with its square.
"""

import random
import struct
from collections.abc import Callable, Iterable, Mapping

from scap_model import Event

from falcotrace.events.event_types import EVENT_TYPES

CODE = {event.constant: event.code for event in EVENT_TYPES}
CLONE_THREAD = 1 << 13
_BEGIN_NS = 10**18


def made_event(constant: str, tid: int, time_ns: int = _BEGIN_NS, /, **values: object) -> Event:
    """An event with some values of parameters; the others have none."""
    code = CODE[constant]
    params = [_packed(param.type, values.get(param.name)) for param in EVENT_TYPES[code].params]
    return Event(0x216, 0, 0, time_ns, tid, code, params)


def _packed(kind: str, value: object) -> bytes:
    if isinstance(value, int):
        width = {"UINT32": 4, "FLAGS32": 4, "ENUMFLAGS32": 4, "UID": 4, "GID": 4}.get(kind, 8)
        return (value % (1 << 8 * width)).to_bytes(width, "little")
    return value if isinstance(value, bytes) else b""


def clone(tid: int, child: int, flags: int = 0, time_ns: int = _BEGIN_NS) -> Event:
    """The caller's side of a clone."""
    return made_event(
        "SYSCALL_CLONE_20_X",
        tid,
        time_ns,
        res=child,
        exe=b"sh\0",
        tid=tid,
        pid=tid,
        ptid=1,
        comm=b"sh\0",
        flags=flags,
        uid=0,
        gid=0,
        vtid=tid,
        vpid=tid,
    )


def opened(tid: int, fd: int, name: bytes = b"/tmp/x\0") -> Event:
    """An open."""
    return made_event("SYSCALL_OPENAT_2_X", tid, fd=fd, dirfd=-100, name=name, flags=1)


def chdir(tid: int, path: bytes) -> Event:
    """A change of directory."""
    return made_event("SYSCALL_CHDIR_X", tid, res=0, path=path)


def fork_bomb(tid: int, count: int) -> Iterable[Event]:
    """A process with many descriptors has many children."""
    yield from (opened(tid, fd) for fd in range(3, 103))
    yield from (clone(tid, 100_000 + n) for n in range(count))


def chain(tid: int, count: int) -> Iterable[Event]:
    """Each process is the child of the last one, and the first changes all the time."""
    numbers = [tid, *range(100_000, 100_000 + count)]
    for n in range(count):
        yield clone(numbers[n], numbers[n + 1])
        yield made_event("SYSCALL_GETUID_X", numbers[n + 1], uid=0)
    yield from (chdir(tid, b"/%d\0" % n) for n in range(count // 4))


def many_threads(tid: int, count: int) -> Iterable[Event]:
    """One process with many threads changes its directory again and again."""
    yield clone(1, tid)
    for n in range(count):
        yield clone(tid, 100_000 + n, CLONE_THREAD)
        yield chdir(100_000 + n, b"/%d\0" % n)


def many_opens(tid: int, count: int) -> Iterable[Event]:
    """Many open files, closed together, and all of them given to a child."""
    yield from (opened(tid, fd, b"/tmp/%d\0" % fd) for fd in range(count))
    yield from (clone(tid, 100_000 + n) for n in range(20))
    yield made_event("SYSCALL_CLOSE_RANGE_X", tid, res=0, first=0, last=(1 << 64) - 1, flags=0)


def many_accounts(tid: int, count: int) -> Iterable[Event]:
    """Users that come while there are many processes, which do something."""
    yield from (clone(tid, 100_000 + n) for n in range(count // 4))
    for n in range(count // 4):
        yield made_event("USER_ADDED_E", tid, uid=n, gid=0, name=b"u%d\0" % n)
        yield made_event("SYSCALL_GETUID_X", 100_000 + n % 7, uid=0)


def many_containers(tid: int, count: int) -> Iterable[Event]:
    """Containers that come and go."""
    for n in range(count):
        json = b'{"container":{"id":"%012x","ip":"10.0.%d.%d"}}\0' % (n, n >> 8 & 255, n & 255)
        yield made_event("ASYNCEVENT_E", tid, plugin_id=0, name=b"container\0", data=json)


def many_sockets(tid: int, count: int) -> Iterable[Event]:
    """Sockets that send to everybody, each of which asks for the others' ports."""
    for n in range(count):
        pair = (
            b"\x0a" + bytes(15) + b"\x01" + struct.pack("<H", n & 0xFFFF) + b"\xfe" * 16 + b"\7\7"
        )
        yield made_event("SOCKET_SOCKET_X", tid, fd=3 + n, domain=10, type=2, proto=17)
        yield made_event("SOCKET_SENDTO_X", tid, res=1, fd=3 + n, size=1, tuple=pair)


def comes_and_goes(tid: int, count: int) -> Iterable[Event]:
    """Children that end at once, and their children go to another parent."""
    for n in range(count):
        yield clone(tid, 100_000 + n)
        yield clone(100_000 + n, 200_000 + n)
        yield made_event("PROCEXIT_1_E", 100_000 + n, status=0, reaper_tid=tid)


def new_threads(tid: int, count: int) -> Iterable[Event]:
    """Threads of which nobody has heard, all in one session."""
    for n in range(count):
        yield made_event("SYSCALL_SETSID_X", 100_000 + n, res=tid)
    yield from (chdir(tid, b"/%d\0" % n) for n in range(count // 4))


STORMS: Mapping[str, Callable[[int, int], Iterable[Event]]] = {
    storm.__name__: storm
    for storm in (
        *(fork_bomb, chain, many_threads, many_opens, many_accounts, many_containers),
        *(many_sockets, comes_and_goes, new_threads),
    )
}


def storm(rng: random.Random, tid: int) -> list[Event]:
    """One of them."""
    return list(rng.choice(list(STORMS.values()))(tid, rng.choice((50, 300, 1000))))
