"""Conversations rebuilt as packets: what scapy and tshark read is what was recorded."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import rdpcap

from falcotrace.errors import FalcoTraceError
from falcotrace.network.model import Endpoint
from falcotrace.network.network import Network
from falcotrace.network.pcap import PcapReport
from small_captures import write_capture
from unit.network.made_traffic import CLIENT, SERVER, End, Row, both_ends, numbered
from unit.network.test_messages import ANSWER, QUESTION, REQUEST, RESPONSE


def _write(
    folder: Path, rows: Sequence[Row], condition: str = ""
) -> tuple[PcapReport, list[Packet]]:
    capture = folder / "made.parquet"
    capture.unlink(missing_ok=True)
    network = Network([write_capture(capture, [numbered(rows)])])
    report = network.write_pcap(folder / "made.pcapng", condition, force=True)
    return report, list(rdpcap(str(folder / "made.pcapng")))


def _shop(end: End) -> list[Row]:
    return [
        end.event("connect"),
        *(end.sends(REQUEST), end.receives(RESPONSE + b"hello"), end.event("close")),
    ]


def _comments(packets: Sequence[Packet]) -> list[str]:
    return [b" ".join(packet.comments or []).decode() for packet in packets]


def _check_sums(packets: Sequence[Packet]) -> None:
    """Every checksum and length is the one that scapy would have written."""
    for packet in packets:
        again = Ether(bytes(packet))
        for layer in (IP, IPv6, TCP, UDP):
            if layer in again:
                for name in ("chksum", "len", "plen"):
                    if name in again[layer].fields:
                        del again[layer].fields[name]
                again[layer].raw_packet_cache = None
        assert bytes(again) == bytes(packet)


def _streams(packets: Sequence[Packet]) -> dict[tuple[int, int], bytes]:
    """What each end sent, put together by sequence numbers; gaps are filled with `?`."""
    found: dict[tuple[int, int], bytearray] = {}
    for packet in packets:
        data = bytes(packet[TCP].payload)
        stream = found.setdefault((packet[TCP].sport, packet[TCP].dport), bytearray())
        if data:
            start = packet[TCP].seq - 1
            stream.extend(b"?" * (start + len(data) - len(stream)))
            stream[start : start + len(data)] = data
    return {ends: bytes(stream) for ends, stream in found.items()}


def test_connection(tmp_path: Path) -> None:
    """Handshake, contents, end: numbers go on from packet to packet as TCP has them."""
    report, packets = _write(tmp_path, _shop(End(CLIENT, SERVER)))
    assert report == PcapReport(1, 8, len(REQUEST + RESPONSE) + 5, 0, 0)
    flags = [str(packet[TCP].flags) for packet in packets]
    assert flags == ["S", "SA", "A", "PA", "PA", "FA", "FA", "A"]
    _check_sums(packets)
    assert _streams(packets) == {(40_000, 80): REQUEST, (80, 40_000): RESPONSE + b"hello"}
    last = packets[-1][TCP]
    assert (last.seq, last.ack) == (len(REQUEST) + 2, len(RESPONSE) + 5 + 2)
    assert float(packets[3].time) == pytest.approx(1_700_000_000.002)


def test_comments(tmp_path: Path) -> None:
    """The file says that it is made up, packets say which event and which process they are."""
    _, packets = _write(tmp_path, _shop(End(CLIENT, SERVER, process="x\x1b[2J")))
    comments = _comments(packets)
    assert comments[0] == (
        r"synthetic handshake: client x\x1b[2J (100) on web-1, from event 1 to 4"
    )
    assert comments[3] == r"event 2: x\x1b[2J (100)"
    assert comments[5] == "synthetic end"
    head = (tmp_path / "made.pcapng").read_bytes()[:600]
    assert b"Synthetic: FalcoTrace rebuilt these packets" in head


def test_gap(tmp_path: Path) -> None:
    """What was not recorded is missing in the numbers, and a comment says how much."""
    end = End(CLIENT, SERVER)
    body = {**end.receives(RESPONSE + b"x" * 70_000), "evt.buffer": RESPONSE}
    report, packets = _write(tmp_path, [end.sends(REQUEST), body, end.receives(b"end")])
    assert report.missing_bytes == 70_000
    assert "when the connection began is not in the capture" in _comments(packets)[0]
    received = _streams(packets)[80, 40_000]
    assert received == RESPONSE + b"?" * 70_000 + b"end"
    assert any(
        "gap: 70000 bytes behind this were not recorded" in text for text in _comments(packets)
    )
    assert packets[-1][TCP].flags == "PA", "the connection was not seen to end"


def test_datagrams(tmp_path: Path) -> None:
    """Datagrams are whole packets; of one that was cut the packet says how long it was."""
    end = End(Endpoint("192.0.2.10", 5353), Endpoint("192.0.2.53", 53), transport="udp")
    cut = {**end.receives(ANSWER), "evt.buffer": ANSWER[:40]}
    _, packets = _write(tmp_path, [end.sends(QUESTION), end.receives(ANSWER), cut])
    assert [bytes(packet[UDP].payload) for packet in packets[:2]] == [QUESTION, ANSWER]
    _check_sums(packets[:2])
    assert packets[2][UDP].len == 8 + len(ANSWER)
    assert packets[2].wirelen == len(packets[1])
    assert len(packets[2]) == len(packets[1]) - len(ANSWER) + 40


def test_both_ends_recorded(tmp_path: Path) -> None:
    """Two processes that see the same conversation make one conversation in the file."""
    client, server = both_ends()
    rows = [
        *(client.event("connect"), server.event("accept4", 4), client.sends(REQUEST)),
        *(server.receives(REQUEST), server.sends(RESPONSE), client.receives(RESPONSE)),
        *(client.event("close"), server.event("close")),
    ]
    report, packets = _write(tmp_path, rows)
    assert (report.conversation_count, report.packet_count) == (1, 8)
    assert "client curl (100), server httpd (200)" in _comments(packets)[0]
    assert _streams(packets) == {(40_000, 8080): REQUEST, (8080, 40_000): RESPONSE}


def test_condition_chooses_conversations(tmp_path: Path) -> None:
    """A condition that holds for one event of a conversation takes all of it."""
    other = End(Endpoint("192.0.2.10", 40_001), SERVER, ino=2, process="wget", pid=7)
    rows = [*_shop(End(CLIENT, SERVER)), *_shop(other)]
    report, packets = _write(tmp_path, rows, "proc.name=wget and evt.type=connect")
    assert report.conversation_count == 1
    assert {packet[TCP].sport for packet in packets} == {40_001, 80}
    assert _write(tmp_path, rows, "proc.name=nobody")[0].packet_count == 0


def test_what_cannot_be_packets(tmp_path: Path) -> None:
    """Conversations of other kinds are counted, and hostile addresses do no harm."""
    ping = End(CLIENT, SERVER, transport="icmp")
    odd = End(Endpoint("<b>", 1), SERVER, ino=2)
    mixed = End(Endpoint("2001:db8::1", 1), SERVER, ino=3)
    rows = [end.sends(b"x") for end in (ping, odd, mixed)]
    assert _write(tmp_path, rows)[0] == PcapReport(0, 0, 0, 0, 3)


def test_existing_file_is_kept(tmp_path: Path) -> None:
    """A file is replaced only on request; nobody else may read what was recorded."""
    _write(tmp_path, _shop(End(CLIENT, SERVER)))
    network = Network(
        [write_capture(tmp_path / "b.parquet", [numbered(_shop(End(CLIENT, SERVER)))])]
    )
    with pytest.raises(FalcoTraceError, match="--force overwrites it"):
        network.write_pcap(tmp_path / "made.pcapng")
    assert (tmp_path / "made.pcapng").stat().st_mode & 0o777 == 0o600


_MOVES = st.lists(
    st.tuples(
        st.booleans(),
        st.binary(max_size=60),
        st.one_of(st.just(0), st.integers(0, 200)),
        st.integers(1, 700),
    ),
    max_size=12,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=_MOVES, is_v6=st.booleans(), is_opened=st.booleans())
def test_any_conversation(
    tmp_path: Path,
    moves: Sequence[tuple[bool, bytes, int, int]],
    is_v6: bool,  # noqa: FBT001
    is_opened: bool,  # noqa: FBT001
) -> None:
    """Whatever moved: checksums are right, streams come back byte for byte, gaps too."""
    ends = (Endpoint("2001:db8::a", 4), Endpoint("2001:db8::b", 80)) if is_v6 else (CLIENT, SERVER)
    end = End(*ends)
    rows = [end.event("connect")] if is_opened else []
    expected = {True: b"", False: b""}
    for is_sent, data, missing, repeat in moves:
        whole = data * repeat
        size = len(whole) + missing
        row = (end.sends if is_sent else end.receives)(whole)
        rows.append({**row, "evt.rawres": size})
        expected[is_sent] += whole + b"?" * missing
    _, packets = _write(tmp_path, [*rows, end.event("close")])
    _check_sums(packets)
    streams = _streams(packets)
    for is_sent, ports in ((True, (ends[0].port, 80)), (False, (80, ends[0].port))):
        assert streams.get(ports, b"").ljust(len(expected[is_sent]), b"?") == expected[is_sent]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_decodes_it(tmp_path: Path) -> None:
    """Wireshark's own reader finds DNS and HTTP in it, and no fault."""
    ends = (Endpoint("192.0.2.10", 5300), Endpoint("192.0.2.53", 53))
    resolver = End(*ends, transport="udp", ino=5)
    v6 = End(Endpoint("2001:db8::a", 41_000), Endpoint("2001:db8::b", 80), ino=6)
    rows = [
        *(resolver.sends(QUESTION), resolver.receives(ANSWER)),
        *(*_shop(End(CLIENT, SERVER)), *_shop(v6)),
    ]
    _write(tmp_path, rows)
    found = tshark(tmp_path / "made.pcapng")
    names = [frame["dns.qry.name"] for frame in found if "dns.qry.name" in frame]
    assert names == [["shop.example"]] * 2
    assert [frame["dns.a"] for frame in found if "dns.a" in frame] == [["192.0.2.80"]]
    hosts = [frame["http.host"] for frame in found if "http.host" in frame]
    assert hosts == [["shop.example"]] * 2
    assert [frame["http.file_data"] for frame in found if "http.file_data" in frame]
    assert not [frame for frame in found if "_ws.expert.severity" in frame and is_fault(frame)]


def is_fault(frame: Mapping[str, Sequence[str]]) -> bool:
    """Whether tshark warns of a frame or finds an error in it."""
    return any(int(severity) >= 0x00600000 for severity in frame["_ws.expert.severity"])


def tshark(path: Path) -> list[dict[str, Any]]:
    """What tshark says of each frame; it must read the file without complaint."""
    fields = (
        *("dns.qry.name", "dns.a", "http.host", "http.file_data", "_ws.expert.severity"),
        "tls.handshake.extensions_server_name",
    )
    checks = ("tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE")
    command = ["tshark", "-r", str(path), "-T", "json"]
    command += [part for field in fields for part in ("-e", field)]
    command += [part for check in checks for part in ("-o", check)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert not complaints
    return [frame["_source"].get("layers", {}) for frame in json.loads(done.stdout)]
