"""Network traffic that was really made: recorded, decoded, rebuilt as packets, joined again."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scapy.layers.dns import DNS
from scapy.utils import RawPcapWriter, rdpcap

from falcotrace.api import Captures, open_captures
from falcotrace.network.network import Network
from falcotrace.protocols.http import HttpRequest, HttpResponse
from live.behaviours.activity.network import ADDRESS, ANSWER, NAME, PAGE
from live.behaviours.recordings import ACTIVITY, record
from unit.network.test_pcap import is_fault, tshark

pytestmark = pytest.mark.live

SNAPLEN = 2_000


_EVERY_PROTOCOL = socket.htons(3)


@pytest.fixture(scope="module")
def folder(live_kernel: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of DNS, HTTP and TLS over loopback, and the packets that the kernel saw."""
    made = tmp_path_factory.mktemp("network")
    script = ACTIVITY / "network.py"
    with beside(made / "beside.pcap"):
        options = ("--snaplen", f"files=0,sockets={SNAPLEN}")
        record([sys.executable, str(script)], made / "network.parquet", *options)
    return made


@contextmanager
def beside(path: Path) -> Iterator[None]:
    """Write the packets of loopback to a file, as tcpdump does, with the test's own addresses."""
    is_over = threading.Event()
    address = socket.inet_aton(ADDRESS)

    def sniff() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _EVERY_PROTOCOL) as tap:
            tap.bind(("lo", 0))
            tap.settimeout(0.2)
            begun.set()
            with RawPcapWriter(str(path), linktype=1, nano=True) as writer:
                writer.write_header(None)
                while not is_over.is_set():
                    with suppress(TimeoutError):
                        data, (*_, kind, _, _) = tap.recvfrom(1 << 16)
                        seconds, rest_ns = divmod(time.time_ns(), 1_000_000_000)
                        # Loopback shows each packet twice: as it goes out and as it comes in.
                        if kind == socket.PACKET_OUTGOING and address in data[26:34]:
                            writer.write_packet(data, sec=seconds, usec=rest_ns)

    begun = threading.Event()
    thread = threading.Thread(target=sniff)
    thread.start()
    begun.wait(10)
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.fixture(scope="module")
def capture(folder: Path) -> Captures:
    """The recording, open."""
    return open_captures(folder / "network.parquet")


@pytest.fixture
def network(capture: Captures) -> Network:
    """Its network side."""
    assert not capture.has_losses
    return capture.network


def test_conversations(network: Network) -> None:
    """One conversation for each, though both ends were recorded; both processes are known."""
    found = {item.server.port: item for item in network.conversations}
    assert sorted(found) == [53, 80, 443]
    assert len(network.conversations) == 3
    for item in found.values():
        client, server = item.sockets
        assert client.process.pid != server.process.pid
        assert item.server.address == ADDRESS
    assert [network.protocol(found[port]) for port in (53, 80, 443)] == ["dns", "http", "tls"]
    assert network.names(found[443]) == (f"pay.{NAME}",)
    assert found[80].bytes_to_client > len(PAGE)


def test_dns(network: Network) -> None:
    """Two questions, two answers, in their order, each once."""
    assert [item.body.is_answer for item in network.dns] == [False, True] * 2
    for item in network.dns:
        assert item.body.questions == ((NAME, "A"),)
    answers = [record for item in network.dns for record in item.body.records]
    assert [(record.name, record.value, record.ttl_s) for record in answers] == [
        (NAME, ANSWER, 60)
    ] * 2


def test_http(network: Network) -> None:
    """The request and the response that were made."""
    request, response = (item.body for item in network.http)
    assert isinstance(request, HttpRequest)
    assert (request.method, request.host, request.path) == ("GET", NAME, "/prices")
    assert request.user_agent == "shopper/1"
    assert isinstance(response, HttpResponse)
    assert (response.status, response.content_type) == (200, "text/html")


def test_tls(network: Network) -> None:
    """What OpenSSL asked for."""
    (hello,) = (item.body for item in network.tls)
    assert hello.server_name == f"pay.{NAME}"
    assert hello.alpn == ("h2", "http/1.1")
    assert hello.version == "TLS 1.3"


def test_stream(capture: Captures, network: Network) -> None:
    """The client's side of the page, with as much of it missing as was not recorded."""
    request = network.http[0]
    stream = capture.stream(request.place.num)
    assert stream.sent.startswith(b"GET /prices HTTP/1.1\r\n")
    assert PAGE[: SNAPLEN // 2] in stream.received
    moved = len(stream.received) + stream.missing_bytes
    assert moved == stream.socket.received_bytes
    assert stream.missing_bytes >= len(PAGE) - SNAPLEN * len(stream.chunks)
    assert stream.missing_bytes > 0


def test_packets(network: Network, tmp_path: Path, need_programs: Callable[..., None]) -> None:
    """Both tshark and scapy find what was said, and packets find their processes again."""
    need_programs("tshark")
    path = tmp_path / "network.pcapng"
    report = network.write_pcap(path)
    assert report.conversation_count == 3
    packets = rdpcap(str(path))
    assert len(packets) == report.packet_count
    assert [packet[DNS].qd[0].qname for packet in packets if DNS in packet] == [
        f"{NAME}.".encode()
    ] * 4
    frames = tshark(path)
    assert [frame["dns.a"] for frame in frames if "dns.a" in frame] == [[ANSWER]] * 2
    assert [frame["http.host"] for frame in frames if "http.host" in frame] == [[NAME]]
    names = [
        frame["tls.handshake.extensions_server_name"] for frame in frames if "tls" in str(frame)
    ]
    assert names == [[f"pay.{NAME}"]]
    faults = [frame for frame in frames if "_ws.expert.severity" in frame and is_fault(frame)]
    assert len(faults) <= 3, "the page's end was not recorded, and nothing else is missing"
    joined = network.join_pcap(path, tmp_path / "packets.parquet")
    assert (joined.joined_count, joined.not_joined) == (report.packet_count, {})
    pids = {row["proc_pid"] for row in pq.read_table(tmp_path / "packets.parquet").to_pylist()}
    assert pids == {item.sockets[0].process.pid for item in network.conversations}


def test_packets_of_the_kernel(network: Network, folder: Path) -> None:
    """Packets that were captured beside the recording all find their processes, and their names."""
    output = folder / "packets.parquet"
    report = network.join_pcap(folder / "beside.pcap", output, force=True)
    assert report.packet_count > 20
    assert (report.joined_count, report.conversation_count) == (report.packet_count, 3)
    rows = pq.read_table(output).to_pylist()
    names = {name for row in rows for name in row["names"] or ()}
    assert names == {NAME, f"pay.{NAME}"}
    assert {row["application"] for row in rows} == {None, "dns", "http", "tls"}
    by_port = {item.server.port: item for item in network.conversations}
    for row in rows:
        port = row["target_port"] if row["direction"] == "out" else row["source_port"]
        client, server = by_port[port].sockets
        assert (row["proc_pid"], row["peer_pid"]) == (client.process.pid, server.process.pid)
