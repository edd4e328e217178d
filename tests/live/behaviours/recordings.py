"""Recordings of scripts, and what rules say of them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from falcotrace.api import Captures, open_captures
from falcotrace.rules.plan import Plan

ACTIVITY = Path(__file__).parent / "activity"
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"

CONTAINER_ID = "3f1e9a7c5b2d4860fedcba98765432100123456789abcdef0123456789abcdef"
CGROUPS = f"/docker/{CONTAINER_ID}"


def record(command: Sequence[str], capture: Path, *options: str) -> None:
    """Record a command and its descendants, with an environment that does not differ by machine."""
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHON": os.path.realpath(sys.executable),
    }
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(capture), *options, "--"]
    done = subprocess.run(
        [*recorder, *command],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def compile_probe(folder: Path) -> Path:
    """Compile the probe; static, for a container has no libraries."""
    probe = folder / "probe"
    source = ACTIVITY / "probe.c"
    subprocess.run(["gcc", "-static", "-O1", "-o", probe, source], check=True, timeout=60)
    return probe


@dataclass(frozen=True)
class Scanned:
    """A capture, and the numbers of the events for which each rule fired."""

    capture: Captures
    events: Mapping[str, list[int]]

    def rows(self, rule: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """The values of some columns in the events for which a rule fired."""
        numbers = ", ".join(map(str, self.events.get(rule, [])))
        if not numbers:
            return []
        query = f"SELECT {', '.join(columns)} FROM events WHERE evt.num IN ({numbers})"
        return self.capture.sql(query).fetchall()


def scan(path: Path, rules: Plan) -> Scanned:
    """Ask rules of a capture, in which nothing may be missing."""
    capture = open_captures(path)
    assert not capture.has_losses
    events: dict[str, list[int]] = {}
    for alert in capture.scan(rules):
        events.setdefault(alert.rule.name, []).append(alert.num)
    return Scanned(capture, events)


@contextmanager
def container_bundle(folder: Path, command: Sequence[str]) -> Iterator[Path]:
    """A runc bundle with busybox and the probe on an overlay, as container engines mount it.

    In a file system of its own, because an overlay cannot lie on another one.
    """
    had = set(_docker_groups())
    _run("mount", "-t", "tmpfs", "falcotrace-test", folder)
    try:
        layers = {name: folder / name for name in ("lower", "upper", "work", "rootfs")}
        for layer in layers.values():
            layer.mkdir()
        _fill(layers["lower"], compile_probe(folder))
        subprocess.run(["runc", "spec"], cwd=folder, check=True)
        _configure(folder / "config.json", command)
        options = "lowerdir={lower},upperdir={upper},workdir={work}".format(**layers)
        _run("mount", "-t", "overlay", "overlay", "-o", options, layers["rootfs"])
        try:
            yield folder
        finally:
            _run("umount", layers["rootfs"])
    finally:
        _run("umount", folder)
        for group in set(_docker_groups()) - had:
            group.rmdir()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def _fill(root: Path, probe: Path) -> None:
    """The image: busybox, the probe and the script that is run in it."""
    for name in ("bin", "proc", "dev", "sys"):
        (root / name).mkdir()
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    for name, program in (("busybox", busybox), ("probe", probe)):
        (root / "bin" / name).write_bytes(program.read_bytes())
        (root / "bin" / name).chmod(0o755)
    (root / "bin" / "sh").symlink_to("busybox")
    (root / "activity.sh").write_bytes((ACTIVITY / "container.sh").read_bytes())


def _configure(path: Path, command: Sequence[str]) -> None:
    config = json.loads(path.read_text())
    config["root"] = {"path": "rootfs", "readonly": False}
    config["process"]["args"] = list(command)
    config["process"]["terminal"] = True
    for kind in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][kind] += ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]
    config["linux"]["cgroupsPath"] = CGROUPS
    path.write_text(json.dumps(config))


def _docker_groups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    return [path for path in (root / "docker", *root.glob("*/docker")) if path.is_dir()]


def run_on_terminal(bundle: Path) -> list[str]:
    """The command that runs a bundle with a terminal of its own."""
    runc = f"runc --root {bundle}/state run --bundle {bundle} falcotrace-test-{os.getpid()}"
    return ["script", "-qec", runc, "/dev/null"]
