"""The capture of a shop's network that ships: what was said, and nothing of who recorded it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.api import Captures
from falcotrace.protocols.http import HttpRequest, HttpResponse

CAPTURE = Path(__file__).parents[2] / "captures/shop_network.parquet"
PROGRAMS = frozenset({"dnsd", "exe", "httpd", "ip", "nc", "sh", "sleep", "timeout", "wget"})


@pytest.fixture
def capture() -> Iterator[Captures]:
    """The capture, open."""
    with ft.open(CAPTURE) as opened:
        yield opened


def test_conversations(capture: Captures) -> None:
    """Three questions and three connections, each once, with both processes."""
    found = capture.network.conversations
    assert [item.server.port for item in found] == [53, 80, 53, 80, 53, 443]
    assert all(len(item.sockets) == 2 for item in found)
    assert {
        str(network_name) for item in found for network_name in capture.network.names(item)
    } == {
        "shop.example",
        "pay.shop.example",
    }


def test_messages(capture: Captures) -> None:
    """A page, a page that is not there, a hello without answer; names are asked for before."""
    network = capture.network
    bodies = [message.body for message in network.http]
    requests = [body for body in bodies if isinstance(body, HttpRequest)]
    assert [(body.host, body.path) for body in requests] == [
        ("shop.example", "/prices.html"),
        ("shop.example", "/orders/17"),
    ]
    assert [body.status for body in bodies if isinstance(body, HttpResponse)] == [200, 404]
    assert [message.body.server_name for message in network.tls] == ["pay.shop.example"]
    addresses = {record.value for item in network.dns for record in item.body.records}
    assert addresses == {"127.0.0.1"}
    assert len(network.dns) == 12


def test_it_is_complete_and_nobodys(capture: Captures) -> None:
    """Nothing was lost; only what was played is in it, and PROVENANCE knows it."""
    assert not capture.has_losses
    (info,) = capture.info
    assert info.hostname == "web-1"
    query = "SELECT DISTINCT proc.name FROM events"
    assert {row[0] for row in capture.sql(query).fetchall()} == PROGRAMS
    query = "SELECT DISTINCT fd.lip FROM events WHERE fd.lip IS NOT NULL"
    assert capture.sql(query).fetchall() == [("127.0.0.1",)]
    digest = hashlib.sha256(CAPTURE.read_bytes()).hexdigest()
    assert digest in (CAPTURE.parent / "PROVENANCE.md").read_text()
    assert CAPTURE.stat().st_size < 200_000
