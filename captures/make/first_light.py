# ruff: noqa: INP001, S603 - a script beside others; it runs fixed programs of Debian
"""Records captures/first_light.parquet: builds the machines, plays the tale, makes it neutral.

    sudo python captures/make/first_light.py OUTPUT

Needs root, a kernel with BTF, and Debian's busybox-static, bash-static, lighttpd,
gcc, iproute2 and runc. It
takes about a minute and undoes what it did. At the end it looks for words of this machine in the
capture and refuses one that has any.
"""

import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import neutral
from bundles import (
    DEFAULT_CAPABILITIES,
    MASTER_ADDRESS,
    SERVER_ADDRESS,
    SHOP_ID,
    WORKER_ID,
    Machine,
    compile_payload,
    write_bundle,
    write_host_root,
    write_image_root,
)
from tale import INTERNET, VISITORS, read_namespaces
from traces import find_traces, machine_words

SHOP_NETWORK = "first-light-shop"
HOST_CGROUP = "/first-light-host"
ALL_CAPABILITIES = (
    *DEFAULT_CAPABILITIES,
    *("SYS_ADMIN", "SYS_PTRACE", "SYS_TTY_CONFIG", "NET_ADMIN", "DAC_READ_SEARCH", "SYS_BOOT"),
)


def record(output: Path) -> str:
    """Record the tale and write the neutral capture; returns the folder that it worked in."""
    with tempfile.TemporaryDirectory(prefix="first-light-") as name:
        folder = Path(name)
        ours, theirs = pty.openpty()
        with _network(), _machines(folder, os.ttyname(theirs)):
            _run_recorder(folder, ours)
        os.close(ours)
        os.close(theirs)
        identity = neutral.Identity(
            "web-1", neutral.read_accounts(folder / "host-root"), ("/docker/",)
        )
        neutral.neutralise(folder / "raw.parquet", output, read_namespaces(folder), identity)
    return name


def _run_recorder(folder: Path, terminal: int) -> None:
    tale = [sys.executable, str(Path(__file__).with_name("tale.py")), str(folder), str(terminal)]
    raw = str(folder / "raw.parquet")
    command = [sys.executable, "-m", "falcotrace", "record", "-o", raw, "--", *tale]
    subprocess.run(command, check=True, pass_fds=[terminal])


@contextmanager
def _machines(folder: Path, terminal: str) -> Iterator[None]:
    """Bundles of the three machines; afterwards they are stopped and unmounted."""
    host_root, image = folder / "host-root", folder / "image"
    write_host_root(host_root)
    write_image_root(image)
    compile_payload(folder / "kworker")
    machines = (
        Machine(
            "host", "web-1", ["/sbin/init"], HOST_CGROUP, ALL_CAPABILITIES,
            mounts={"/dev/tty1": terminal},
        ),
        Machine(
            "shop", SHOP_ID[:12], ["/usr/sbin/lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf"],
            f"/docker/{SHOP_ID}", (*DEFAULT_CAPABILITIES, "SYS_ADMIN"),
            network=f"/run/netns/{SHOP_NETWORK}",
        ),
        Machine(
            "worker", WORKER_ID[:12],
            ["/usr/sbin/crond", "-f", "-c", "/etc/crontabs", "-L", "/dev/null"],
            f"/docker/{WORKER_ID}",
        ),
    )  # fmt: skip
    for machine in machines:
        write_bundle(machine, folder / machine.name, host_root if machine.name == "host" else image)
    try:
        yield
    finally:
        for machine in machines:
            _try("runc", "delete", "--force", machine.name)
            _try("umount", str(folder / machine.name / "root"))


@contextmanager
def _network() -> Iterator[None]:
    """The shop's network and the "internet" at its other end, which has nobody else in it."""
    addresses = ("172.17.0.1/16", f"{MASTER_ADDRESS}/32", *(f"{item}/32" for item in VISITORS))
    try:
        for name in (INTERNET, SHOP_NETWORK):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run(
            *("ip", "-n", INTERNET, "link", "add", "shop0", "type", "veth"),
            *("peer", "name", "eth0", "netns", SHOP_NETWORK),
        )
        for address in addresses:
            _run("ip", "-n", INTERNET, "addr", "add", address, "dev", "shop0")
        _run("ip", "-n", SHOP_NETWORK, "addr", "add", f"{SERVER_ADDRESS}/16", "dev", "eth0")
        _run("ip", "-n", INTERNET, "link", "set", "shop0", "up")
        _run("ip", "-n", SHOP_NETWORK, "link", "set", "eth0", "up")
        _run("ip", "-n", SHOP_NETWORK, "route", "add", "default", "via", "172.17.0.1")
        yield
    finally:
        for name in (INTERNET, SHOP_NETWORK):
            _try("ip", "netns", "delete", name)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _try(*command: str) -> None:
    with suppress(OSError):
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)


def main() -> None:
    """The command line."""
    output = Path(sys.argv[1])
    folder = record(output)
    of_the_makers = ["falcotrace record", "/python", "/runc", "runc:", "first-light"]
    traces = find_traces(output, machine_words([folder], of_the_makers))
    if traces:
        output.unlink()
        sys.exit(f"the capture had words of this machine: {', '.join(traces)}")


if __name__ == "__main__":
    main()
