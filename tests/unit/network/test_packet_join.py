"""Packets joined to processes: every kind of file and link, times, and what cannot be joined."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, CookedLinux, Dot1Q, Ether
from scapy.packet import Packet
from scapy.utils import PcapNgWriter, PcapWriter

from falcotrace.errors import FalcoTraceError
from falcotrace.network import pcap_reader
from falcotrace.network.model import Endpoint
from falcotrace.network.network import Network
from falcotrace.network.packet_headers import read_headers
from falcotrace.network.packet_join import JoinReport
from falcotrace.network.pcap_reader import list_packets
from small_captures import write_capture
from unit.network.made_traffic import CLIENT, SERVER, End, Row, both_ends, numbered
from unit.network.test_messages import ANSWER, QUESTION, REQUEST, RESPONSE

SECOND = 1_700_000_000
"""When the made events happen."""

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
"""With addresses: scapy would ask the network for the one of a neighbour."""


def _network(folder: Path, rows: Sequence[Row]) -> Network:
    return Network([write_capture(folder / "made.parquet", [numbered(rows)])])


def _join(
    network: Network, folder: Path, packets: Sequence[Packet], link: int = 1
) -> tuple[JoinReport, list[dict[str, Any]]]:
    path = folder / "beside.pcap"
    with PcapWriter(str(path), linktype=link, nano=True) as writer:
        for packet in packets:
            packet.time = packet.time if packet.time < SECOND + 9_999_999 else SECOND
            writer.write(packet)
    return _join_file(network, path)


def _join_file(network: Network, path: Path) -> tuple[JoinReport, list[dict[str, Any]]]:
    output = path.with_suffix(".parquet")
    report = network.join_pcap(path, output, force=True)
    return report, pq.read_table(output).to_pylist()


def _out(contents: bytes = REQUEST) -> Packet:
    return IP(src="192.0.2.10", dst="198.51.100.80") / TCP(sport=40_000, dport=80) / contents


def _back(contents: bytes = RESPONSE) -> Packet:
    return IP(src="198.51.100.80", dst="192.0.2.10") / TCP(sport=80, dport=40_000) / contents


def test_process_of_packets(tmp_path: Path) -> None:
    """Both directions have the process, its events, and what the contents say."""
    end = End(CLIENT, SERVER, process="curl", pid=77, container="5d4c9e0f1b7a")
    network = _network(tmp_path, [end.event("connect"), end.sends(REQUEST), end.event("close")])
    report, rows = _join(network, tmp_path, [ETHER / _out(), ETHER / _back()])
    assert report == JoinReport(2, 2, {}, 1, False)
    first, second = rows
    assert (first["direction"], second["direction"]) == ("out", "in")
    assert (first["source"], first["source_port"]) == ("192.0.2.10", 40_000)
    assert (first["application"], first["names"]) == ("http", ["shop.example"])
    assert first["data_length"] == len(REQUEST)
    for row in rows:
        assert (row["proc_name"], row["proc_pid"], row["peer_pid"]) == ("curl", 77, None)
        assert (row["proc_first_event"], row["proc_last_event"]) == (1, 3)
        assert (row["proc_exe"], row["proc_container"]) == ("/usr/bin/curl", "5d4c9e0f1b7a")
        assert (row["protocol"], row["capture"], row["not_joined"]) == ("tcp", "made.parquet", None)


def test_both_ends_recorded(tmp_path: Path) -> None:
    """Over loopback the client's process is the packet's, and the server's is its peer."""
    client, server = both_ends()
    network = _network(tmp_path, [client.sends(REQUEST), server.receives(REQUEST)])
    packet = IP(src="127.0.0.1", dst="127.0.0.1") / TCP(sport=8080, dport=40_000)
    _, (row,) = _join(network, tmp_path, [ETHER / packet])
    assert (row["proc_name"], row["peer_name"], row["direction"]) == ("curl", "httpd", "in")


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (1, ETHER / Dot1Q(vlan=5) / Dot1Q(vlan=6) / _out()),
        (101, _out()),
        (113, CookedLinux() / _out()),
        (1, ETHER / IP(src="192.0.2.10", dst="198.51.100.80", options=b"\x01" * 8) / _out()[TCP]),
    ],
    ids=["vlans", "raw", "cooked", "options"],
)
def test_kinds_of_links(tmp_path: Path, link: int, packet: Packet) -> None:
    """The header of IP is found behind every link that tools write."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    report, (row,) = _join(network, tmp_path, [packet], link)
    assert report.joined_count == 1
    assert row["names"] == ["shop.example"]


def test_ipv6_with_extensions(tmp_path: Path) -> None:
    """Ports are found behind extension headers; an address of IPv4 is none of IPv6."""
    ends = (Endpoint("2001:db8::a", 40_000), Endpoint("2001:db8::b", 53))
    network = _network(tmp_path, [End(*ends, transport="udp").sends(QUESTION)])
    head = ETHER / IPv6(src="2001:db8::a", dst="2001:db8::b")
    udp = UDP(sport=40_000, dport=53) / QUESTION
    plain, extended = head / udp, head / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / udp
    later = head / IPv6ExtHdrFragment(offset=5, nh=17) / (b"x" * 50)
    report, rows = _join(network, tmp_path, [plain, extended, later])
    assert report.joined_count == 2
    assert [row["names"] for row in rows] == [["shop.example"], ["shop.example"], None]
    assert rows[2]["not_joined"] == "no ports: neither TCP nor UDP, or a later fragment"


def test_what_cannot_be_joined_is_said(tmp_path: Path) -> None:
    """Each packet without process has a reason, and reasons are counted."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    late = ETHER / _out()
    late.time = SECOND + 3_600
    packets = [
        *(ETHER / ARP(), ETHER / IP() / ICMP(), late),
        ETHER / IP(src="192.0.2.99", dst="198.51.100.80") / TCP(sport=1, dport=2),
    ]
    report, rows = _join(network, tmp_path, packets)
    assert report.joined_count == 0
    reasons = [row["not_joined"] for row in rows]
    assert reasons == [
        "no packet of IP",
        "no ports: neither TCP nor UDP, or a later fragment",
        "sockets with these ends were open at other times",
        "no recorded socket has these ends",
    ]
    assert report.not_joined == dict.fromkeys(reasons, 1)
    assert all(row["proc_pid"] is None and row["direction"] is None for row in rows)


def test_ports_are_used_again(tmp_path: Path) -> None:
    """Of several sockets with the same ends a packet belongs to the one that is nearest in time."""
    hour_ns = 3_600_000_000_000
    rows = []
    for number, process in enumerate(("first", "second")):
        end = End(CLIENT, SERVER, process=process, ino=number)
        row = numbered([end.sends(REQUEST)])[0]
        rows.append({**row, "evt.num": number + 1, "evt.time": SECOND * 10**9 + number * hour_ns})
    network = Network([write_capture(tmp_path / "made.parquet", [rows])])
    packets = [ETHER / _out(), ETHER / _out()]
    packets[0].time, packets[1].time = SECOND + 1, SECOND + 3_599
    _, joined = _join(network, tmp_path, packets)
    assert [row["proc_name"] for row in joined] == ["first", "second"]


def test_pcapng_of_another_tool(tmp_path: Path) -> None:
    """What scapy writes as pcapng, in microseconds, reads as its pcap does."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    path = tmp_path / "beside.pcapng"
    writer = PcapNgWriter(str(path))
    packet = ETHER / _out()
    packet.time = SECOND + 0.25
    writer.write(packet)
    writer.close()
    report, (row,) = _join_file(network, path)
    assert report.joined_count == 1
    assert row["time"] == SECOND * 10**9 + 250_000_000


def test_own_packets_find_their_processes(tmp_path: Path) -> None:
    """What `export --pcap` writes is joined to the processes that it was made of."""
    client, server = both_ends()
    resolver = End(Endpoint("192.0.2.1", 5), Endpoint("192.0.2.53", 53), transport="udp", ino=9)
    rows = [resolver.sends(QUESTION), resolver.receives(ANSWER), client.sends(REQUEST)]
    network = _network(tmp_path, [*rows, server.receives(REQUEST)])
    network.write_pcap(tmp_path / "own.pcapng")
    report, joined = _join_file(network, tmp_path / "own.pcapng")
    assert (report.joined_count, report.conversation_count) == (report.packet_count, 2)
    assert [row["names"] for row in joined[:2]] == [["shop.example"]] * 2
    assert joined[0]["time"] == SECOND * 10**9 + 1_000_000


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_orders(tmp_path: Path, order: str) -> None:
    """Files of machines of the other byte order, in microseconds."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    data = bytes(ETHER / _out())
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    record = struct.pack(f"{order}4I", SECOND, 5, len(data), len(data) + 7)
    path = tmp_path / "beside.pcap"
    path.write_bytes(head + record + data)
    _, (row,) = _join_file(network, path)
    assert (row["time"], row["length"]) == (SECOND * 10**9 + 5_000, len(data) + 7)
    assert row["proc_name"] == "curl"


def test_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read part by part, and packets are counted through."""
    monkeypatch.setattr(pcap_reader, "PACKETS_PER_LIST", 3)
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    report, rows = _join(network, tmp_path, [ETHER / _out()] * 7)
    assert report == JoinReport(7, 7, {}, 1, False)
    assert [row["packet"] for row in rows] == list(range(1, 8))


def test_cut_file(tmp_path: Path) -> None:
    """A file that ends within a packet gives those before, and says so."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    _join(network, tmp_path, [ETHER / _out(), ETHER / _back()])
    path = tmp_path / "beside.pcap"
    path.write_bytes(path.read_bytes()[:-3])
    report, rows = _join_file(network, path)
    assert (report.is_cut, len(rows)) == (True, 1)


@pytest.mark.parametrize("contents", [b"", b"x", b"not a capture at all, but long enough"])
def test_other_files_are_refused(tmp_path: Path, contents: bytes) -> None:
    """One line says what is expected."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    path = tmp_path / "other"
    path.write_bytes(contents)
    with pytest.raises(FalcoTraceError, match=r"is neither pcap nor pcapng|is empty"):
        network.join_pcap(path, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


@given(st.binary(max_size=300), st.sampled_from([0, 1, 101, 108, 113, 276, 999]))
def test_headers_of_any_bytes(data: bytes, link: int) -> None:
    """Bytes that claim to be a packet are read within their bounds."""
    view = np.frombuffer(data + b"\xff", np.uint8)
    cuts = np.array([0, len(data) // 2])
    lengths = np.array([len(data) // 2, len(data) - len(data) // 2])
    headers = read_headers(view, cuts, lengths, np.array([link, link]))
    ends = cuts + lengths
    has = headers.data_lengths > 0
    assert (headers.data_starts[has] + headers.data_lengths[has] <= ends[has]).all()
    assert (headers.data_starts[has] >= cuts[has]).all()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    """No damage to a file raises anything but our own error, or makes packets out of nothing."""
    path = tmp_path / "sound.pcapng"
    if not path.exists():
        _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)]).write_pcap(path)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        lists = list(list_packets(memoryview(bytes(damaged)), path))
    except FalcoTraceError:
        return
    view = np.frombuffer(bytes(damaged), np.uint8)
    for packets in lists:
        assert (packets.starts + packets.lengths <= len(damaged)).all()
        read_headers(view, packets.starts, packets.lengths, packets.links)


def test_dns_names_of_packets(tmp_path: Path) -> None:
    """Several questions in one message are several names."""
    network = _network(tmp_path, [End(CLIENT, SERVER).sends(REQUEST)])
    asked = DNS(qd=[DNSQR(qname="a.example"), DNSQR(qname="b.example")])
    packet = ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=9, dport=53) / asked
    _, (row,) = _join(network, tmp_path, [packet])
    assert (row["application"], row["names"]) == ("dns", ["a.example", "b.example"])
