"""Datagram sockets and their peers: whom each message went to or came from.

A datagram socket that is not connected has no other end, but every sendto and recvfrom names one.
`fd.name` then shows the pair of this exchange, and goes on showing it in the calls after it, as in
Falco (STATE 6.4).

In: the merged events of a block, whose sockets are described. Out: events that name a socket
together with its peer (`OpenFiles.add_exchange`) instead of the bare socket. A loop for each
distinct pair, none for each event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.record.addresses import Endpoint, parse_endpoint
from falcotrace.record.call import CallEvents
from falcotrace.record.files import OpenFiles
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.known import Known, MergedEvents
from falcotrace.record.layout import PartKind, Role
from falcotrace.record.open_file import OpenFile

_SENDS = {
    "sendto": (PartKind.SOCKADDR, 4),
    "sendmsg": (PartKind.MSG_NAME, 1),
    "sendmmsg": (PartKind.MSG_NAME, 1),
}
_RECEIVES = {
    "recvfrom": (PartKind.SOCKADDR, 4),
    "recvmsg": (PartKind.MSG_NAME, 1),
    "recvmmsg": (PartKind.MSG_NAME, 1),
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """Messages with a peer: their events, the peer, whether they were sent."""

    rows: np.ndarray
    peers: np.ndarray
    is_sent: np.ndarray


@dataclass
class Exchanges:
    """Peers of the datagram sockets of a recording."""

    interfaces: Interfaces
    _current: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    _peers: dict[Endpoint, int] = field(default_factory=dict)
    _addresses: list[Endpoint] = field(default_factory=list)
    _numbers: dict[tuple[int, int, bool], int] = field(default_factory=dict)

    def name(
        self, events: MergedEvents, known: Known, numbers: Mapping[str, Sequence[int]]
    ) -> None:
        """Name sockets with their peers in `events.fixed`, and what they were in `events.before`.

        Args:
            events: the merged events; changed.
            known: files, texts.
            numbers: numbers of system calls by name.
        """
        seen = self._messages(events, known, numbers)
        if not len(seen.rows) and not len(self._current):
            return
        ids = events.fixed["file_id"].astype(np.int64)
        self._make_room(int(ids.max(initial=0)))
        has_peer = self._current > 0
        has_peer[ids[seen.rows]] = True
        rows = np.flatnonzero(has_peer[ids])
        rows = rows[np.argsort(ids[rows], kind="stable")]
        if len(rows):
            self._follow(rows, ids[rows], seen, events, known.files)

    def _make_room(self, file_id: int) -> None:
        missing = file_id + 1 - len(self._current)
        if missing > 0:
            self._current = np.pad(self._current, (0, missing + len(self._current)))

    def _messages(
        self, events: MergedEvents, known: Known, numbers: Mapping[str, Sequence[int]]
    ) -> _Seen:
        rows: list[np.ndarray] = [np.empty(0, np.int64)]
        peers: list[np.ndarray] = [np.empty(0, np.int64)]
        sent: list[np.ndarray] = [np.empty(0, np.bool_)]
        for places, is_sent in ((_SENDS, True), (_RECEIVES, False)):
            found_calls = (
                (number, *where) for name, where in places.items() for number in numbers[name]
            )
            for number, kind, place in found_calls:
                of_call = np.flatnonzero(events.fixed["nr"] == number)
                if not len(of_call):
                    continue
                call = CallEvents(number, of_call, events, known)
                found, addresses, indices = call.part_bytes(kind, place)
                codes = np.array([self._peer(raw) for raw in addresses], np.int64)
                rows.append(found)
                peers.append(codes[indices] if len(found) else codes)
                sent.append(np.full(len(found), is_sent))
        every = _Seen(np.concatenate(rows), np.concatenate(peers), np.concatenate(sent))
        ids, indices = distinct(events.fixed["file_id"][every.rows])
        files, which = known.files.distinct(ids)
        counts = np.array([_is_datagram(file) for file in files], np.bool_)[which]
        counts = counts[indices] & (events.fixed["ret"][every.rows] >= 0) & (every.peers >= 0)
        return _Seen(every.rows[counts], every.peers[counts], every.is_sent[counts])

    def _peer(self, raw: bytes) -> int:
        """The number of a peer's address; -1 for what is no IP address."""
        endpoint = parse_endpoint(raw)
        if endpoint is None:
            return -1
        number = self._peers.setdefault(endpoint, len(self._addresses))
        if number == len(self._addresses):
            self._addresses.append(endpoint)
        return number

    def _follow(
        self,
        rows: np.ndarray,
        ids: np.ndarray,
        seen: _Seen,
        events: MergedEvents,
        files: OpenFiles,
    ) -> None:
        """Carry each socket's last peer forward over its events; `rows` are sorted by socket."""
        peers = np.full(len(events.fixed), -1, np.int64)
        peers[seen.rows] = seen.peers
        sends = np.zeros(len(events.fixed), np.bool_)
        sends[seen.rows] = seen.is_sent
        peers, sends = peers[rows], sends[rows]
        starts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
        group = np.repeat(np.arange(len(starts)), np.diff([*starts.tolist(), len(ids)]))
        last = _last(peers >= 0, starts[group])
        has_sent = _last(sends, starts[group]) >= 0
        before = self._current[ids[starts]]
        sent_before = np.array([_is_connected(files, number) for number in before.tolist()])
        is_connected = has_sent | sent_before[group]
        effective = np.where(before[group] > 0, before[group], ids)
        has_peer = last >= 0
        keys = np.column_stack([ids, peers[last], is_connected])[has_peer]
        found, places = np.unique(keys, axis=0, return_inverse=True)
        exchanges = [self._number((key[0], key[1], bool(key[2])), files) for key in found.tolist()]
        effective[has_peer] = np.array(exchanges, np.int64)[places.reshape(-1)]
        earlier = np.concatenate([effective[:1], effective[:-1]])
        earlier[starts] = np.where(before > 0, before, ids[starts])
        events.fixed["file_id"][rows] = effective
        events.before[rows[peers >= 0]] = earlier[peers >= 0]
        ends = np.append(starts[1:], len(ids)) - 1
        self._current[ids[ends]] = effective[ends]

    def _number(self, key: tuple[int, int, bool], files: OpenFiles) -> int:
        number = self._numbers.get(key)
        if number is None:
            socket_id, peer, is_connected = key
            file = files[socket_id]
            assert file is not None
            exchange = self._with_peer(file, self._addresses[peer], is_connected=is_connected)
            number = self._numbers[key] = files.add_exchange(exchange)
        return number

    def _with_peer(self, file: OpenFile, remote: Endpoint, *, is_connected: bool) -> OpenFile:
        local = file.local
        if local.is_any:
            local = Endpoint(self.interfaces.address_towards(remote.address), local.port)
        kind = "ipv4" if len(remote.address) == 4 else "ipv6"
        role = file.role if file.role is not Role.NONE else Role.CLIENT
        return replace(
            file,
            type=kind,
            local=local,
            remote=remote,
            role=role,
            is_listening=False,
            is_connected=is_connected or file.is_connected,
        )


def _last(marks: np.ndarray, group_starts: np.ndarray) -> np.ndarray:
    """For each element the index of the last mark up to it in its group; -1 without one."""
    marked = np.where(marks, np.arange(len(marks)), -1)
    last = np.maximum.accumulate(marked)
    return np.where(last >= group_starts, last, -1)


def _is_datagram(file: OpenFile | None) -> bool:
    return file is not None and file.is_ip and file.protocol != "tcp"


def _is_connected(files: OpenFiles, file_id: int) -> bool:
    file = files[file_id] if file_id else None
    return file is not None and file.is_connected
