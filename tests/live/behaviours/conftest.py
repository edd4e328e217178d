"""One recording for each kind of activity; every test looks at one of them."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from live.behaviours.intrusions import Intrusion, record_intrusion
from live.behaviours.recordings import (
    ACTIVITY,
    compile_probe,
    container_bundle,
    record,
    run_on_terminal,
)

OFFICIAL = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")


@pytest.fixture(scope="session")
def official_rules(shared: Path) -> Plan:
    """Falco's rules of all three maturities, loaded together."""
    return load_plan(*(shared / "falco-rules" / name for name in OFFICIAL))


@pytest.fixture(scope="session")
def own_rules() -> Plan:
    """The rules that ship with FalcoTrace."""
    return load_plan()


@pytest.fixture(scope="session")
def host_capture(
    live_kernel: None,
    need_programs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A recording of what rules look for on a host."""
    need_programs("bash", "gcc", "ip", "unshare")
    folder = tmp_path_factory.mktemp("host")
    compile_probe(folder)
    capture = folder / "host.parquet"
    record(["bash", str(ACTIVITY / "host.sh"), str(folder)], capture)
    return capture


@pytest.fixture(scope="session")
def container_capture(
    live_kernel: None,
    need_programs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A recording of a container from its start to its end."""
    need_programs("busybox", "gcc", "runc", "script")
    folder = tmp_path_factory.mktemp("container")
    capture = folder.parent / "container.parquet"
    with container_bundle(folder, ["/bin/sh", "/activity.sh"]) as bundle:
        record(run_on_terminal(bundle), capture)
    return capture


@pytest.fixture(scope="session")
def ordinary_capture(
    live_kernel: None,
    need_programs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A recording of ordinary work."""
    need_programs("bash", "gcc", "git", "tar")
    folder = tmp_path_factory.mktemp("ordinary")
    capture = folder.parent / "ordinary.parquet"
    record(["bash", str(ACTIVITY / "ordinary.sh"), str(folder)], capture)
    return capture


@pytest.fixture(scope="session")
def intrusion_capture(
    live_kernel: None,
    need_programs: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Intrusion:
    """An intrusion among ordinary work, with names that nobody knows beforehand."""
    need_programs("busybox", "dpkg-deb", "gcc", "git", "ip", "make", "openssl", "runc")
    folder = tmp_path_factory.mktemp("intrusion")
    return record_intrusion(folder, noise_count=100_000, seed=random.randrange(10_000))
