# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""Records captures/shop_network.parquet: DNS, HTTP and TLS over loopback, with contents.

    sudo python captures/make/shop_network.py OUTPUT

Needs what `first_light.py` needs, and plays on one machine of it: `web-1`, made of busybox, a DNS
server (`files/dnsd.c`) and `files/shop_network.sh`. The same rules make it neutral.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import neutral
from bundles import DEFAULT_CAPABILITIES, FILES, Machine, write_bundle, write_host_root
from traces import find_traces, machine_words

from falcotrace.api import open_captures

NAME = "shop-network"
SNAPLEN = "files=0,sockets=600"


def record(output: Path) -> str:
    """Record the machine and write the neutral capture; returns the folder that it worked in."""
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-") as name:
        folder = Path(name)
        root = folder / "root"
        write_host_root(root)
        (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        (root / "srv/www/prices.html").write_bytes((FILES / "prices.html").read_bytes() * 20)
        (root / "etc/shop_network.sh").write_bytes((FILES / "shop_network.sh").read_bytes())
        (root / "bin/sh").unlink()
        (root / "bin/sh").symlink_to("/bin/bash")
        server = root / "usr/local/sbin/dnsd"
        options = ["-static", "-Os", "-s", "-Wall", "-Werror", str(FILES / "dnsd.c")]
        subprocess.run(["gcc", *options, "-o", str(server)], check=True)
        command = ["/bin/sh", "-c", "ip link set lo up; exec /bin/sh /etc/shop_network.sh"]
        capabilities = (*DEFAULT_CAPABILITIES, "NET_ADMIN")
        machine = Machine(NAME, "web-1", command, f"/{NAME}", capabilities)
        write_bundle(machine, folder / "bundle", root)
        raw = folder / "raw.parquet"
        _run_recorder(raw, folder)
        identity = neutral.Identity("web-1", neutral.read_accounts(root), ("/docker/",))
        neutral.neutralise(raw, output, _pid_namespaces(raw), identity)
    return name


def _run_recorder(raw: Path, folder: Path) -> None:
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(raw), "--snaplen", SNAPLEN]
    # Where nobody looks for containers: it is to be a host.
    runtime = ["runc", "--root", str(folder / "runc"), "run", "--bundle", str(folder / "bundle")]
    subprocess.run([*recorder, "--", *runtime, NAME], check=True)


def _pid_namespaces(raw: Path) -> frozenset[int]:
    """The namespace of the machine, which is the one in which its DNS server runs."""
    with open_captures(raw) as capture:
        query = "SELECT DISTINCT proc.pidns FROM events WHERE proc.name = 'dnsd'"
        return frozenset(row[0] for row in capture.sql(query).fetchall())


def main() -> None:
    """The command line."""
    output = Path(sys.argv[1])
    folder = record(output)
    of_the_makers = ["falcotrace record", "/python", "/runc", "runc:", NAME]
    traces = find_traces(output, machine_words([folder], of_the_makers))
    if traces:
        output.unlink()
        sys.exit(f"the capture had words of this machine: {', '.join(traces)}")


if __name__ == "__main__":
    main()
