"""Answers of name servers in a batch, and the names of addresses that they tell.

In: a batch and its state. Out: names of addresses, each from its answer on. What looks like an
answer is found among all contents at once; only of that is asked which socket it came from. A loop
over answers, none over other events.

DIFFERS: Falco asks the name servers of today about the addresses of an old capture, or none.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from falcotrace.capture.address_names import NAME_SERVER_PORT, AddressNames
from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.protocols.dns_addresses import answered_addresses
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.descriptor import CONNECTIONS, L4, Descriptor, Role
from falcotrace.scap.parameters import numbers, parameter_index

if TYPE_CHECKING:
    from falcotrace.scap.state import BatchState

Integers = npt.NDArray[np.int64]

_RECEIVING: Final = frozenset({"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"})
_HEADER_BYTES: Final = 12
_LENGTH_BYTES: Final = 2
"""In front of a message in a stream."""


def note_answers(batch: EventBatch, state: "BatchState", names: AddressNames) -> None:
    """Learn names of addresses from the answers in a batch; places are rows."""
    found: list[tuple[int, bytes, bool]] = []
    for code, params in batch.params.items():
        event = EVENT_TYPES[code]
        if event.name not in _RECEIVING or event.direction == "enter":
            continue
        place = parameter_index(code, "data")
        starts, lengths = params.offsets[:, place], params.lengths[:, place].astype(np.int64)
        may_be = _may_be_answer(batch, starts, lengths, 0)
        may_be |= _may_be_answer(batch, starts, lengths, _LENGTH_BYTES)
        may_be &= ~batch.is_carried[params.rows]
        chosen = np.flatnonzero(may_be)
        fds = numbers(batch, code, "fd", -1)[chosen] if len(chosen) else chosen
        sockets = _sockets(state, params.rows[chosen], fds)
        for at, socket in zip(chosen.tolist(), sockets, strict=True):
            if socket is not None and _peer_port(socket) == NAME_SERVER_PORT:
                start = int(starts[at])
                payload = batch.data[start : start + int(lengths[at])].tobytes()
                found.append((int(params.rows[at]), payload, socket.ends.l4 == L4.TCP))
    for row, payload, is_stream in sorted(found):
        names.learn(row, answered_addresses(payload, is_stream=is_stream))


def _may_be_answer(
    batch: EventBatch, starts: Integers, lengths: Integers, begin: int
) -> npt.NDArray[np.bool_]:
    """Which contents have, from a byte on, the header of a granted answer to one question."""
    is_long = lengths >= begin + _HEADER_BYTES
    may_be = np.zeros(len(starts), np.bool_)
    places = starts[is_long] + begin
    data = batch.data
    is_good = (data[places + 2] & 0xF8 == 0x80) & (data[places + 3] & 0x4F == 0)
    is_one = (data[places + 4] == 0) & (data[places + 5] == 1)
    may_be[is_long] = is_good & is_one
    return may_be


def _sockets(state: "BatchState", rows: Integers, fds: Integers) -> list[Descriptor | None]:
    """The connections behind events' descriptors; None for anything else."""
    count = len(state.descriptors.files)
    places = state.places_behind(rows, fds) - count if len(rows) else rows
    others = state.descriptors.others
    found = [others[place] if place >= 0 else None for place in places.tolist()]
    return [one if one is not None and one.type in CONNECTIONS else None for one in found]


def _peer_port(socket: Descriptor) -> int:
    """The port of whoever sent: who asks a name server must not be taken for one."""
    is_server = socket.role is Role.SERVER
    return socket.ends.source_port if is_server else socket.ends.destination_port
