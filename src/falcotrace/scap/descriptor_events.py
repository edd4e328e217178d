"""What events do to descriptors beside moving their numbers: make, connect, exchange, take over.

In: events that are read one by one. Out: changes of the tables.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp.
"""

from collections.abc import Iterator

from falcotrace.scap import sockets
from falcotrace.scap.descriptor import Descriptor
from falcotrace.scap.descriptor_kinds import PLAIN_DESCRIPTORS, plain_descriptor
from falcotrace.scap.descriptor_table import CLOSED
from falcotrace.scap.descriptor_tables import DescriptorTables
from falcotrace.scap.opens import O_CLOEXEC
from falcotrace.scap.parameters import Parameters, parameter_index

_EINPROGRESS = -115
_CLOSE_RANGE_CLOEXEC = 4

_RECEIVES = frozenset({"recvfrom", "recvmsg", "recv", "recvmmsg"})
_SENDS = frozenset({"sendto", "sendmsg", "send", "sendmmsg"})


class DescriptorEvents(DescriptorTables):
    """Tables of descriptors, and the events that make or change what is in them."""

    NAMES = (
        frozenset({"socket", "socketpair", "bind", "connect", "accept", "accept4", "close_range"})
        | {"pipe", "pipe2", "memfd_create", "pidfd_open", "pidfd_getfd", "bpf"}
        | _RECEIVES
        | _SENDS
        | PLAIN_DESCRIPTORS.keys()
    )
    """Events that `handle` knows."""

    def handle(self, name: str, event: Parameters, tid: int, entered: Parameters | None) -> None:
        """Any other event of `NAMES`."""
        if name in _RECEIVES or name in _SENDS:
            self._exchange(name, event, tid)
        elif name == "connect":
            self._connect(event, tid, entered)
        elif event.number(0, -1) >= 0:
            self._made_by(name, event, tid)

    def _made_by(self, name: str, event: Parameters, tid: int) -> None:
        row, result = event.row, event.number(0)
        match name:
            case "socket":
                made = sockets.new_socket(event.number(1), event.number(2), event.number(3))
                self.put_new(tid, result, row, made, is_closing=_closes(event.number(4)))
            case "socketpair":
                for place, made in enumerate(
                    sockets.socket_pair(event.number(3), event.number(4)), start=1
                ):
                    self.put_new(tid, event.number(place), row, made)
            case "bind":
                self._bind(tid, event.number(2, -1), row, event.raw(1))
            case "accept" | "accept4":
                closing = name == "accept4" and _closes(event.number(5))
                if (taken := sockets.accepted(event.raw(1))) is not None:
                    self.put_new(tid, result, row, taken, is_closing=closing)
            case "pipe" | "pipe2":
                self._pipe(name, event, tid)
            case "close_range":
                self._close_range(event, tid)
            case "pidfd_getfd":
                self._take_from(event, tid)
            case _:
                made, is_closing = plain_descriptor(name, event)
                self.put_new(tid, result, row, made, is_closing=is_closing)

    def _bind(self, tid: int, fd: int, row: int, address: bytes) -> None:
        before = self.descriptor(tid, fd)
        if before is not None:
            self.change(tid, fd, row, sockets.bound(before, address))

    def _pipe(self, name: str, event: Parameters, tid: int) -> None:
        closing = name == "pipe2" and _closes(event.number(4))
        for place in (1, 2):
            made, _ = plain_descriptor("pipe", event)
            self.put_new(tid, event.number(place), event.row, made, is_closing=closing)

    def _close_range(self, event: Parameters, tid: int) -> None:
        first, last, flags = event.number(1), event.number(2), event.number(3)
        table = self.table_of(tid)
        if table is None:
            return
        for fd in [fd for fd in table.entries if first <= fd <= last]:
            if flags & _CLOSE_RANGE_CLOEXEC:
                table.entries[fd] |= 1
            else:
                del table.entries[fd]
                self._log.add(table, fd, event.row, CLOSED)

    def _take_from(self, event: Parameters, tid: int) -> None:
        pidfd = self.descriptor(tid, event.number(1, -1))
        source = None if pidfd is None else self.descriptor(pidfd.pid, event.number(2, -1))
        if source is not None:
            self.put_new(tid, event.number(0), event.row, source, is_closing=True)

    def _connect(self, event: Parameters, tid: int, entered: Parameters | None) -> None:
        result = event.number(0, -1)
        fd = event.number(2, -1)
        before = self.descriptor(tid, fd)
        if before is None or (result < 0 and result != _EINPROGRESS):
            return
        entered_address = entered.raw(1) if entered is not None else b""
        changed = sockets.connected(before, result, event.raw(1), event.raw(3), entered_address)
        self.change(tid, fd, event.row, changed)

    def _exchange(self, name: str, event: Parameters, tid: int) -> None:
        if event.number(0, -1) < 0:
            return
        fd = event.number(parameter_index(event.code, "fd"), -1)
        pair = event.raw(parameter_index(event.code, "tuple"))
        before = self.descriptor(tid, fd)
        is_receive = name in _RECEIVES
        if before is None:
            if name in _SENDS and pair and (made := self._assumed(tid, pair)) is not None:
                self.put_new(tid, fd, event.row, made)
            return
        changed = sockets.exchanged(
            before,
            pair,
            is_receive=is_receive,
            others=self._others(tid),
            interfaces=self._interfaces,
        )
        self.change(tid, fd, event.row, changed)

    def _assumed(self, tid: int, pair: bytes) -> Descriptor | None:
        others = self._others(tid)
        return sockets.assumed_udp(pair, others=others, interfaces=self._interfaces)

    def _others(self, tid: int) -> Iterator[Descriptor]:
        """All descriptors of a thread; most of those who ask do not go through them."""
        table = self.table_of(tid)
        if table is not None:
            yield from (self._descriptor(entry >> 1) for entry in table.entries.values())


def _closes(flags: int) -> bool:
    return bool(flags & O_CLOEXEC)
