"""The network side of open captures: what `Captures.network` is.

    with ft.open("capture.parquet") as capture:
        capture.network.conversations
        capture.network.dns
        capture.network.stream(event=4711).sent

In: open captures. Out: conversations, messages and streams, read when they are first asked for.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import cast

import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.conditions import matching_rows
from falcotrace.errors import FalcoTraceError
from falcotrace.network.conversations import join_sockets
from falcotrace.network.messages import Body, Message, find_messages, protocol_of
from falcotrace.network.model import Conversation
from falcotrace.network.packet_join import JoinReport, join_packets
from falcotrace.network.packet_names import names_in
from falcotrace.network.pcap import PcapReport, write_conversations
from falcotrace.network.picture import Lane
from falcotrace.network.streams import Stream, find_socket, find_tuple, follow_socket
from falcotrace.network.tables import (
    CONVERSATION_SCHEMA,
    DNS_SCHEMA,
    HTTP_SCHEMA,
    TLS_SCHEMA,
    conversation_row,
    dns_row,
    http_row,
    tls_row,
)
from falcotrace.network.traffic import Traffic
from falcotrace.outputs.listing import Listing
from falcotrace.protocols.dns import DnsMessage
from falcotrace.protocols.http import HttpRequest, HttpResponse
from falcotrace.protocols.tls import ClientHello
from falcotrace.rules.condition import load_columns, load_condition
from falcotrace.rules.shipped import shipped_rules

MESSAGES_MAX = 1_000_000
"""More messages are not listed at once: they would fill the memory."""

NO_CONTENTS = "nothing that was sent is in the capture: record it with `--snaplen sockets=512`"


class Network:
    """What processes of open captures said to others. Make it with `Captures.network`."""

    def __init__(self, captures: Sequence[Capture]) -> None:
        self._captures = captures
        self._traffic = Traffic(captures)

    @cached_property
    def conversations(self) -> Listing[Conversation]:
        """All conversations of which both ends are known, in the order of their first events.

        Raises:
            CaptureError: a capture is damaged.
        """
        found = join_sockets(self._traffic.sockets)
        return Listing(found, CONVERSATION_SCHEMA, self._conversation_row, self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing that captures do not have."""
        files = [file for file in self._traffic.files if not file.has_contents]
        several = len(self._traffic.files) > 1
        return tuple(
            f"{file.path.name}: {NO_CONTENTS}" if several else NO_CONTENTS for file in files
        )

    @cached_property
    def messages(self) -> tuple[Message[Body], ...]:
        """Messages that could be decoded, in the order of events, of many only the first found."""
        found = find_messages(self._traffic, self.conversations)
        return tuple(sorted(islice(found, MESSAGES_MAX), key=lambda message: message.place))

    @property
    def _message_notes(self) -> tuple[str, ...]:
        is_full = len(self.messages) == MESSAGES_MAX
        return (
            (*self.notes, f"only {MESSAGES_MAX:,} messages were decoded") if is_full else self.notes
        )

    @property
    def dns(self) -> Listing[Message[DnsMessage]]:
        """DNS questions and answers."""
        found = [item for item in self.messages if isinstance(item.body, DnsMessage)]
        return Listing(
            cast("list[Message[DnsMessage]]", found), DNS_SCHEMA, dns_row, self._message_notes
        )

    @property
    def http(self) -> Listing[Message[HttpRequest | HttpResponse]]:
        """Heads of HTTP requests and responses."""
        found = [
            item for item in self.messages if isinstance(item.body, HttpRequest | HttpResponse)
        ]
        typed = cast("list[Message[HttpRequest | HttpResponse]]", found)
        return Listing(typed, HTTP_SCHEMA, http_row, self._message_notes)

    @property
    def tls(self) -> Listing[Message[ClientHello]]:
        """First messages of TLS clients."""
        found = [item for item in self.messages if isinstance(item.body, ClientHello)]
        return Listing(
            cast("list[Message[ClientHello]]", found), TLS_SCHEMA, tls_row, self._message_notes
        )

    @cached_property
    def _names(self) -> dict[int, tuple[str, dict[str, None]]]:
        """Protocol and names of conversations that have any, by the number of the first socket."""
        found: dict[int, tuple[str, dict[str, None]]] = {}
        for message in self.messages:
            number = self.conversations[message.conversation].sockets[0].number
            _, names = found.setdefault(number, (protocol_of(message.body), {}))
            names |= dict.fromkeys(names_in(message.body))
        return found

    def protocol(self, conversation: Conversation) -> str:
        """What a conversation speaks: "dns", "http", "tls", or "" where that is not known."""
        return self._names.get(conversation.sockets[0].number, ("", {}))[0]

    def names(self, conversation: Conversation) -> tuple[str, ...]:
        """Names of hosts that a conversation is about."""
        return tuple(self._names.get(conversation.sockets[0].number, ("", {}))[1])

    def _conversation_row(self, item: Conversation) -> dict[str, object]:
        return conversation_row(item, self.protocol(item), self.names(item))

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Conversations by program and other end, in the order of their first events."""
        found: dict[tuple[str, str, bool], list[Conversation]] = {}
        for one in self.conversations:
            for end in one.sockets:
                peer = one.client.address if end.is_server else str(one.server)
                found.setdefault((end.process.name, peer, end.is_server), []).append(one)
        addresses = {key: key[1] if key[2] else key[1].rpartition(":")[0] for key in found}
        return tuple(
            Lane(key[0], key[1], self._address_names.get(addresses[key], ()), key[2], tuple(those))
            for key, those in found.items()
        )

    @cached_property
    def _address_names(self) -> dict[str, tuple[str, ...]]:
        """What addresses were asked for as, from the answers in the captures, whenever given."""
        found: dict[str, dict[str, None]] = {}
        for message in self.dns:
            asked = [name for name, _ in message.body.questions[:1]]
            for record in message.body.records:
                if record.kind in ("A", "AAAA"):
                    found.setdefault(record.value, {}).update(dict.fromkeys(asked))
        return {address: tuple(names) for address, names in found.items()}

    def stream(self, event: int | None = None, *, tuple_text: str = "") -> Stream:
        """Follow one socket.

        Args:
            event: `evt.num` of an event that is about it; with several captures a tuple is needed.
            tuple_text: or its two ends, as `fd.name` has them.

        Raises:
            FalcoTraceError: there is no such socket.
        """
        if event is None:
            return follow_socket(self._traffic, find_tuple(self._traffic, tuple_text))
        if len(self._captures) != 1:
            raise FalcoTraceError(
                f"{len(self._captures)} captures are open, and each has an event {event}: "
                "name the socket by its two ends, or open one capture"
            )
        return follow_socket(self._traffic, find_socket(self._traffic, file=0, num=event))

    def write_pcap(self, path: Path, condition: str = "", *, force: bool = False) -> PcapReport:
        """Rebuild conversations as packets, in a pcapng file.

        Args:
            path: the file to write.
            condition: only conversations with an event for which this holds; all if "".
            force: whether a file of that name may be replaced.

        Raises:
            RulesError: the condition cannot be used.
            FalcoTraceError: the file exists, or cannot be written.
        """
        chosen: Sequence[Conversation] = self.conversations
        if condition:
            wanted = self._sockets_where(condition)
            chosen = [item for item in chosen if any(end.number in wanted for end in item.sockets)]
        return write_conversations(self._traffic, chosen, path, force=force)

    def join_pcap(self, pcap: Path, output: Path, *, force: bool = False) -> JoinReport:
        """Write a table of packets captured beside the recording, with their processes.

        Args:
            pcap: a pcap or pcapng file.
            output: the Parquet file to write.
            force: whether a file of that name may be replaced.

        Raises:
            FalcoTraceError: a file cannot be read or written.
        """
        files = [file.path for file in self._traffic.files]
        return join_packets(pcap, self.conversations, files, output, force=force)

    def _sockets_where(self, condition: str) -> set[int]:
        rule = load_condition(condition, [shipped_rules()])
        columns = load_columns("evt.num")
        found: set[int] = set()
        for place, capture in enumerate(self._captures):
            batches = matching_rows([capture], rule, columns, ScanOptions())
            nums = [batch.column(0) for batch in batches]
            if nums:
                found.update(self._traffic.sockets_of_events(place, pa.chunked_array(nums)))
        return found

    def _repr_html_(self) -> str:
        return self.conversations._repr_html_()
