"""Joins sockets to conversations: the two ends of one are two sockets, where both were recorded."""

from collections.abc import Iterable

from falcotrace.network.model import Conversation, Endpoint, Socket

REUSE_NS = 60_000_000_000
"""Linux gives the ends of a closed connection to no other for so long (TCP_TIMEWAIT_LEN)."""

_Key = tuple[str, str, Endpoint, Endpoint]


def join_sockets(sockets: Iterable[Socket]) -> tuple[Conversation, ...]:
    """Conversations in the order of their first events.

    Ports are used again: a socket begins another conversation where its end of the one before has
    been seen already, or that one was over long before it began. A server may well take a
    connection when its client has closed it already.

    Args:
        sockets: in the order of their first events.
    """
    found: list[list[Socket]] = []
    current: dict[_Key, list[Socket]] = {}
    for socket in sockets:
        key = (socket.scope, socket.transport, socket.client, socket.server)
        ends = current.get(key)
        if ends is None or not _is_other_end(ends, socket):
            ends = current[key] = []
            found.append(ends)
        ends.append(socket)
    return tuple(Conversation(_end(ends, False), _end(ends, True)) for ends in found)


def _is_other_end(ends: list[Socket], socket: Socket) -> bool:
    other = ends[0]
    is_soon = socket.first.time_ns <= other.last.time_ns + REUSE_NS
    return len(ends) == 1 and other.is_server != socket.is_server and is_soon


def _end(ends: list[Socket], is_server: bool) -> Socket | None:  # noqa: FBT001 - one of two
    return next((end for end in ends if end.is_server == is_server), None)
