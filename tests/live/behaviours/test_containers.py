"""What container runtimes know of real containers is in the capture, and rules find it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.record.folder import SUFFIX
from falcotrace.record.journal import segments
from falcotrace.record.losses import NOT_DESCRIBED
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from live.behaviours.containers import (
    DANGEROUS,
    HARMLESS,
    IMAGE,
    Starter,
    Wish,
    containerd_daemon,
    podman_image,
    runc_container,
)
from live.behaviours.recordings import Scanned, scan

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

FALCOTRACE = [sys.executable, "-m", "falcotrace"]
PRIVILEGED = "Launch Privileged Container"
SENSITIVE = "Launch Sensitive Mount Container"
OWN_SENSITIVE = "A folder of the host in a container"
# The condition of Falco's own rule about mounts holds for every container, in Falco too: a mount
# that is not there is in no list, and `not` makes that true.
OWN_RULES = f"""
- rule: {OWN_SENSITIVE}
  desc: A container that starts with the host's settings in it
  condition: >
    evt.type in (execve, execveat) and proc.vpid = 1 and container.id != host
    and container.mount.dest[/etc] exists
  output: "%container.mounts"
  priority: INFO
"""


@contextmanager
def recorded(capture: Path) -> Iterator[subprocess.Popen[str]]:
    """A recording of the whole host while the block runs; its end if the block did not bring it."""
    recorder = subprocess.Popen(
        [*FALCOTRACE, "record", "-o", str(capture)], stderr=subprocess.PIPE, text=True
    )
    try:
        ends = time.monotonic() + 20
        while not segments(capture.with_name(capture.name + SUFFIX)):
            assert time.monotonic() < ends, "no journal was begun"
            time.sleep(0.01)
        time.sleep(1)  # what exists is described before the first event is recorded
        yield recorder
        if recorder.poll() is None:
            recorder.terminate()
        _, said = recorder.communicate(timeout=60)
        assert recorder.returncode in {0, -9}, said
    finally:
        recorder.kill()
        recorder.communicate()


def run(command: list[str]) -> None:
    """Run a container to its end."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def runc(need_programs: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Starter:
    """Containers of runc alone."""
    need_programs("busybox", "runc")
    return runc_container(tmp_path_factory.mktemp("runc"))


@pytest.fixture(scope="session")
def podman(
    need_programs: Callable[..., None],
    refuse: Callable[[list[str]], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Starter]:
    """Containers of podman."""
    need_programs("busybox", "podman", "runc", "tar")
    try:
        with podman_image(tmp_path_factory.mktemp("podman")) as starter:
            yield starter
    except RuntimeError as error:
        refuse([str(error)])


@pytest.fixture(scope="session")
def containerd(
    need_programs: Callable[..., None],
    refuse: Callable[[list[str]], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Starter]:
    """Containers of containerd."""
    need_programs("busybox", "containerd", "ctr", "runc")
    try:
        with containerd_daemon(tmp_path_factory.mktemp("containerd")) as starter:
            yield starter
    except RuntimeError as error:
        refuse([str(error)])


@pytest.fixture(scope="session")
def rules(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Falco's rules of all maturities, and one of our own."""
    own = tmp_path_factory.mktemp("rules") / "own.yaml"
    own.write_text(OWN_RULES)
    names = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    return load_plan(*(shared / "falco-rules" / name for name in names), own)


@pytest.fixture(scope="session", params=["runc", "podman", "containerd"])
def engine(request: pytest.FixtureRequest) -> tuple[str, Starter]:
    """Each runtime."""
    return request.param, request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def both(
    engine: tuple[str, Starter], rules: Plan, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Scanned]:
    """A harmless and a dangerous container of a runtime, and what rules say of them."""
    kind, starter = engine
    capture = tmp_path_factory.mktemp("both") / "c.parquet"
    with recorded(capture):
        run(starter("ft-harmless", HARMLESS))
        run(starter("ft-dangerous", DANGEROUS))
    return kind, scan(capture, rules)


def test_what_the_runtimes_say(both: tuple[str, Scanned]) -> None:
    """Type, name, privileges, mounts and image are those of the container of each event."""
    kind, scanned = both
    found = {
        str(row[1]): row
        for row in scanned.capture.sql(
            "SELECT DISTINCT container.type, container.name, container.privileged,"
            " container.mounts, container.image.name, container.full_id FROM events"
            " WHERE container.id != 'host' AND container.name LIKE 'ft-%'"
        ).fetchall()
    }
    assert found.keys() == {"ft-harmless", "ft-dangerous"}
    harmless, dangerous = found["ft-harmless"], found["ft-dangerous"]
    assert (harmless[0], dangerous[0]) == (kind, kind)
    assert (harmless[2], dangerous[2]) == (False, True)
    assert "/etc:/host-etc:" not in str(harmless[3])
    assert "/etc:/host-etc::false:" in str(dangerous[3])
    assert harmless[4] == (IMAGE if kind == "podman" else None)
    assert len(str(harmless[5])) == 64 if kind == "podman" else harmless[5] == "ft-harmless"


def test_official_rules_find_the_dangerous_one(both: tuple[str, Scanned]) -> None:
    """Its first process is that of a privileged container, with the host's settings in it."""
    _, scanned = both
    for rule in (PRIVILEGED, SENSITIVE):
        rows = scanned.rows(rule, ["container.name", "proc.vpid", "container.privileged"])
        assert ("ft-dangerous", 1, True) in rows


def test_the_harmless_one_stays_silent(both: tuple[str, Scanned]) -> None:
    """Rules about privileges and mounts are about the container of the event, not about others."""
    _, scanned = both
    for rule in (PRIVILEGED, OWN_SENSITIVE):
        names = {name for (name,) in scanned.rows(rule, ["container.name"])}
        assert names == {"ft-dangerous"}


def test_nothing_is_unknown(both: tuple[str, Scanned]) -> None:
    """Every event of both has the description, though both were gone when it was converted."""
    _, scanned = both
    query = (
        "SELECT count(*) FILTER (container.type IS NULL), count(*) FROM events"
        " WHERE container.id != 'host'"
    )
    ((undescribed, count),) = scanned.capture.sql(query).fetchall()
    assert undescribed == 0 < count
    (summary,) = scanned.capture.info
    assert NOT_DESCRIBED not in summary.losses.incomplete


def test_one_that_ran_before(runc: Starter, tmp_path: Path) -> None:
    """Containers that exist when the recording begins are looked up too."""
    loop = "while :; do busybox cat /proc/uptime; busybox sleep 0.05; done"
    wish = Wish(command=("/bin/busybox", "sh", "-c", loop), mounts=(("/etc", "/host-etc"),))
    capture = tmp_path / "c.parquet"
    quiet = subprocess.DEVNULL
    container = subprocess.Popen(runc("ft-before", wish), stdout=quiet, stderr=quiet)
    try:
        time.sleep(1)
        with recorded(capture):
            time.sleep(0.5)
    finally:
        subprocess.run(["runc", "kill", "ft-before", "KILL"], check=True)
        container.wait(20)
    found = open_captures(capture).sql(
        "SELECT DISTINCT container.name, container.mounts FROM events"
        " WHERE container.id = 'ft-before'"
    )
    assert found.fetchall() == [("ft-before", "/etc:/host-etc::false:rprivate")]


def test_a_name_that_comes_back(runc: Starter, tmp_path: Path) -> None:
    """Two containers of one name, one after the other, are told apart."""
    capture = tmp_path / "c.parquet"
    with recorded(capture):
        run(runc("ft-again", HARMLESS))
        run(runc("ft-again", DANGEROUS))
    found = open_captures(capture).sql(
        "SELECT container.privileged FROM events WHERE container.id = 'ft-again'"
        " AND evt.type = 'execve' AND proc.vpid = 1 ORDER BY evt.num"
    )
    assert found.fetchall() == [(False,), (True,)]


def test_a_recorder_that_was_killed(runc: Starter, tmp_path: Path) -> None:
    """What was learnt is on disk: the recovered capture describes a container that is gone."""
    capture = tmp_path / "c.parquet"
    with recorded(capture) as recorder:
        run(runc("ft-killed", DANGEROUS))
        time.sleep(0.5)
        os.kill(recorder.pid, 9)
        recorder.wait()
    folder = capture.with_name(capture.name + SUFFIX)
    done = subprocess.run(
        [*FALCOTRACE, "recover", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = open_captures(capture).sql(
        "SELECT DISTINCT container.name, container.privileged, container.mounts FROM events"
        " WHERE container.id = 'ft-killed'"
    )
    assert found.fetchall() == [("ft-killed", True, "/etc:/host-etc::false:rprivate")]
