"""Who was talked to over the network: one row for each program and other end.

In: activities. Out: peers, those outside this host first.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.investigate.actions import ACCEPTED, CONNECTED, RECEIVED, SENT
from falcotrace.investigate.activities import Activity
from falcotrace.investigate.processes import Processes

_TALKS = frozenset((ACCEPTED, CONNECTED, RECEIVED, SENT))
_FAMILIES = ("ipv4", "ipv6")


@dataclass(slots=True)
class Peer:
    """A program and who it talked to.

    Attributes:
        program: its command line.
        remote: the other end: address and port, of clients the address alone.
        address: its address.
        is_client: whether the other end came to the program.
        is_local: whether the other end is this host.
        processes: who talked, by number.
        first_ns: when first, ns since the epoch.
        first_num: the event that shows it first.
        capture: number of the capture of that event.
        sent_bytes: what was sent to it.
        received_bytes: what it sent.
    """

    program: str
    remote: str
    address: str
    is_client: bool
    is_local: bool
    first_ns: int
    first_num: int
    capture: int
    processes: set[int] = field(default_factory=set)
    sent_bytes: int = 0
    received_bytes: int = 0

    def add(self, one: Activity) -> None:
        """Count what a process did."""
        self.processes.add(one.process)
        if one.action == SENT:
            self.sent_bytes += max(0, one.moved_bytes)
        elif one.action == RECEIVED:
            self.received_bytes += max(0, one.moved_bytes)


def peers_of(activities: Iterable[Activity], processes: Processes) -> list[Peer]:
    """Peers in order: outside this host before inside it, then by time.

    Args:
        activities: in order of time.
        processes: of the same captures.
    """
    found: dict[tuple[str, str, str, bool], Peer] = {}
    for one in activities:
        if one.thing.kind not in _FAMILIES or one.action not in _TALKS or not one.remote:
            continue
        address, _, port = one.remote.rpartition(":")
        process = processes[one.process]
        remote = address if one.is_server else _joined(address, port)
        key = (process.cmdline, remote, address, one.is_server)
        if key not in found:
            found[key] = Peer(*(*key, _is_local(address), one.first_ns, one.first_num, one.capture))
        found[key].add(one)
    return sorted(found.values(), key=lambda peer: (peer.is_local, peer.first_ns))


def names_of(captures: Iterable[Capture]) -> dict[str, tuple[str, ...]]:
    """Names that recorded answers of name servers gave to addresses, by address.

    Raises:
        CaptureError: a capture is damaged.
    """
    found: dict[str, tuple[str, ...]] = {}
    for capture in captures:
        if not {"fd.rip", "fd.rip_name"} & (capture.lacking | capture.unrecorded):
            connection = connect_captures([capture], DatabaseOptions(is_confined=False))
            for address, names in connection.sql(_NAMES).fetchall():
                found[address] = tuple(dict.fromkeys((*found.get(address, ()), *names)))
    return found


_NAMES = """
    SELECT fd.rip, list_sort(list_distinct(flatten(list(DISTINCT fd.rip_name)))) FROM events
    WHERE fd.rip IS NOT NULL AND len(fd.rip_name) > 0 GROUP BY ALL LIMIT 10000
"""


def _joined(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
