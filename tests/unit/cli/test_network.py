"""The commands of the network: `stream`, `export --pcap`, `import --pcap`."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from falcotrace.capture.footer import Footer, Host, Losses
from small_captures import write_capture
from unit.cli.test_commands import falcotrace
from unit.network.made_traffic import End, Row, both_ends, numbered
from unit.network.test_messages import REQUEST, RESPONSE

TUPLE = "127.0.0.1:40000->127.0.0.1:8080"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a capture of a connection over loopback, in which both ends are hostile."""
    client, server = both_ends(process="curl\x1b[2J")
    body = b"\x1b]0;title\x07\xff<b>\r\n"
    whole = RESPONSE + body
    other: Row = {"evt.type": "getpid"}
    rows = [
        *(client.event("connect"), client.sends(REQUEST), server.receives(REQUEST)),
        *(server.sends(whole), {**client.receives(whole * 2), "evt.buffer": whole}),
        *(client.event("close"), other),
    ]
    complete = Footer(host=Host(hostname="web-1"), losses=Losses(is_known=True))
    write_capture(tmp_path / "c.parquet", [numbered(rows)], complete)
    return tmp_path


def test_stream_shows_both_directions(folder: Path) -> None:
    """Who said what, with events, times and what is missing; nothing reaches the terminal."""
    done = falcotrace("stream", "c.parquet", "--event", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == (
        rf"tcp {TUPLE}  client curl\x1b[2J (100), events 1 to 6, "
        f"{len(REQUEST)} bytes sent, {2 * len(RESPONSE + b'x' * 16)} received"
    )
    assert lines[2].startswith(f"-> sent {len(REQUEST)} bytes  2023-11-14T22:13:20.002000000Z  ev")
    assert lines[3] == "  GET /prices HTTP/1.1"
    assert r"  \x1b]0;title\x07\xff<b>" in lines
    assert lines[-1].endswith("more bytes were not recorded]")
    assert "\x1b" not in done.stdout


def test_stream_by_its_ends_as_numbers(folder: Path) -> None:
    """The two ends name the client's socket; --hex shows places, bytes and text."""
    done = falcotrace("stream", "c.parquet", "--tuple", TUPLE, "--hex", cwd=folder)
    assert done.returncode == 0
    assert "  000000  47 45 54 20 2f 70 72 69 63 65 73 20 48 54 54 50  GET /prices HTTP" in (
        done.stdout.splitlines()
    )


def test_stream_as_json(folder: Path) -> None:
    """An object for each call, in order."""
    done = falcotrace("stream", "c.parquet", "--event", "3", "--json", cwd=folder)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["event"], row["direction"]) for row in rows] == [(3, "received"), (4, "sent")]
    assert rows[0]["data"] == REQUEST.decode()
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "name the socket: --event NUMBER, or --tuple ENDS"),
        (["--event", "1", "--tuple", TUPLE], "name the socket"),
        (["--event", "7"], "event 7 is about no IP socket with two known ends"),
        (["--tuple", "1->2"], "no socket has the ends '1->2'"),
    ],
)
def test_stream_of_nothing(folder: Path, options: list[str], expected: str) -> None:
    """One line says what to do."""
    done = falcotrace("stream", "c.parquet", *options, cwd=folder)
    assert done.returncode == 2
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_packets_out_and_in_again(folder: Path) -> None:
    """What is exported as packets is joined to the processes that it came from."""
    where = ["--where", "fd.sport=8080"]
    done = falcotrace("export", "c.parquet", "--pcap", "c.pcapng", *where, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("c.pcapng: 1 conversations as 8 packets")
    done = falcotrace("export", "c.parquet", "--pcap", "c.pcapng", cwd=folder)
    assert (done.returncode, "--force overwrites it" in done.stderr) == (2, True)
    done = falcotrace(
        "import", "--pcap", "c.pcapng", "--capture", "c.parquet", "-o", "p.parquet", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "p.parquet: 8 of 8 packets have a process, in 1 conversations\n"
    rows = pq.read_table(folder / "p.parquet").to_pylist()
    assert {(row["proc_name"], row["peer_name"]) for row in rows} == {("curl\x1b[2J", "httpd")}


def test_a_capture_is_not_overwritten(folder: Path) -> None:
    """Neither by packets nor by a table of them."""
    before = (folder / "c.parquet").read_bytes()
    for command in (
        ["export", "c.parquet", "--pcap", "c.parquet", "--force"],
        ["import", "--pcap", "x", "--capture", "c.parquet", "-o", "c.parquet", "--force"],
    ):
        done = falcotrace(*command, cwd=folder)
        assert done.returncode == 2
        assert "is one of the captures" in " ".join(done.stderr.split())
    assert (folder / "c.parquet").read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [[], ["--pcap", "x"], ["x.scap", "--capture", "c"], ["x", "--pcap", "x", "--capture", "c"]],
)
def test_import_without_what_it_needs(folder: Path, options: list[str]) -> None:
    """Each form of the command says what it takes."""
    done = falcotrace("import", *options, cwd=folder)
    assert done.returncode == 2
    assert "--capture" in done.stderr


def test_recording_without_contents(tmp_path: Path) -> None:
    """It is said why there is nothing to see."""
    client, _ = both_ends(contents_max=None)
    silent = End(client.client, client.server, contents_max=None)
    footer = Footer(host=Host(hostname="web-1"), unrecorded=["evt.buffer"])
    write_capture(tmp_path / "c.parquet", [numbered([silent.sends(REQUEST)])], footer)
    done = falcotrace("stream", "c.parquet", "--event", "1", cwd=tmp_path)
    assert "record it with `--snaplen sockets=512`" in done.stderr
    assert f"[{len(REQUEST)} more bytes were not recorded]" in done.stdout
