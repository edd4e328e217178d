"""Changes to captures, most of which a reader of the format lets pass.

In: a random generator, and captures as blocks. Out: the bytes of a changed capture, and the names
of what was done to it. The same generator makes the same capture.
"""

import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import scap_storms
from scap_model import (
    DESCRIPTOR_LIST,
    EVENT_KINDS,
    PROCESS_LIST,
    Block,
    Event,
    entries_of,
    length_bytes,
)
from scap_values import EXTREMES, TEXTS, container, number, packed, text, value

from falcotrace.events.event_types import EVENT_TYPES

RELATIONS = ("tid", "pid", "ptid", "vtid", "vpid", "res", "reaper_tid", "vpgid", "pgid", "flags")
STATE_NAMES = frozenset(
    {"clone", "fork", "vfork", "clone3", "execve", "execveat", "procexit", "chdir", "fchdir"}
    | {"getcwd", "chroot", "setsid", "prctl", "setuid", "setgid", "setresuid", "capset", "unshare"}
    | {"setns", "setrlimit", "prlimit", "useradded", "userdeleted", "groupadded", "groupdeleted"}
    | {"container", "asyncevent", "open", "openat", "openat2", "creat", "open_by_handle_at"}
    | {"close", "close_range", "dup", "dup2", "dup3", "fcntl", "pipe", "pipe2", "socket", "bind"}
    | {"socketpair", "connect", "accept", "accept4", "sendto", "sendmsg", "send", "recvfrom"}
    | {"recvmsg", "recv", "recvmmsg", "sendmmsg", "read", "write", "pidfd_open", "pidfd_getfd"}
    | {"memfd_create", "bpf", "eventfd", "signalfd", "io_uring_setup", "poll", "ppoll", "splice"}
)
CODES = tuple(event.code for event in EVENT_TYPES if "UNUSED" not in event.flags)
STATE_CODES = tuple(code for code in CODES if EVENT_TYPES[code].name in STATE_NAMES)
CODES_BY_COUNT: Mapping[int, tuple[int, ...]] = {
    count: tuple(code for code in CODES if len(EVENT_TYPES[code].params) == count)
    for count in range(33)
}
LONGEST_BYTES = 3 << 20


@dataclass(slots=True)
class Case:
    """A capture that is being changed.

    Attributes:
        blocks: all of it.
        events: some events of it, for changes in place.
        known: numbers of threads and processes that occur.
        others: events of another capture.
    """

    blocks: list[Block | Event]
    events: list[Event]
    known: list[int]
    others: Sequence[Block | Event]

    def place(self, rng: random.Random) -> int:
        """Some place behind the metadata."""
        first = next((i for i, b in enumerate(self.blocks) if isinstance(b, Event)), 0)
        return rng.randint(first, len(self.blocks))


Mutation = Callable[[random.Random, Case], None]


def picked(rng: random.Random, case: Case) -> list[Event]:
    """A few events, or many."""
    if not case.events:
        return []
    return [rng.choice(case.events) for _ in range(rng.choice((1, 1, 3, 10, 60)))]


def parameters(rng: random.Random, case: Case) -> None:
    """Values at the ends of their types, of any kind of parameter."""
    for event in picked(rng, case):
        params = EVENT_TYPES[event.code].params[: len(event.params)]
        if params:
            place = rng.randrange(len(params))
            event.params[place] = value(rng, params[place], case.known)


def texts(rng: random.Random, case: Case) -> None:
    """All texts of an event are none."""
    for event in picked(rng, case):
        for place, param in enumerate(EVENT_TYPES[event.code].params[: len(event.params)]):
            if param.type in {"CHARBUF", "FSPATH", "FSRELPATH", "BYTEBUF"}:
                event.params[place] = text(rng)


def relations(rng: random.Random, case: Case) -> None:
    """Threads that are their own parents, children of their children, or of nobody."""
    few = rng.sample(case.known, min(len(case.known), rng.choice((1, 2, 3, 8)))) or [1]
    related = [event for event in case.events if event.place("ptid") is not None]
    for event in related or picked(rng, case):
        for name in rng.sample(RELATIONS, 3):
            place = event.place(name)
            if place is not None and event.params[place]:
                width = len(event.params[place])
                chosen = event.tid if rng.random() < 0.2 else rng.choice(few)
                if rng.random() < 0.1:
                    chosen = rng.choice(EXTREMES)
                event.params[place] = packed(chosen, width)
        if rng.random() < 0.3:
            event.tid = rng.choice(few)


def descriptors(rng: random.Random, case: Case) -> None:
    """Numbers of descriptors, and results that are some."""
    for event in case.events:
        if rng.random() < 0.3:
            for place, param in enumerate(EVENT_TYPES[event.code].params[: len(event.params)]):
                if param.type == "FD" or param.name in {"res", "first", "last"}:
                    event.params[place] = packed(number(rng, (3, 4, 5, 6)), 8)


def codes(rng: random.Random, case: Case) -> None:
    """Events that are others, with as many parameters."""
    for event in picked(rng, case):
        event.code = rng.choice(CODES_BY_COUNT.get(len(event.params)) or CODES)


def threads(rng: random.Random, case: Case) -> None:
    """Events of other threads."""
    for event in picked(rng, case):
        event.tid = signed(number(rng, case.known))


def times(rng: random.Random, case: Case) -> None:
    """Times before the epoch, at the end of time, and backwards."""
    for event in picked(rng, case):
        event.time_ns = rng.choice(
            (0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, event.time_ns // 2)
        )


def lengths(rng: random.Random, case: Case) -> None:
    """Lengths and counts that are not true."""
    for event in picked(rng, case):
        claim = rng.choice(("size", "count", "length"))
        event.claims[claim] = rng.choice((0, 1, 2, 5, 32, 33, 64, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
        event.claims["index"] = rng.randrange(32)


def counts(rng: random.Random, case: Case) -> None:
    """Parameters that older or newer writers have more or less of."""
    for event in picked(rng, case):
        keep = rng.randrange(33)
        event.params = [*event.params, text(rng)][:keep]


def kinds(rng: random.Random, case: Case) -> None:
    """Other types of event blocks, and flags."""
    for event in picked(rng, case):
        event.kind = rng.choice(EVENT_KINDS)
        event.flags = rng.choice((0, 1, 0xFFFFFFFF))
        event.cpu = rng.choice((0, 1, 0xFFFF))


def repeated(rng: random.Random, case: Case) -> None:
    """Blocks once more, or a hundred times."""
    at = rng.randrange(len(case.blocks))
    some = case.blocks[at : at + rng.choice((1, 1, 2, 20, 200))]
    place = case.place(rng)
    case.blocks[place:place] = some * rng.choice((1, 1, 2, 100 if len(some) < 3 else 3))


def reordered(rng: random.Random, case: Case) -> None:
    """Events in another order."""
    first = case.place(rng)
    some = case.blocks[first : first + rng.choice((2, 20, 1000))]
    rng.shuffle(some)
    case.blocks[first : first + len(some)] = some


def dropped(rng: random.Random, case: Case) -> None:
    """Blocks that are missing, metadata too."""
    at = rng.randrange(1, max(2, len(case.blocks)))
    del case.blocks[at : at + rng.choice((1, 1, 5, 50))]


def spliced(rng: random.Random, case: Case) -> None:
    """Events and metadata of another capture, perhaps a whole section."""
    if rng.random() < 0.2:
        case.blocks += [block.copy() for block in case.others]
        return
    at = rng.randrange(len(case.others))
    place = case.place(rng)
    case.blocks[place:place] = [block.copy() for block in case.others[at : at + 50]]


def made(rng: random.Random, case: Case) -> None:
    """Events out of nothing."""
    place, time_ns = case.place(rng), rng.choice((0, 10**18))
    known = rng.sample(case.known, min(len(case.known), 6))
    for _ in range(rng.choice((1, 10, 100, 300))):
        code = rng.choice(STATE_CODES if rng.random() < 0.8 else CODES)
        params = EVENT_TYPES[code].params
        event = Event(
            0x216,
            cpu=0,
            flags=0,
            time_ns=time_ns,
            tid=signed(rng.choice(known) if known and rng.random() < 0.9 else number(rng, known)),
            code=code,
            params=[value(rng, param, known) for param in params],
        )
        case.blocks.insert(place, event)
        place += 1
        time_ns += rng.choice((0, 1, 10**6, 3 * 10**9))


def processes(rng: random.Random, case: Case) -> None:
    """Process lists: relations in circles, numbers at the ends of their types."""
    for block in case.blocks:
        if isinstance(block, Block) and block.kind == PROCESS_LIST:
            body = bytearray(block.body)
            few = rng.sample(case.known, min(len(case.known), 4)) or [1]
            for start, end in entries_of(block.body, 0):
                if rng.random() < 0.5 and end - start > 60:
                    place = start + 4 + 8 * rng.randrange(5)
                    body[place : place + 8] = packed(number(rng, few), 8)
                if rng.random() < 0.2:
                    place = rng.randrange(start + 4, end)
                    body[place] = rng.choice((0, 1, 255, rng.randrange(256)))
            block.body = bytes(body)


def open_lists(rng: random.Random, case: Case) -> None:
    """Lists of descriptors: numbers, types and owners."""
    for block in case.blocks:
        if isinstance(block, Block) and block.kind == DESCRIPTOR_LIST and rng.random() < 0.7:
            body = bytearray(block.body)
            if rng.random() < 0.3:
                body[:8] = packed(number(rng, case.known), 8)
            for start, end in entries_of(block.body, 8):
                if rng.random() < 0.3 and end - start > 21:
                    body[start + 4 : start + 12] = packed(number(rng, (0, 1, 2)), 8)
                if rng.random() < 0.3 and end - start > 21:
                    body[start + 20] = rng.randrange(24)
                if rng.random() < 0.2:
                    body[rng.randrange(start + 4, end)] = rng.choice((0, 255, rng.randrange(256)))
            block.body = bytes(body)


def metadata(rng: random.Random, case: Case) -> None:
    """Bytes of metadata, and their order."""
    found = [i for i, block in enumerate(case.blocks) if isinstance(block, Block)][1:]
    if not found:
        return
    for _ in range(rng.choice((1, 5))):
        block = case.blocks[rng.choice(found)]
        assert isinstance(block, Block)
        body = bytearray(block.body)
        for _ in range(rng.choice((1, 4, 40)) if body else 0):
            place = rng.randrange(len(body))
            some = rng.choice((b"\0", b"\xff", rng.randbytes(4), rng.choice(TEXTS)[:30]))
            body[place : place + len(some)] = some
        block.body = bytes(body)
    if rng.random() < 0.3:
        place, other = rng.choice(found), rng.choice(found)
        case.blocks[place], case.blocks[other] = case.blocks[other], case.blocks[place]


def containers(rng: random.Random, case: Case) -> None:
    """Events about containers, and clones with control groups in between."""
    for _ in range(rng.choice((1, 5, 40))):
        place = case.place(rng)
        tid = rng.choice(case.known or [1])
        if rng.random() < 0.5:
            name = rng.choice((b"container\0", b"container_removed\0", b"\xff"))
            params = [b"\0\0\0\0", name, container(rng)]
            event = Event(0x217, 0, 0, 10**18, tid, scap_storms.CODE["ASYNCEVENT_E"], params)
        else:
            code = scap_storms.CODE[rng.choice(("CONTAINER_JSON_E", "CONTAINER_JSON_2_E"))]
            event = Event(0x216, 0, 0, 10**18, tid, code, [container(rng)])
        event.params = [p[: (1 << 8 * length_bytes(event.code)) - 1] for p in event.params]
        case.blocks.insert(place, event)


def storms(rng: random.Random, case: Case) -> None:
    """Very much of one thing."""
    place = case.place(rng)
    case.blocks[place:place] = scap_storms.storm(rng, rng.choice(case.known or [1]))


def flips(rng: random.Random, data: bytearray) -> None:
    """Bits."""
    for _ in range(rng.choice((1, 2, 20, 200))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def words(rng: random.Random, data: bytearray) -> None:
    """Numbers anywhere."""
    for _ in range(rng.choice((1, 5, 50))):
        at = rng.randrange(len(data)) & ~3
        some = packed(rng.choice(EXTREMES), rng.choice((1, 2, 4, 8)))
        data[at : at + len(some)] = some


def cuts(rng: random.Random, data: bytearray) -> None:
    """The end is missing, or a piece in the middle."""
    at = rng.randrange(len(data))
    del data[at : len(data) if rng.random() < 0.5 else at + rng.choice((1, 4, 40, 4000))]


MUTATIONS: Mapping[str, tuple[int, Mutation]] = {
    "parameters": (14, parameters),
    "texts": (5, texts),
    "relations": (12, relations),
    "descriptors": (10, descriptors),
    "codes": (8, codes),
    "threads": (8, threads),
    "times": (4, times),
    "lengths": (5, lengths),
    "counts": (5, counts),
    "kinds": (3, kinds),
    "repeated": (5, repeated),
    "reordered": (6, reordered),
    "dropped": (4, dropped),
    "spliced": (5, spliced),
    "made": (25, made),
    "processes": (8, processes),
    "open_lists": (6, open_lists),
    "metadata": (5, metadata),
    "containers": (6, containers),
    "storms": (2, storms),
}
"""Changes of blocks by name, and how often each is chosen beside the others."""

BYTE_MUTATIONS = {"flips": flips, "words": words, "cuts": cuts}


def mutated(
    rng: random.Random, blocks: Sequence[Block | Event], others: Sequence[Block | Event]
) -> tuple[bytes, list[str]]:
    """A changed capture, and what was done."""
    case = _case(rng, blocks, others)
    names = list(MUTATIONS)
    weights = [weight for weight, _ in MUTATIONS.values()]
    done = rng.choices(names, weights, k=rng.choice((1, 1, 2, 3, 5)))
    for name in done:
        MUTATIONS[name][1](rng, case)
    data = bytearray(b"".join(block.encoded() for block in case.blocks)[:LONGEST_BYTES])
    if rng.random() < 0.12:
        name = rng.choice(list(BYTE_MUTATIONS))
        BYTE_MUTATIONS[name](rng, data)
        done.append(name)
    return bytes(data), done


def _case(
    rng: random.Random, blocks: Sequence[Block | Event], others: Sequence[Block | Event]
) -> Case:
    """The metadata of a capture and a few hundred of its events."""
    head = [block.copy() for block in blocks if isinstance(block, Block)]
    all_events = [block for block in blocks if isinstance(block, Event)]
    first = rng.randrange(max(1, len(all_events) - 100))
    events = [event.copy() for event in all_events[first : first + rng.choice((20, 100, 300))]]
    known = {event.tid for event in events}
    for block in head:
        if block.kind == PROCESS_LIST:
            places = entries_of(block.body, 0)
            known |= {struct.unpack_from("<q", block.body, start + 4)[0] for start, _ in places}
    return Case([*head, *events], events, sorted(known), others)


def signed(found: int) -> int:
    """A number as eight bytes with a sign hold it."""
    found %= 1 << 64
    return found - (1 << 64) if found >> 63 else found
