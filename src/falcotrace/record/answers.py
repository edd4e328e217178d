"""Answers of name servers, as programs received them: what recorded contents say of addresses.

In: the merged events of a block, whose sockets are described and named. Out: names of addresses
(`Known.names`), each from its answer on. An answer is what a program read from a socket whose other
end is port 53, over UDP or TCP. A loop over answers, none over other events.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from falcotrace.capture.address_names import NAME_SERVER_PORT
from falcotrace.protocols.dns_addresses import answered_addresses
from falcotrace.record.argument_sources import sources
from falcotrace.record.arguments import BUFFERS
from falcotrace.record.call import CallEvents
from falcotrace.record.known import Known, MergedEvents
from falcotrace.record.open_file import OpenFile

RECEIVING_CALLS: Final = ("read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg")
"""Calls whose contents can be an answer. Of `recvmmsg` the first message travels."""

_NUMBER_COUNT: Final = 1 << 16


def note_answers(events: MergedEvents, known: Known, numbers: Mapping[str, Sequence[int]]) -> None:
    """Learn names of addresses from the answers in a block.

    Args:
        events: the merged events; sockets are named with their peers.
        known: files, names.
        numbers: numbers of system calls by name.
    """
    rows = _from_name_servers(events, known, numbers) if known.data_bytes else np.empty(0, np.int64)
    if not len(rows):
        return
    names = {number: name for name in RECEIVING_CALLS for number in numbers.get(name, ())}
    of_rows = events.fixed["nr"][rows]
    answers = [
        answer
        for number in np.unique(of_rows).tolist()
        for answer in _payloads(
            names[number], CallEvents(number, rows[of_rows == number], events, known)
        )
    ]
    for place, payload, is_stream in sorted(answers):
        known.names.learn(place, answered_addresses(payload, is_stream=is_stream))


def _from_name_servers(
    events: MergedEvents, known: Known, numbers: Mapping[str, Sequence[int]]
) -> np.ndarray:
    """Events that have received contents from a name server."""
    is_receiving = np.zeros(_NUMBER_COUNT, np.bool_)
    is_receiving[[number for name in RECEIVING_CALLS for number in numbers.get(name, ())]] = True
    received = is_receiving[events.fixed["nr"]] & (events.data_index >= 0)
    rows = np.flatnonzero(received & (events.fixed["ret"] > 0))
    files, which = known.files.distinct(events.fixed["file_id"][rows].astype(np.int64))
    is_server = np.array([file is not None and _is_name_server(file) for file in files], np.bool_)
    return rows[is_server[which]] if len(rows) else rows


def _is_name_server(file: OpenFile) -> bool:
    return file.is_ip and not file.is_listening and file.remote.port == NAME_SERVER_PORT


def _payloads(name: str, call: CallEvents) -> Iterator[tuple[int, bytes, bool]]:
    """What the events of one call received, with its place in the stream of samples."""
    source = sources()[name]["data"]
    found, payloads = call.part_values(BUFFERS[source.verb], source.place)
    (is_tcp,) = call.file_flags("is_tcp")
    every = zip(call.positions.tolist(), payloads.tolist(), is_tcp.tolist(), strict=True)
    for place, number, is_stream in every:
        if number >= 0:
            yield place, found[number], is_stream
