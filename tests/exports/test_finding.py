"""What all formats read of an alert: the file, the ends of a connection, ids that stay."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from exported import export_of, plan, rows, write_incident
from falcotrace.alerts import Alert, Evidence
from falcotrace.capture.footer import Host
from falcotrace.investigate.evidence import EVIDENCE_COLUMNS
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Endpoint, Finding, split_path, stable_id
from falcotrace.outputs.exports.formats import EXPORT_FORMATS

HOST = Host(hostname="web-1", boot_id="8d2c")


def finding(event: Mapping[str, object], *, num: int = 7, host: Host = HOST) -> Finding:
    """A finding about an event."""
    alert = Alert(plan().rules[0], num, 1_700_000_000_000_000_001, "x", {}, host.hostname, "c")
    return Finding(Evidence(alert, event, Path("c.parquet"), host))


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"fd.type": "file", "fd.name": "/etc/shadow", "fs.path.name": "/x"}, "/etc/shadow"),
        ({"fd.type": "directory", "fd.name": "/etc"}, "/etc"),
        ({"fd.type": "ipv4", "fd.name": "1.2.3.4:1->1.2.3.4:2"}, None),
        ({"fs.path.name": "/tmp/x"}, "/tmp/x"),
        ({"fs.path.name": "/a", "fs.path.source": "/a", "fs.path.target": "/b"}, "/b"),
        ({"fd.type": "file", "fd.name": ""}, None),
        ({}, None),
    ],
)
def test_the_file_of_an_event(event: Mapping[str, object], path: str | None) -> None:
    """An open file before a path that a call names; of two paths the new one; no socket."""
    assert finding(event).file_path == path


def test_both_ends_of_a_connection() -> None:
    """Client and server where their roles are known, our end and the other where not."""
    known = finding(
        {
            "fd.type": "ipv4",
            "fd.l4proto": "tcp",
            "fd.is_server": True,
            "fd.cip": "10.0.0.9",
            "fd.cport": 50000,
            "fd.sip": "10.0.0.2",
            "fd.sport": 80,
            "fd.lip": "10.0.0.2",
            "fd.lport": 80,
            "fd.rip": "10.0.0.9",
            "fd.rport": 50000,
        }
    ).connection
    assert known
    assert (known.client, known.server) == (Endpoint("10.0.0.9", 50000), Endpoint("10.0.0.2", 80))
    assert (known.protocol, known.is_ipv6, known.is_inbound) == ("tcp", False, True)
    bound = finding({"fd.type": "ipv6", "fd.lip": "::1", "fd.lport": 53, "fd.l4proto": "<NA>"})
    assert bound.connection
    assert (bound.connection.client, bound.connection.server) == (Endpoint("::1", 53), None)
    assert (bound.connection.protocol, bound.connection.is_ipv6) == (None, True)
    assert finding({"fd.type": "unix", "fd.lip": "1.2.3.4"}).connection is None
    assert finding({"fd.type": "ipv4"}).connection is None


@pytest.mark.parametrize("value", [None, "", "<NA>", 5, ["a"]])
def test_missing_texts_are_missing(value: object) -> None:
    """Marks of missing values are no values, nor is what has another type."""
    assert finding({"user.name": value}).text("user.name") is None


def test_numbers_and_truths_are_told_apart() -> None:
    """True is not 1, and 0 is a number: the superuser has it."""
    one = finding({"user.uid": 0, "fd.is_server": True, "fd.ino": "9"})
    numbers = [one.number(field) for field in ("user.uid", "fd.is_server", "fd.ino")]
    assert numbers == [0, None, None]
    assert (one.flag("fd.is_server"), one.flag("user.uid")) == (True, None)


def test_processes_have_one_id_for_one_life() -> None:
    """Another boot, host or start is another process; a parent is known again."""
    child = {"proc.pid": 7, "proc.pid.ts": 50, "proc.ppid": 5, "proc.ppid.ts": 40}
    first, parent = finding(child).process, finding(child).parent
    again = finding({"proc.pid": 5, "proc.pid.ts": 40}, num=99).process
    assert first and parent and again
    assert parent.uid == again.uid != first.uid
    others = [
        finding({**child, "proc.pid.ts": 51}).process,
        finding(child, host=Host(hostname="web-2", boot_id="8d2c")).process,
        finding(child, host=Host(hostname="web-1", boot_id="ffff")).process,
    ]
    assert len({first.uid, *(other.uid for other in others if other)}) == 4
    assert finding({"proc.pid": -1}).process is None


def test_ids_are_of_what_they_stand_for() -> None:
    """Parts do not run into each other, kinds are apart."""
    assert stable_id("event", "a", "b") == stable_id("event", "a", "b")
    ids = {stable_id("event", "a", "b"), stable_id("event", "ab"), stable_id("event", "a\n1:b")}
    assert len({*ids, stable_id("alert", "a", "b")}) == 4


@pytest.mark.parametrize("path", ["/", "//x", "/a/", "a/b", "memfd:x", "/tmp/.x", ".", "/.."])
def test_every_path_has_a_name(path: str) -> None:
    """Formats require the name of a file, whatever its path is."""
    assert split_path(path)[1]


@pytest.mark.parametrize("name", ["ecs", "ocsf", "sarif", "csv", "timesketch", "stix", "falco"])
def test_exports_are_the_same_each_time(tmp_path: Path, name: str) -> None:
    """No time of writing and no random id in an export: two of one capture can be compared."""
    path = write_incident(tmp_path)
    assert export_of([path], name) == export_of([path], name)


@pytest.mark.parametrize("name", sorted(EXPORT_FORMATS.keys() - {"navigator"}))
def test_alerts_are_written_as_they_come(name: str) -> None:
    """Nothing waits for the last alert: memory does not grow with their number."""
    stream = io.StringIO()
    sizes: list[int] = []

    def found() -> Iterator[Finding]:
        for number, row in enumerate(rows(), start=1):
            sizes.append(stream.tell())
            yield finding(row, num=number)

    context = ExportContext(plan().rules, (Path("c.parquet"),))
    assert EXPORT_FORMATS[name].write(found(), context, stream) == len(sizes) == len(rows())
    assert sizes == sorted(set(sizes))


class Asked(Mapping[str, object]):
    """An event that remembers which of its fields were asked for."""

    def __init__(self, event: Mapping[str, object], seen: set[str]) -> None:
        self._event = event
        self._seen = seen

    def __getitem__(self, field: str) -> object:
        self._seen.add(field)
        return self._event[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._event)

    def __len__(self) -> int:
        return len(self._event)


def test_every_column_of_evidence_is_told_by_some_format() -> None:
    """What is read from captures is used, and what formats ask for is read."""
    seen: set[str] = set()
    for name in EXPORT_FORMATS:
        findings = [finding(Asked(row, seen)) for row in [{}, *rows()]]
        EXPORT_FORMATS[name].write(
            findings, ExportContext(plan().rules, (Path("c.parquet"),)), io.StringIO()
        )
    assert seen == set(EVIDENCE_COLUMNS) - {"evt.num"}
