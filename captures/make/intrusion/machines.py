# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""The two machines of the tale of intrusion: a host that builds software, a container that serves.

In: a folder to work in. Out: bundles for `runc run`. Programs, libraries and headers are Debian's
own, mounted read-only from below /usr; everything else in the root directories is written here.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bundles import DEFAULT_CAPABILITIES, Machine
from debian import copy_program, write_debian_bundle, write_loader_cache, write_root
from names import (
    APPLICATION_PORT,
    CONTAINER,
    CONTAINER_ID,
    GATEWAY,
    HOST,
    HOSTNAME,
    Names,
)

FILES = Path(__file__).parent / "files"
HOST_CGROUP = "/app-1"

_HOST_CAPABILITIES = (
    *DEFAULT_CAPABILITIES,
    *("SYS_ADMIN", "SYS_PTRACE", "SYS_TTY_CONFIG", "NET_ADMIN", "DAC_READ_SEARCH", "SYS_BOOT"),
)
_EVERYWHERE: Mapping[str, str] = {
    "etc/group": "root:x:0:\ntty:x:5:\nops:x:1000:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\nops:*:20000:0:99999:7:::\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nops:x:1000:1000:operator:/home/ops:/bin/bash\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "var/lib/dpkg/status": "",
    "var/lib/dpkg/available": "",
}
_ON_HOST: Mapping[str, str] = {
    "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n",
    "etc/inittab": "::respawn:/usr/local/sbin/cron\n::once:/opt/runner/runner\n"
    "tty1::once:-/usr/local/bin/login -f ops\n",
    "etc/cron.d/backup": "*/2 * * * * root tar -c -z -f /var/backups/etc.tar.gz -C / etc\n",
    "home/ops/notes.txt": "orders: ask whether the report needs a shell\n",
    "srv/build/README": "tool: says how long a word is\n",
}
_IN_CONTAINER: Mapping[str, str] = {
    "etc/hosts": f"127.0.0.1 localhost\n172.18.0.2 {CONTAINER_ID[:12]}\n",
    "etc/resolv.conf": f"nameserver {GATEWAY}\n",
    "etc/cron.d/orders": "* * * * * root python3 /srv/orders/rates.py\n"
    "*/2 * * * * root wc -l /var/log/orders.log > /srv/orders/data/count\n",
    "root/.bash_history": "ls\nls -l /srv/orders\ncat /srv/orders/.env\nexit\n",
    "root/.ssh/id_ed25519": "stands for a key; it was made for a recording and opens nothing\n",
    # The pair that Amazon's documentation prints.
    "root/.aws/credentials": "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
    "srv/orders/.env": f"ORDERS_PORT={APPLICATION_PORT}\nORDERS_DATABASE=orders:example@db\n",
    "srv/orders/data/orders.csv": "".join(
        f"2026-{1 + i % 11:02},customer{i % 17},{('lamp', 'candle', 'match')[i % 3]}\n"
        for i in range(120)
    ),
}


_SECRETS = ("etc/shadow", "root/.ssh/id_ed25519", "root/.aws/credentials")


def write_machines(folder: Path, terminal: str, network: str, names: Names, rounds: int) -> None:
    """Write the bundles, the programs of both sides, and what the runner is to do.

    Args:
        folder: on a file system that can lie below an overlay.
        terminal: the terminal at which somebody logs in to the host.
        network: path of the container's network namespace.
        names: what the intruder calls things.
        rounds: how many large rounds of work the host does.
    """
    cache = folder / "ld.so.cache"
    write_loader_cache(cache)
    host, image = folder / "host-root", folder / "image"
    write_root(host, _EVERYWHERE | _ON_HOST, cache, _SECRETS)
    for name in ("runner", "job"):
        copy_program(FILES / name, host / "opt/runner" / name)
    (host / "opt/runner/rounds").write_text(f"{rounds}\n")
    for name in ("login", "init"):
        (host / "usr/local/bin" / name).symlink_to("/usr/bin/busybox")
    shutil.chown(host / "home/ops", 1000, 1000)
    write_root(image, _EVERYWHERE | _IN_CONTAINER, cache, _SECRETS)
    for name in ("start", "app.py", "rates.py"):
        copy_program(FILES / name, image / "srv/orders" / name)
    for root in (host, image):
        copy_program(FILES / "cron", root / "usr/local/sbin/cron")
    write_debian_bundle(
        Machine(
            HOST, HOSTNAME, ["/usr/local/bin/init"], HOST_CGROUP, _HOST_CAPABILITIES,
            mounts={"/dev/tty1": terminal},
        ), folder, host,
    )  # fmt: skip
    write_debian_bundle(
        Machine(
            CONTAINER, CONTAINER_ID[:12], ["/srv/orders/start"], f"/docker/{CONTAINER_ID}",
            network=network,
        ), folder, image,
    )  # fmt: skip
    compile_agent(folder / "agent", names)
    (folder / "tool").write_text((FILES / "beacon").read_text().replace("@HOST@", names.host))


def compile_agent(output: Path, names: Names) -> None:
    """Compile the intruder's program."""
    words = {
        "MASTER": f'"{names.host}"',
        "UPLOAD": f'"{names.page}"',
        "SHELL_PORT": names.shell_port,
    }
    defined = [f"-D{name}={value}" for name, value in words.items()]
    options = ["-static", "-Os", "-s", "-Wall", "-Werror", *defined]
    subprocess.run(["gcc", *options, str(FILES / "agent.c"), "-o", str(output)], check=True)
