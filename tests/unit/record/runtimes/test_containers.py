"""From the log of look-ups to columns."""

import os
from pathlib import Path

import msgspec
import pytest

from falcotrace.record.framed_log import FramedLog
from falcotrace.record.runtimes.container_log import FILE_NAME, ContainerLog, Record
from falcotrace.record.runtimes.containers import RUNTIME_COLUMNS, Containers
from falcotrace.record.runtimes.description import Container, Mount
from unit.record.made_samples import Conversion, Row, Stream
from unit.record.runtimes.state_files import ID, SANDBOX

WEB = Container(
    container_id=ID[:12],
    full_id=ID,
    type="containerd",
    name="web",
    image="nginx:1.25",
    image_repository="nginx",
    image_tag="1.25",
    ip="10.0.0.9",
    is_privileged=True,
    labels={"a": "b", "io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop"},
    mounts=[Mount(source="/etc", destination="/e", is_writable=False, propagation="rslave")],
    sandbox_id=SANDBOX,
    pod_labels={"app": "shop"},
    unknown=("container.image.digest", "container.host_pid"),
)


def stream_with(cgroups_id: int, group: str, euid: int = 0) -> Stream:
    """A process in a control group that makes a call."""
    stream = Stream()
    stream.image(1)
    stream.control_groups(cgroups_id, group)
    stream.process(1, cgroups_id=cgroups_id, euid=euid)
    stream.call("getuid")
    return stream


def row_with(folder: Path, group: str, cgroups_id: int = 1, euid: int = 0) -> Row:
    """The row of such a call."""
    conversion = Conversion(containers=Containers(folder))
    return conversion.of(stream_with(cgroups_id, group, euid))[-1]


def log(folder: Path, *written: Record) -> None:
    """A log of look-ups."""
    taker = ContainerLog(folder)
    for record in written:
        taker.append(record)
    taker.close()


def test_a_described_container(tmp_path: Path) -> None:
    """Every column has what the runtime told; what it did not tell is null, not false or empty."""
    log(tmp_path, Record(container_id=ID[:12], container=WEB))
    row = row_with(tmp_path, f"cpu=/docker/{ID}", euid=1000)
    assert (row["container.id"], row["container.name"]) == (ID[:12], "web")
    assert (row["container.type"], row["container.privileged"]) == ("containerd", True)
    assert (row["container.image.name"], row["container.image.repository"]) == (
        "nginx:1.25",
        "nginx",
    )
    assert row["container.mounts"] == "/etc:/e::false:rslave"
    assert row["container.mount.dest"] == ["/e"]
    assert (row["container.labels"], row["container.ip"]) == ("a:b", "10.0.0.9")
    assert (row["k8s.pod.name"], row["k8s.ns.name"]) == ("web-1", "shop")
    assert (row["k8s.pod.sandbox_id"], row["k8s.pod.labels"]) == (SANDBOX[:12], "app:shop")
    assert row["k8s.pod.ip"] == "10.0.0.9"
    assert (row["container.image.digest"], row["container.host_pid"]) == (None, None)
    assert (row["container.host_network"], row["user.name"]) == (False, "<NA>")


def test_descriptions_that_come_between_row_groups(tmp_path: Path) -> None:
    """The rows before keep what was known then, later ones have the description."""
    containers = Containers(tmp_path)
    conversion = Conversion(containers=containers)
    row = conversion.of(stream_with(1, f"cpu=/docker/{ID}"))[-1]
    assert (row["container.id"], row["container.name"]) == (ID[:12], None)
    assert containers.unknown_count == 1
    log(tmp_path, Record(container_id=ID[:12], container=WEB))
    stream = Stream()
    stream.call("getuid")
    assert conversion.of(stream)[-1]["container.name"] == "web"
    assert containers.unknown_count == 0


def test_conversion_waits_before_it_looks(tmp_path: Path) -> None:
    """What is learnt while it waits is in the rows."""
    taker = ContainerLog(tmp_path)

    def wait() -> None:
        taker.append(Record(container_id=ID[:12], container=WEB))

    conversion = Conversion(containers=Containers(tmp_path, wait))
    assert conversion.of(stream_with(1, f"cpu=/docker/{ID}"))[-1]["container.name"] == "web"
    taker.close()


def test_a_container_with_a_name(tmp_path: Path) -> None:
    """Its set of control groups tells who it is; in others of that name it is the host."""
    box = Container(container_id="box", full_id="box", type="runc", name="box")
    log(tmp_path, Record(container_id="box", cgroups_id=7, container=box))
    row = row_with(tmp_path, "memory=/box", 7, euid=1000)
    assert (row["container.id"], row["container.type"]) == ("box", "runc")
    assert row["user.name"] == "<NA>"
    row = row_with(tmp_path, "memory=/box", 8, euid=1000)
    assert (row["container.id"], row["container.name"], row["user.name"]) == ("host", "host", "ann")


def test_what_was_told_and_what_was_not(tmp_path: Path) -> None:
    """The footer names columns that were told of no container, and counts unknown containers."""
    log(
        tmp_path,
        Record(container_id=ID[:12], container=WEB),
        Record(container_id=SANDBOX[:12], problem="no JSON"),
    )
    containers = Containers(tmp_path)
    containers.refresh()
    assert containers.filled == set(RUNTIME_COLUMNS) - set(WEB.unknown)
    assert containers.unknown_count == 1


def test_a_damaged_log(tmp_path: Path) -> None:
    """Records of other things are passed over, and the log counts up to what is torn."""
    writer = FramedLog(tmp_path / FILE_NAME)
    writer.append(9, b"of a newer version")
    writer.append(1, b"{")
    writer.append(1, b'{"container_id": "x", "container": {"id": 5}}')
    writer.append(1, msgspec.json.encode(Record(container_id=ID[:12], container=WEB)))
    whole = writer.end
    writer.append(1, msgspec.json.encode(Record(container_id=SANDBOX[:12], container=WEB)))
    writer.close()
    os.truncate(tmp_path / FILE_NAME, whole + 20)
    containers = Containers(tmp_path)
    containers.refresh()
    conversion = Conversion(containers=containers)
    assert conversion.of(stream_with(1, f"cpu=/docker/{ID}"))[-1]["container.name"] == "web"
    assert conversion.of(stream_with(2, f"cpu=/docker/{SANDBOX}"))[-1]["container.name"] is None


def test_what_no_process_needs_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers come and go; a recorder that runs for months does not grow with them."""
    monkeypatch.setattr("falcotrace.record.runtimes.containers.REMEMBERED", 100)
    others = [
        Record(container_id=f"{number:012}", container=Container(container_id=f"{number:012}"))
        for number in range(300)
    ]
    log(tmp_path, Record(container_id=ID[:12], container=WEB), *others)
    containers = Containers(tmp_path)
    conversion = Conversion(containers=containers)
    assert conversion.of(stream_with(1, f"cpu=/docker/{ID}"))[-1]["container.name"] == "web"
    assert containers.known_count == 51
