"""What is opened, closed, duplicated, made and taken over: one scenario for each rule."""

import struct

import pytest

from unit.scap.made_sockets import pair, sockaddr, unix_pair
from unit.scap.scap_bytes import block, text
from unit.scap.scenarios import (
    AT_FDCWD,
    INIT,
    MACHINE,
    O_CLOEXEC,
    O_DIRECTORY,
    Happening,
    Process,
    Replay,
    clones,
    closes,
    enters,
    executes,
    interface,
    leaves,
    opens,
    reads,
    replay,
)

F_DUPFD, F_SETFD, F_DUPFD_CLOEXEC = 1, 3, 26
FAILED = -9


def seen_at(fd: int, *events: Happening, processes: tuple[Process, ...] = MACHINE) -> Replay:
    """The last event reads from a descriptor."""
    return replay(*events, reads(10, fd), processes=processes)


def name_of(fd: int, *events: Happening) -> str:
    """What a descriptor is called after some events."""
    (name,) = seen_at(fd, *events).last("fd.name")
    return str(name)


def survives_exec(fd: int, *events: Happening) -> bool:
    """Whether a descriptor is still there after an exec."""
    return seen_at(fd, *events, executes(10)).last("fd.type") != (None,)


DIRECTORY = opens(10, 5, "/usr/lib")


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (leaves("open", 10, fd=3, name="a/./b", flags=1), "/home/a/b"),
        (leaves("open", 10, fd=3, name="/x//y/..", flags=1), "/x"),
        (leaves("creat", 10, fd=3, name="a", mode=0), "/home/a"),
        (leaves("openat", 10, fd=3, dirfd=AT_FDCWD, name="a", flags=1), "/home/a"),
        (leaves("openat", 10, fd=3, dirfd=5, name="../a", flags=1), "/usr/a"),
        (leaves("openat", 10, fd=3, dirfd=9, name="a", flags=1), "<UNKNOWN>/a"),
        (leaves("openat", 10, fd=3, dirfd=9, name="/a", flags=1), "/a"),
        (leaves("openat2", 10, fd=3, dirfd=5, name="a", flags=1), "/usr/lib/a"),
        (
            leaves("open_by_handle_at", 10, fd=3, mountfd=5, flags=1, path="/by/handle"),
            "/by/handle",
        ),
        (leaves("openat", 10, fd=FAILED, dirfd=5, name="a", flags=1), ""),
    ],
)
def test_names_of_opened_files(event: Happening, name: str) -> None:
    """Relative ones are below the working directory or below a descriptor."""
    assert name_of(3, DIRECTORY, event) == name
    if event.given["fd"] == 3:
        assert replay(DIRECTORY, event).last("fd.name", "fd.num") == (name, 3)


def test_what_an_opened_file_is() -> None:
    """Type, device, inode, layer and the name as it was given."""
    layer = 1 << 15
    event = opens(10, 3, "a//b", flags=O_DIRECTORY | layer, dev=77, ino=88)
    fields = ("fd.type", "fd.dev", "fd.ino", "fd.nameraw", "fd.name_changed")
    assert replay(event).last(*fields) == ("directory", 77, 88, "a/b", True)
    seen = seen_at(3, event)
    assert seen.last(*fields) == ("directory", 77, 88, "a/b", False)
    assert seen_at(3, opens(10, 3, "f")).last("fd.type") == ("file",)


def attempt(**given: object) -> Happening:
    """The beginning of an open."""
    return enters("openat", 10, **{"dirfd": AT_FDCWD, "name": "asked", "flags": 1, **given})


@pytest.mark.parametrize(
    ("enter", "name"),
    [
        (attempt(), "/home/asked"),
        (attempt(dirfd=5), "/usr/lib/asked"),
        (attempt(name="<NA>"), "/home/told"),
        (attempt(name=None), "/home/told"),
        (enters("open", 10, name="asked", flags=1), "/home/told"),
    ],
)
def test_the_beginning_of_an_open_wins(enter: Happening, name: str) -> None:
    """A program may change the text while the call runs; what is unknown then wins nothing."""
    assert name_of(3, DIRECTORY, enter, opens(10, 3, "told")) == name


def test_flags_of_the_beginning_win_but_for_what_the_kernel_adds() -> None:
    """Whether an exec closes it is told there; which layer it lies in only at the end."""
    layer = 1 << 15
    events = (attempt(flags=O_CLOEXEC), opens(10, 3, "told", flags=O_DIRECTORY | layer))
    seen = seen_at(3, *events)
    assert seen.last("fd.type", "fd.is_upper_layer", "fd.is_lower_layer") == ("file", True, False)
    assert not survives_exec(3, *events)


def test_a_closed_descriptor_is_still_seen_by_its_close() -> None:
    """From the next event on it is gone; its number may be given again."""
    seen = replay(opens(10, 3, "a"), closes(10, 3), reads(10, 3), opens(10, 3, "b"), reads(10, 3))
    assert seen["fd.name"] == ["/home/a", "/home/a", "", "/home/b", "/home/b"]
    assert seen["proc.fdopencount"] == [1, 1, 0, 1, 1]
    seen = replay(opens(10, 3, "a"), closes(10, 3), opens(10, 3, "b"))
    assert seen["fd.name"] == ["/home/a", "/home/a", "/home/b"]


def test_a_failed_close_closes_nothing() -> None:
    """Whatever the descriptor."""
    assert name_of(3, opens(10, 3, "a"), leaves("close", 10, res=FAILED, fd=3)) == "/home/a"


@pytest.mark.parametrize(
    ("res", "flags", "names", "left"),
    [
        (0, 0, ["/home/a", "", "", "/home/d"], [True, False, False, True]),
        (0, 4, ["/home/a", "/home/b", "/home/c", "/home/d"], [True, False, False, True]),
        (FAILED, 0, ["/home/a", "/home/b", "/home/c", "/home/d"], [True] * 4),
    ],
)
def test_close_range(res: int, flags: int, names: list[str], left: list[bool]) -> None:
    """It closes, or has the next exec close."""
    events = [opens(10, fd, name) for fd, name in zip((3, 4, 5, 6), "abcd", strict=True)]
    events.append(leaves("close_range", 10, res=res, first=4, last=5, flags=flags))
    assert [name_of(fd, *events) for fd in (3, 4, 5, 6)] == names
    assert [survives_exec(fd, *events) for fd in (3, 4, 5, 6)] == left


def duplicates(call: str, old: int, new: int) -> Happening:
    """A descriptor is duplicated, so that an exec does not close it, but for `closing`."""
    match call:
        case "dup":
            return leaves("dup", 10, res=new, oldfd=old)
        case "dup2":
            return leaves("dup2", 10, res=new, oldfd=old, newfd=new)
        case "dup3" | "dup3 closing":
            flags = O_CLOEXEC if "closing" in call else 0
            return leaves("dup3", 10, res=new, oldfd=old, newfd=new, flags=flags)
        case _:
            command = F_DUPFD_CLOEXEC if "closing" in call else F_DUPFD
            return leaves("fcntl", 10, res=new, fd=old, cmd=command, arg=0)


DUPLICATIONS = ("dup", "dup2", "dup3", "dup3 closing", "fcntl", "fcntl closing")


@pytest.mark.parametrize("call", DUPLICATIONS)
@pytest.mark.parametrize("flags", [0, O_CLOEXEC])
def test_a_duplicate(call: str, flags: int) -> None:
    """It is the same file under another number; whether an exec closes it is its own."""
    events = (opens(10, 3, "a", flags=flags), opens(10, 7, "b"), duplicates(call, 3, 7))
    assert replay(*events).last("fd.num", "fd.name") == (7, "/home/a")
    assert name_of(7, *events, closes(10, 3)) == "/home/a"
    assert survives_exec(7, *events) == ("closing" not in call)
    assert survives_exec(3, *events) == (not flags)


@pytest.mark.parametrize("call", DUPLICATIONS)
def test_a_duplicate_of_nothing(call: str) -> None:
    """Of an unknown descriptor there is none, and a failed call leaves what was."""
    unknown = seen_at(7, duplicates(call, 3, 7))
    assert unknown.last("fd.name", "fd.type") == ("", None)
    assert (
        name_of(7, opens(10, 3, "a"), opens(10, 7, "b"), duplicates(call, 3, FAILED)) == "/home/b"
    )


@pytest.mark.parametrize(("argument", "survives"), [(0, True), (1, False), (2, True)])
def test_fcntl_marks_for_the_next_exec(argument: int, survives: bool) -> None:  # noqa: FBT001
    """The mark is that of one number; other commands do not touch it."""
    mark = leaves("fcntl", 10, res=0, fd=3, cmd=F_SETFD, arg=argument)
    marked = opens(10, 3, "a", flags=O_CLOEXEC)
    assert survives_exec(3, marked, mark) == survives
    assert survives_exec(7, marked, duplicates("dup2", 3, 7), mark)
    other = leaves("fcntl", 10, res=0, fd=3, cmd=4, arg=1)
    assert survives_exec(3, opens(10, 3, "a"), other)
    failed = leaves("fcntl", 10, res=-1, fd=3, cmd=F_SETFD, arg=1)
    assert survives_exec(3, opens(10, 3, "a"), failed)


@pytest.mark.parametrize(
    ("event", "kind", "name", "survives"),
    [
        (leaves("eventfd", 10, res=3), "event", "", True),
        (leaves("eventfd2", 10, res=3, flags=0), "event", "", True),
        (leaves("eventfd2", 10, res=3, flags=O_CLOEXEC), "event", "", False),
        (leaves("signalfd", 10, res=3), "signalfd", "", True),
        (leaves("signalfd4", 10, res=3, flags=O_CLOEXEC), "signalfd", "", False),
        (leaves("timerfd_create", 10, res=3), "timerfd", "", True),
        (leaves("inotify_init", 10, res=3), "inotify", "", True),
        (leaves("inotify_init1", 10, res=3, flags=O_CLOEXEC), "inotify", "", False),
        (leaves("epoll_create", 10, res=3), "eventpoll", "", True),
        (leaves("epoll_create1", 10, res=3, flags=1), "eventpoll", "", False),
        (leaves("userfaultfd", 10, res=3, flags=O_CLOEXEC), "userfaultfd", "", False),
        (leaves("bpf", 10, fd=3, cmd=0), "bpf", "", False),
        (leaves("io_uring_setup", 10, res=3), "io_uring", "", False),
        (leaves("memfd_create", 10, fd=3, name="m", flags=0), "memfd", "m", True),
        (leaves("memfd_create", 10, fd=3, name="m", flags=1), "memfd", "m", False),
        (leaves("pidfd_open", 10, fd=3, pid=1, flags=0), "pidfd", "/proc/1", False),
        (leaves("socket", 10, fd=3, domain=1, type=1), "unix", "", True),
        (leaves("socket", 10, fd=3, domain=2, type=1), "ipv4", "", True),
        (leaves("socket", 10, fd=3, domain=10, type=1, flags=O_CLOEXEC), "ipv6", "", False),
        (leaves("socket", 10, fd=3, domain=16, type=1), "netlink", "", True),
        (leaves("socket", 10, fd=3, domain=40, type=1), "<NA>", "", True),
    ],
)
def test_descriptors_that_calls_make(
    event: Happening,
    kind: str,
    name: str,
    survives: bool,  # noqa: FBT001
) -> None:
    """Each has its type, few have a name; some are always closed by an exec."""
    assert replay(event).last("fd.num", "fd.type", "fd.name") == (3, kind, name)
    assert seen_at(3, event).last("fd.type", "fd.name") == (kind, name)
    assert survives_exec(3, event) == survives
    first = "res" if "res" in event.given else "fd"
    failed = Happening(event.code, 10, {**event.given, first: -1})
    assert seen_at(3, failed).last("fd.type", "proc.fdopencount") == (None, 0)


@pytest.mark.parametrize(
    ("event", "kind", "survives"),
    [
        (leaves("pipe", 10, res=0, fd1=3, fd2=4, ino=9), "pipe", True),
        (leaves("pipe2", 10, res=0, fd1=3, fd2=4, ino=9, flags=0), "pipe", True),
        (leaves("pipe2", 10, res=0, fd1=3, fd2=4, ino=9, flags=O_CLOEXEC), "pipe", False),
        (leaves("socketpair", 10, res=0, fd1=3, fd2=4, source=5, peer=6, domain=1), "unix", True),
    ],
)
def test_calls_that_make_two(event: Happening, kind: str, survives: bool) -> None:  # noqa: FBT001
    """The event is about the second one."""
    assert replay(event).last("fd.num", "fd.type") == (4, kind)
    for fd in (3, 4):
        assert seen_at(fd, event).last("fd.type", "fd.name") == (kind, "")
        assert survives_exec(fd, event) == survives
    if kind == "pipe":
        assert seen_at(3, event).last("fd.ino") == (9,)
    failed = Happening(event.code, 10, {**event.given, "res": -24})
    assert seen_at(3, failed).last("fd.type") == (None,)


def test_a_descriptor_of_another_process() -> None:
    """A pidfd leads to it; what is unknown on the way makes nothing."""
    other = Process(tid=20, files={8: "/of/other"})
    pidfd = leaves("pidfd_open", 10, fd=3, pid=20, flags=0)
    take = leaves("pidfd_getfd", 10, fd=4, pid_fd=3, target_fd=8, flags=0)
    processes = (*MACHINE, other)
    assert replay(pidfd, take, processes=processes).last("fd.num", "fd.name") == (4, "/of/other")
    assert seen_at(4, pidfd, take, executes(10), processes=processes).last("fd.name") == ("",)
    assert seen_at(4, take, processes=processes).last("fd.type") == (None,)
    nothing = leaves("pidfd_getfd", 10, fd=4, pid_fd=3, target_fd=9, flags=0)
    assert seen_at(4, pidfd, nothing, processes=processes).last("fd.type") == (None,)


NEAR = interface(bytes((10, 0, 0, 1)))
TCP = leaves("socket", 10, fd=3, domain=2, type=1)
UDP = leaves("socket", 10, fd=3, domain=2, type=2)
NEAR_TO_FAR = "10.0.0.1:1000->10.0.0.2:80"


def joins(res: int = 0, ends: str = NEAR_TO_FAR, **given: object) -> Happening:
    """A connect returns."""
    return leaves("connect", 10, **{"res": res, "tuple": pair(ends), "fd": 3, **given})


@pytest.mark.parametrize(
    ("event", "name", "is_connected"),
    [
        (joins(), NEAR_TO_FAR, True),
        (joins(-115), NEAR_TO_FAR, True),
        (joins(-111), "", False),
    ],
)
def test_connect(event: Happening, name: str, is_connected: bool) -> None:  # noqa: FBT001
    """One that is under way counts; one that was refused tells nothing."""
    seen = seen_at(3, TCP, event)
    assert seen.rows("fd.name", "fd.connected")[1] == (name, is_connected)
    shown = ("10.0.0.1", "10.0.0.2") if name else (None, None)
    assert seen.last("fd.cip", "fd.sip") == shown
    assert replay(TCP, event).last("fd.name_changed") == (bool(name),)


def test_the_address_of_the_beginning_of_a_connect_wins() -> None:
    """Where the end of the call says the same as the socket: it may have been changed since."""
    enter = enters("connect", 10, fd=3, addr=sockaddr("10.9.9.9:99"))
    leave = joins(addr=sockaddr("10.0.0.2:80"))
    assert seen_at(3, TCP, enter, leave).last("fd.name") == ("10.0.0.1:1000->10.9.9.9:99",)
    assert seen_at(3, TCP, leave).last("fd.name") == (NEAR_TO_FAR,)


def test_a_socket_without_traffic_becomes_connected_by_it() -> None:
    """Also in a later batch, and by a duplicate, for which the original stays as it was."""
    dup = leaves("dup2", 10, res=4, oldfd=3, newfd=4)
    write = leaves("write", 10, res=1, fd=4, data=b"x")
    for size in (1, 100):
        seen = replay(TCP, dup, write, reads(10, -1), batch_events=size)
        assert seen["fd.connected"][:3] == [False, False, True]
    failed = leaves("write", 10, res=-1, fd=3)
    assert replay(TCP, failed).last("fd.connected") == (False,)


def test_bind_makes_a_server() -> None:
    """With an address and a port; a failed one does nothing."""
    address = sockaddr("10.0.0.1:80")
    seen = seen_at(3, TCP, leaves("bind", 10, res=0, addr=address, fd=3))
    assert seen.last("fd.name", "fd.is_server", "fd.sport") == ("10.0.0.1:80", True, 80)
    seen = seen_at(3, TCP, leaves("bind", 10, res=-98, addr=address, fd=3))
    assert seen.last("fd.name", "fd.is_server") == ("", False)


@pytest.mark.parametrize("call", ["accept", "accept4"])
def test_accept(call: str) -> None:
    """The result is a connected socket whose remote end is the client."""
    event = leaves(call, 10, fd=4, tuple=pair("10.0.0.9:999->10.0.0.1:80"))
    seen = replay(event, reads(10, 4), further=NEAR)
    fields = ("fd.name", "fd.cip", "fd.is_server", "fd.connected", "fd.l4proto")
    assert seen.last(*fields) == ("10.0.0.9:999->10.0.0.1:80", "10.0.0.9", True, True, "tcp")
    assert survives_exec(4, event)
    if call == "accept4":
        closing = Happening(event.code, 10, {**event.given, "flags": O_CLOEXEC})
        assert not survives_exec(4, closing)
    assert seen_at(4, leaves(call, 10, fd=4)).last("fd.type") == (None,)


def sends(fd: int, ends: bytes, res: int = 1) -> Happening:
    """Something is sent."""
    return leaves("sendto", 10, res=res, fd=fd, size=1, tuple=ends, data=b"x")


def test_traffic_of_a_datagram_socket_tells_its_ends() -> None:
    """Each peer anew; a failed call tells nothing."""
    one, two = "10.0.0.1:1000->10.0.0.2:53", "10.0.0.1:1000->10.0.0.3:53"
    seen = replay(UDP, sends(3, pair(one), -1), sends(3, pair(one)), sends(3, pair(two)))
    assert seen["fd.name"][:3] == ["", "", one]
    assert seen["fd.name_changed"] == [False, False, True, True]
    assert seen.last("fd.sip", "fd.l4proto") == ("10.0.0.3", "udp")


def test_sending_on_an_unknown_descriptor_makes_a_datagram_socket() -> None:
    """Receiving does not, and neither does what has no internet address."""
    ends = "10.0.0.1:1000->10.0.0.2:53"
    assert seen_at(3, sends(3, pair(ends))).last("fd.type", "fd.name") == ("ipv4", ends)
    received = leaves("recvfrom", 10, res=1, fd=3, size=1, tuple=pair(ends), data=b"x")
    for event in (sends(3, pair(ends), -1), sends(3, b""), sends(3, unix_pair(1, 2)), received):
        assert seen_at(3, event).last("fd.type") == (None,)


def test_a_guessed_role_looks_at_the_other_descriptors_of_the_process() -> None:
    """As libs does: of IPv6 it compares bytes of an address with the ports of IPv4 sockets."""
    ends = "[2001:db8::aaaa:50:0:1]:1000->[2001:db8::2]:53".replace("[", "").replace("]", "")
    socket = leaves("socket", 10, fd=3, domain=10, type=2)
    other = leaves("accept", 10, fd=4, tuple=pair(f"10.0.0.9:999->10.0.0.1:{0x5000}"))
    alone = replay(socket, sends(3, pair(ends)))
    assert alone.last("fd.cip", "fd.sip") == ("2001:db8::aaaa:50:0:1", "2001:db8::2")
    among = replay(socket, other, sends(3, pair(ends)))
    assert among.last("fd.sip", "fd.cip") == ("2001:db8::aaaa:50:0:1", "2001:db8::2")


def test_descriptors_that_were_open_before() -> None:
    """Files, with their mark for an exec; kinds that libs does not take over are unknown."""
    process = Process(
        tid=10,
        files={
            3: "/a",
            4: "/b",
            5: struct.pack("<B", 7) + text(b"pipe:[5]"),
            6: struct.pack("<B", 0) + text(b"odd"),
        },
        closing=frozenset({4}),
    )
    seen = replay(*(reads(10, fd) for fd in (3, 4, 5, 6)), processes=(INIT, process))
    assert seen.rows("fd.name", "fd.type") == [
        *(("/a", "file"), ("/b", "file"), ("pipe:[5]", "pipe"), ("", None)),
    ]
    seen = replay(executes(10), reads(10, 3), reads(10, 4), processes=(INIT, process))
    assert seen["fd.name"][1:] == ["/a", ""]


def listening(port: int) -> bytes:
    """A socket that listens, as an entry of a list of descriptors."""
    return struct.pack("<B4sHB", 5, bytes((10, 0, 0, 1)), port, 2)


def connection(source_port: int, destination_port: int) -> bytes:
    """A connection, likewise."""
    ends = (bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), source_port, destination_port, 2)
    return struct.pack("<B4s4sHHB", 3, *ends)


def test_connections_that_were_there_before() -> None:
    """The side that somebody on the machine listens on is the server and stands right."""
    server = Process(tid=20, files={3: listening(80), 4: connection(80, 1000)})
    client = Process(tid=10, files={3: connection(1001, 443)})
    seen = replay(
        *(reads(20, 3), reads(20, 4), reads(10, 3)),
        processes=(INIT, server, client),
        further=NEAR,
    )
    assert seen.rows("fd.name", "fd.is_server") == [
        ("10.0.0.1:80", True),
        ("10.0.0.2:1000->10.0.0.1:80", True),
        ("10.0.0.1:1001->10.0.0.2:443", False),
    ]


def test_a_list_of_descriptors_of_nobody() -> None:
    """Its thread has ended between two looks at the machine."""
    lists = Process(tid=99, files={3: "/a"}).descriptors()
    assert replay(reads(99, 3), further=lists).last("fd.name") == ("",)


def test_standard_streams_are_those_of_the_event() -> None:
    """They may be closed, replaced and taken over like any other."""
    process = Process(tid=10, files={0: "/in", 1: "/out", 2: "/err"})
    seen = replay(
        *(reads(10, 0), leaves("dup2", 10, res=1, oldfd=0, newfd=1), closes(10, 2), reads(10, 0)),
        *(clones(10, 20), leaves("pipe", 20, res=0, fd1=0, fd2=2, ino=1)),
        processes=(INIT, process),
    )
    streams = ("proc.stdin.name", "proc.stdout.name", "proc.stderr.name")
    assert seen.rows(*streams) == [
        *(("/in", "/out", "/err"), ("/in", "/in", "/err"), ("/in", "/in", "/err")),
        *(("/in", "/in", None), ("/in", "/in", None), ("", "/in", "")),
    ]
    assert seen.last("proc.stdin.type", "proc.stdout.type") == ("pipe", "file")


def test_numbers_of_descriptors_that_cannot_be() -> None:
    """A hostile capture makes nothing of them."""
    seen = replay(
        *(opens(10, -3, "a"), opens(10, 1 << 40, "b"), reads(10, 1 << 40), reads(10, -3)),
        *(leaves("pipe", 10, res=0, fd1=-1, fd2=-2, ino=1), reads(10, -1)),
    )
    assert seen.last("fd.name", "proc.fdopencount") == ("", 1)
    assert seen["fd.name"][2:4] == ["/home/b", ""]


def test_a_capture_without_lists() -> None:
    """Nothing is known before the first event, and nothing fails."""
    seen = replay(opens(10, 3, "a"), reads(10, 3), processes=(), further=block(0x218, b""))
    assert seen["fd.name"] == ["a", "a"]
