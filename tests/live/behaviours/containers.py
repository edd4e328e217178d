"""Real containers of three runtimes, each with busybox alone in it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

IMAGE = "localhost/falcotrace-test:1.0"
NAMESPACE = "falcotrace-test"
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a container is to be like.

    Attributes:
        command: what it runs.
        is_privileged: whether nothing is to confine it.
        mounts: folders of the host, by where they are to be seen.
    """

    command: tuple[str, ...] = ("/bin/busybox", "sleep", "0.2")
    is_privileged: bool = False
    mounts: tuple[tuple[str, str], ...] = ()


HARMLESS = Wish()
DANGEROUS = Wish(is_privileged=True, mounts=(("/etc", "/host-etc"),))

Starter = Callable[[str, Wish], list[str]]
"""The command that runs a container with a name to its end."""


def fill_root(folder: Path) -> Path:
    """A root with busybox."""
    root = folder / "rootfs"
    for name in ("bin", "proc", "dev", "sys", "etc", "host-etc"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(Path(shutil.which("busybox") or "").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    (root / "bin/sh").symlink_to("busybox")
    return root


def runc_container(folder: Path) -> Starter:
    """Containers of runc alone, with its usual folder of states."""

    def command(name: str, wish: Wish) -> list[str]:
        bundle = folder / f"bundle-{name}-{len(list(folder.iterdir()))}"
        bundle.mkdir()
        fill_root(bundle)
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        _configure(bundle / "config.json", wish)
        return ["runc", "run", "--bundle", str(bundle), name]

    return command


def _configure(path: Path, wish: Wish) -> None:
    config = json.loads(path.read_text())
    config["process"] |= {"args": list(wish.command), "terminal": False}
    config["root"]["readonly"] = False
    for source, destination in wish.mounts:
        options = ["rbind", "ro"]
        mount = {"type": "bind", "source": source, "destination": destination, "options": options}
        config["mounts"].append(mount)
    if wish.is_privileged:
        del config["linux"]["maskedPaths"], config["linux"]["readonlyPaths"]
        for kind in ("bounding", "effective", "permitted"):
            config["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")
    path.write_text(json.dumps(config))


@contextmanager
def podman_image(folder: Path) -> Iterator[Starter]:
    """Containers of podman, from an image that is gone afterwards.

    Raises:
        RuntimeError: podman cannot run a container here; says why.
    """
    archive = folder / "image.tar"
    subprocess.run(["tar", "-C", fill_root(folder), "-cf", archive, "."], check=True)
    imported = _said(["podman", "import", "--quiet", str(archive), IMAGE])
    if imported.returncode:
        raise RuntimeError(f"podman cannot import an image: {imported.stderr.strip()}")
    try:
        tried = _said(podman_container(f"falcotrace-try-{os.getpid()}", HARMLESS))
        if tried.returncode:
            raise RuntimeError(f"podman cannot run a container: {tried.stderr.strip()}")
        yield podman_container
    finally:
        subprocess.run(["podman", "rmi", "--force", IMAGE], check=True, capture_output=True)


def podman_container(name: str, wish: Wish) -> list[str]:
    """A container that is removed when it ends.

    With limits that every machine has the right to set.
    """
    mounts = [f"--volume={source}:{destination}:ro" for source, destination in wish.mounts]
    options = ["--rm", "--network=none", *_LIMITS, f"--name={name}", *mounts]
    if wish.is_privileged:
        options.append("--privileged")
    return ["podman", "--runtime=runc", "run", *options, IMAGE, *wish.command]


@contextmanager
def containerd_daemon(folder: Path) -> Iterator[Starter]:
    """Containers of containerd, which is started if it does not run.

    Raises:
        RuntimeError: it does not start; says why.
    """
    root = fill_root(folder)
    usual = Path("/run/containerd/containerd.sock")
    address = usual if usual.is_socket() else folder / "c.sock"
    places = ["--root", str(folder / "state"), "--state", "/run/containerd"]
    daemon: subprocess.Popen[bytes] | None = None
    if address != usual:
        with (folder / "containerd.log").open("w") as log:
            daemon = subprocess.Popen(
                ["containerd", "--address", str(address), *places], stdout=log, stderr=log
            )
    try:
        _wait_for(address, folder / "containerd.log")

        def command(name: str, wish: Wish) -> list[str]:
            client = ["ctr", "--address", str(address), "--namespace", NAMESPACE]
            mounts = [
                f"--mount=type=bind,src={source},dst={destination},options=rbind:ro"
                for source, destination in wish.mounts
            ]
            more = ["--privileged"] if wish.is_privileged else []
            return [
                *client,
                "run",
                "--rm",
                *more,
                *mounts,
                "--rootfs",
                str(root),
                name,
                *wish.command,
            ]

        yield command
    finally:
        if daemon is not None:
            daemon.terminate()
            daemon.wait(20)


def _wait_for(address: Path, log: Path) -> None:
    ends = time.monotonic() + 20
    while not address.is_socket():
        if time.monotonic() > ends:
            raise RuntimeError(f"containerd does not start: {log.read_text()[-500:]}")
        time.sleep(0.1)


def _said(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
