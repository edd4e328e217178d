# ruff: noqa: INP001, S603 - a script beside others; it runs fixed programs of Debian
"""Where machines of a tale run: a folder in memory, networks with nobody else in them, runc.

Whatever is made here is undone at the end, also after an error.
"""

import ctypes
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000


@dataclass(frozen=True, slots=True)
class Link:
    """A machine's way to the "internet".

    Attributes:
        name: of the machine's network namespace.
        address: the machine's, with the length of its network's prefix.
        gateway: the other end's, in the same network.
    """

    name: str
    address: str
    gateway: str


@contextmanager
def memory_folder(prefix: str) -> Iterator[Path]:
    """A folder in memory, because an overlay cannot lie on another one."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        run("mount", "-t", "tmpfs", "tmpfs", name)
        try:
            yield Path(name)
        finally:
            run("umount", "--lazy", name)


@contextmanager
def networks(internet: str, links: Sequence[Link], others: Sequence[str]) -> Iterator[None]:
    """Networks of machines, and the "internet" between them, which has nobody else in it.

    Args:
        internet: name of its namespace.
        links: the machines'.
        others: addresses of everybody else, who are all in `internet`.
    """
    try:
        for name in (internet, *(link.name for link in links)):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for number, link in enumerate(links):
            _connect(internet, link, f"link{number}")
        for address in others:
            run("ip", "-n", internet, "addr", "add", f"{address}/32", "dev", "link0")
        run("ip", "netns", "exec", internet, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        yield
    finally:
        for name in (internet, *(link.name for link in links)):
            attempt("ip", "netns", "delete", name)


def _connect(internet: str, link: Link, device: str) -> None:
    prefix = link.address.partition("/")[2]
    run(
        *("ip", "-n", internet, "link", "add", device, "type", "veth"),
        *("peer", "name", "eth0", "netns", link.name),
    )
    run("ip", "-n", internet, "addr", "add", f"{link.gateway}/{prefix}", "dev", device)
    run("ip", "-n", link.name, "addr", "add", link.address, "dev", "eth0")
    run("ip", "-n", internet, "link", "set", device, "up")
    run("ip", "-n", link.name, "link", "set", "eth0", "up")
    run("ip", "-n", link.name, "route", "add", "default", "via", link.gateway)


@contextmanager
def stopped_afterwards(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """At the end the machines with these names are stopped, and their overlays unmounted."""
    try:
        yield
    finally:
        for name in names:
            attempt("runc", "--root", str(folder / "runc"), "delete", "--force", name)
            attempt("umount", str(folder / name / "root"))


def runc(folder: Path, *arguments: str, terminal: int | None = None) -> int:
    """Ask the runtime, which keeps its state in the folder; returns its exit code."""
    quiet = subprocess.DEVNULL if terminal is None else terminal
    log = ["--log", str(folder / "runc.log")]
    command = ["runc", "--root", str(folder / "runc"), *log, *arguments]
    done = subprocess.run(command, check=False, stdin=quiet, stdout=quiet, stderr=quiet)
    return done.returncode


def start(folder: Path, name: str) -> None:
    """Start a machine.

    Raises:
        RuntimeError: runc could not.
    """
    if runc(folder, "run", "--detach", "--bundle", str(folder / name), name):
        said = (folder / "runc.log").read_text()
        raise RuntimeError(f"runc could not start {name}: {said}")


def write_namespaces(folder: Path, names: Sequence[str]) -> None:
    """Note the machines' pid namespaces: what belongs to them stays in the capture."""
    found: dict[str, int] = {}
    for name in names:
        command = ["runc", "--root", str(folder / "runc"), "state", name]
        state = subprocess.run(command, check=True, capture_output=True)
        found[name] = Path(f"/proc/{json.loads(state.stdout)['pid']}/ns/pid").stat().st_ino
    (folder / "pid_namespaces.json").write_text(json.dumps(found))


def read_namespaces(folder: Path) -> Mapping[str, int]:
    """The pid namespaces of the machines that ran in a folder."""
    found: dict[str, int] = json.loads((folder / "pid_namespaces.json").read_text())
    return found


def enter_network(name: str) -> None:
    """Go on in a network namespace.

    Raises:
        OSError: the kernel refuses.
    """
    with Path(f"/run/netns/{name}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def drain(source: socket.socket | int) -> None:
    """Read and forget, so that nobody has to wait for us."""
    try:
        while source.recv(4096) if isinstance(source, socket.socket) else os.read(source, 4096):
            pass
    except OSError:
        return


def run(*command: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(command, check=True)


def attempt(*command: str) -> None:
    """Run a program that may fail."""
    with suppress(OSError):
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
