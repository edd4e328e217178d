"""The events of `.scap` captures against those that Falco's rules saw: numbers, times, threads."""

import gzip
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from falcotrace.scap.reader import open_scap

CAPTURES = (
    "attack.scap.gz",
    "benign.scap.gz",
    "cat_write.scap",
    "connect_localhost.scap",
    "container.scap.gz",
    "empty.scap",
    "open-multiple-files.scap",
    "ping_sendto.scap",
    "sample.scap",
    "sd_forkexec.scap.gz",
    "sd_io.scap.gz",
    "sd_tcp4.scap.gz",
    "sd_udp_dns.scap.gz",
    "sd_unix.scap.gz",
    "syscall.scap",
    "t_bigio_snap1024.scap.gz",
    "t_files.scap.gz",
    "t_forkexec.scap.gz",
    "t_io.scap.gz",
    "t_memfd.scap.gz",
    "t_mount_unshare.scap.gz",
    "t_tcp4.scap.gz",
    "t_udp_dns.scap.gz",
    "t_unix.scap.gz",
)
WITH_ALERTS_ONLY = ("bench.scap.gz", "sd_benign.scap.gz")


class FalcoEvent(msgspec.Struct, frozen=True):
    """The fields that say which event it is."""

    num: int = msgspec.field(name="evt.num")
    time: int = msgspec.field(name="evt.rawtime")
    tid: int | None = msgspec.field(name="thread.tid")
    cpu: int = msgspec.field(name="evt.cpu")


def expected_of(shared: Path, capture: str, rest: str) -> Path:
    """A file of what Falco said."""
    return shared / "oracle" / "expected" / f"{capture.partition('.')[0]}.{rest}"


def delivered(path: Path) -> np.ndarray:
    """Numbers, times, threads and processors of the events that rules see."""
    parts = [np.empty((4, 0), np.int64)]
    with open_scap(path) as file:
        for section in file:
            for batch in section:
                columns = (batch.nums, batch.times_ns, batch.tids, batch.cpus)
                parts.append(np.stack([column[batch.is_delivered] for column in columns]))
    assert file.warnings == ()
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_same_events_with_the_same_numbers(shared: Path, capture: str) -> None:
    """Upgrading keeps, drops and counts what Falco keeps, drops and counts."""
    with gzip.open(expected_of(shared, capture, "events.jsonl.gz")) as file:
        events = msgspec.json.Decoder(FalcoEvent).decode_lines(file.read())
    ours = delivered(shared / "oracle" / "captures" / capture)
    assert ours[0].tolist() == [event.num for event in events]
    assert ours[1].tolist() == [event.time for event in events]
    assert ours[2].tolist() == [event.tid for event in events]
    assert ours[3].tolist() == [event.cpu for event in events]


def test_no_capture_is_left_out(shared: Path) -> None:
    """Every capture there is compared."""
    found = {path.name for path in (shared / "oracle" / "captures").iterdir()}
    assert found == {*CAPTURES, *WITH_ALERTS_ONLY}


@pytest.mark.parametrize("capture", WITH_ALERTS_ONLY)
def test_alerts_are_about_the_same_events(shared: Path, capture: str) -> None:
    """Large captures have no list of events; their alerts name times, the rules of ops numbers."""
    ours = delivered(shared / "oracle" / "captures" / capture)
    nums, known = set(ours[0].tolist()), set(ours[1].tolist())
    for rules in ("stable", "all3", "all3_matchall"):
        with gzip.open(expected_of(shared, capture, f"{rules}.jsonl.gz"), "rt") as file:
            for line in file:
                assert json.loads(line)["output_fields"]["evt.time.iso8601"] in known
    path = expected_of(shared, capture, "ops_events.json.gz")
    if path.exists():
        by_rule = json.loads(gzip.decompress(path.read_bytes()))
        assert nums >= {num for found in by_rule.values() for num in found}
