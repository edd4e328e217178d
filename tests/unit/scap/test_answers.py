"""Names of addresses in imported captures, from answers in their contents."""

from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.scap.importer import import_scap
from made_answers import QUESTION, address, answer, framed
from unit.scap.made_sockets import pair, sockaddr
from unit.scap.scenarios import Happening, Replay, capture_bytes, leaves, opens, replay

C2 = "192.0.2.9"
ANSWER = answer("c2.example", address("c2.example", C2))


def connects(fd: int, remote: str, kind: int = 2) -> tuple[Happening, Happening]:
    """A socket, datagrams by default, that is connected."""
    ends = pair(f"10.0.0.1:{4000 + fd}->{remote}")
    made = leaves("socket", 10, fd=fd, domain=2, type=kind, proto=0)
    return made, leaves("connect", 10, res=0, tuple=ends, fd=fd)


def receives(fd: int, data: bytes, call: str = "recvfrom", **given: object) -> Happening:
    """A call that receives contents."""
    return leaves(call, 10, res=len(data), data=data, fd=fd, **given)


def writes(fd: int) -> Happening:
    """A call on a socket."""
    return leaves("write", 10, res=1, fd=fd, size=1, data=b"x")


def names_of_writes(seen: Replay) -> list[object]:
    """`fd.sip.name` of the writes."""
    return [names for kind, names in seen.rows("evt.type", "fd.sip_name") if kind == "write"]


@pytest.mark.parametrize("call", ["recvfrom", "recvmsg", "read"])
def test_as_of_event_time(call: str) -> None:
    """An answer counts for events behind it, not for those before."""
    seen = replay(
        *connects(3, "10.0.0.2:53"),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
        receives(3, ANSWER, call),
        writes(4),
        writes(3),
    )
    assert names_of_writes(seen) == [None, ["c2.example"], None]
    assert set(seen["fd.cip_name"]) == {None}


@pytest.mark.parametrize("batch_events", [1, 2, 3, 100])
def test_later_batches(tmp_path: Path, batch_events: int) -> None:
    """Names go on from batch to batch, and no batch sees those of a later one."""
    events = [
        *connects(3, "10.0.0.2:53"),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
        receives(3, ANSWER),
        writes(4),
        receives(3, answer("new.example", address("new.example", C2))),
        writes(4),
    ]
    source = tmp_path / "a.scap"
    source.write_bytes(capture_bytes(events))
    wanted = [None, ["c2.example"], ["new.example", "c2.example"]]
    assert names_of_writes(Replay(source, batch_events)) == wanted


def test_sockets_that_are_not_connected() -> None:
    """The call names the sender."""
    sender = pair("10.0.0.2:53->10.0.0.1:4003")
    seen = replay(
        leaves("socket", 10, fd=3, domain=2, type=2, proto=0),
        receives(3, ANSWER, tuple=sender),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
    )
    assert names_of_writes(seen) == [["c2.example"]]


@pytest.mark.parametrize("frames", [(framed(ANSWER),), (framed(ANSWER)[:2], ANSWER)])
def test_streams(frames: tuple[bytes, ...]) -> None:
    """Over TCP the length stands in front, or was read before."""
    seen = replay(
        *connects(3, "10.0.0.2:53", kind=1),
        *(receives(3, data, "read") for data in frames),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
    )
    assert names_of_writes(seen) == [["c2.example"]]


def test_what_is_no_answer_of_a_name_server() -> None:
    """Other ports, files, descriptors that nobody knows, questions, contents that are cut."""
    seen = replay(
        *connects(3, "10.0.0.2:5353"),
        receives(3, ANSWER),
        opens(10, 5, "f"),
        receives(5, ANSWER, "read"),
        receives(9, ANSWER),
        *connects(6, "10.0.0.2:53"),
        receives(6, answer("c2.example", address("c2.example", C2), flags=QUESTION)),
        receives(6, ANSWER[:-1]),
        receives(6, ANSWER[:11]),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
    )
    assert names_of_writes(seen) == [None]


def test_who_asks_a_name_server_is_none() -> None:
    """What a name server receives is not believed, whatever it looks like."""
    seen = replay(
        leaves("socket", 10, fd=3, domain=2, type=2, proto=0),
        leaves("bind", 10, res=0, addr=sockaddr("10.0.0.1:53"), fd=3),
        receives(3, ANSWER, tuple=pair("192.0.2.66:5000->10.0.0.1:53")),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
    )
    assert names_of_writes(seen) == [None]


def test_a_recorded_capture(shared: Path, tmp_path: Path) -> None:
    """t_udp_dns: four questions about names that are all 127.0.0.1, the last one the miner's."""
    (source,) = (shared / "oracle" / "captures").glob("t_udp_dns.scap*")
    import_scap(source, tmp_path / "a.parquet")
    with open_captures(tmp_path / "a.parquet") as capture:
        rows = capture.sql(
            "SELECT fd.sip_name, evt.type FROM events"
            " WHERE fd.sport = 53 AND evt.type IN ('recvfrom', 'close') ORDER BY evt.num"
        ).fetchall()
        named = capture.query("fd.sip.name = xmr.pool.example.org and not fd.sport = 53").count()
        others = capture.query("fd.sip = 127.0.0.1 and fd.sip.name = c2.example").count()
    assert rows[0] == (None, "recvfrom")
    assert rows[-1][0] == ["xmr.pool.example.org", "github.com", "pool.minexmr.com", "example.com"]
    assert named > 0
    assert others == 0


def test_import_and_scan(tmp_path: Path) -> None:
    """A capture made of the file, and the file as it is, answer `fd.sip.name`."""
    events = [
        *connects(3, "10.0.0.2:53"),
        *connects(4, f"{C2}:443", kind=1),
        writes(4),
        receives(3, ANSWER),
        writes(4),
    ]
    source, out = tmp_path / "a.scap", tmp_path / "a.parquet"
    source.write_bytes(capture_bytes(events))
    import_scap(source, out)
    for path in (source, out):
        found = open_captures(path).query(
            "fd.sip.name = c2.example", columns="evt.num, fd.sip.name"
        )
        assert found.arrow().to_pylist() == [{"evt.num": 7, "fd.sip.name": "c2.example"}]
        assert found.coverage_notes == ()
    rows = open_captures(out).sql("SELECT evt.num FROM events WHERE fd.sip_name IS NOT NULL")
    assert rows.fetchall() == [(7,)]
