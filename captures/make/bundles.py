# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""The machines of the tale: root directories from busybox, and runc bundles around them.

In: a folder to work in. Out: bundles that `runc run` starts. Needs root, Debian's busybox-static,
bash-static, lighttpd, gcc and runc. Nothing of the machine underneath gets into them: names, users,
hosts and environments are written here.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"
BUSYBOX, BASH = Path("/bin/busybox"), Path("/bin/bash-static")
SERVER, SERVER_MODULE = Path("/usr/sbin/lighttpd"), Path("/usr/lib/lighttpd/mod_cgi.so")

SERVER_ADDRESS, SERVER_PORT = "172.17.0.2", 8080
MASTER_ADDRESS, MASTER_PORT = "203.0.113.66", 443

SHOP_ID = "5d4c9e0f1b7a" + "3e8f6a2b9c0d1e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f"
WORKER_ID = "a81f0c3d9b26" + "7e5f4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6"

DEFAULT_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"),
    *("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)
"""What docker gives a container that asks for nothing."""

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_HOST_TEXTS: Mapping[str, str] = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nops:x:1000:1000:operator:/home/ops:/bin/sh\n",
    "etc/group": "root:x:0:\ntty:x:5:\nops:x:1000:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\nops:*:20000:0:99999:7:::\n",
    "etc/hostname": "web-1\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 web-1\n",
    "etc/motd": "web-1: shop and worker\n",
    "etc/inittab": "::respawn:/usr/sbin/crond -f -l 15 -L /var/log/cron.log\n"
    "tty1::once:-/bin/login -f ops\n",
    "var/spool/cron/crontabs/root": "* * * * * /usr/local/sbin/backup\n",
    "home/ops/notes.txt": "shop: ask for a container without SYS_ADMIN\n",
}

_IMAGE_TEXTS: Mapping[str, str] = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/crontabs/root": "* * * * * wc -l /data/orders.csv > /data/count\n",
    "data/orders.csv": "1,lamp\n2,candle\n",
}

_DIRECTORIES = (
    *("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin"),
    *("root", "proc", "dev", "tmp", "var/log", "var/backups", "srv/www/cgi-bin", "run"),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One thing that `runc run` starts.

    Attributes:
        name: its name for runc.
        hostname: its name for itself.
        command: its first process.
        cgroup: path of its control groups; a docker-shaped one makes it a container.
        capabilities: without `CAP_`.
        network: path of its network namespace; a new empty one by default.
        mounts: further bind mounts, destination to source.
    """

    name: str
    hostname: str
    command: Sequence[str]
    cgroup: str
    capabilities: Sequence[str] = DEFAULT_CAPABILITIES
    network: str = ""
    mounts: Mapping[str, str] = field(default_factory=dict)


def write_host_root(root: Path) -> None:
    """The root directory of the host itself: busybox, cron, one user."""
    _write_root(root, _HOST_TEXTS)
    _copy_program(FILES / "backup", root / "usr/local/sbin/backup")
    for path in ("home/ops", "home/ops/notes.txt", "etc/motd"):
        shutil.chown(root / path, 1000, 1000)


def write_image_root(root: Path) -> None:
    """The root directory of the containers' image: busybox, bash, a shop's pages."""
    _write_root(root, _IMAGE_TEXTS)
    _copy_dynamic_program(SERVER, root)
    _copy_program(SERVER_MODULE, root / SERVER_MODULE.relative_to("/"))
    (root / "etc/lighttpd").mkdir()
    shutil.copyfile(FILES / "lighttpd.conf", root / "etc/lighttpd/lighttpd.conf")
    _copy_program(FILES / "status", root / "srv/www/cgi-bin/status")
    for name in ("index.html", "prices.html"):
        shutil.copyfile(FILES / name, root / "srv/www" / name)


def compile_payload(output: Path) -> None:
    """Compile the intruder's program."""
    master = [f'-DMASTER="{MASTER_ADDRESS}"', f"-DPORT={MASTER_PORT}"]
    source = FILES / "kworker.c"
    options = ["-static", "-Os", "-s", "-Wall", "-Werror", *master]
    subprocess.run(["gcc", *options, str(source), "-o", str(output)], check=True)


def write_bundle(machine: Machine, folder: Path, image: Path) -> None:
    """Write a bundle; a container's root is an overlay over `image`, the host's is `image`."""
    folder.mkdir()
    root = image
    if "docker" in machine.cgroup:
        root = _mount_overlay(folder, image)
    (folder / "config.json").write_text(json.dumps(_config(machine, root), indent=1))


def _write_root(root: Path, texts: Mapping[str, str]) -> None:
    for path in _DIRECTORIES:
        (root / path).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    _copy_program(BUSYBOX, root / "bin/busybox")
    _copy_program(BASH, root / "bin/bash")
    # The shell of busybox runs its other programs inside itself, where nobody sees them start.
    (root / "bin/sh").symlink_to("/bin/bash")
    listed = subprocess.run([BUSYBOX, "--list-full"], check=True, capture_output=True, text=True)
    for path in listed.stdout.split():
        link = root / path
        if link.parent.is_dir() and not link.exists():
            link.symlink_to("/bin/busybox")
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "etc/shadow").chmod(0o600)


def _copy_dynamic_program(program: Path, root: Path) -> None:
    """Copy a program and the libraries that it names, each to its own path."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    libraries = [Path(word) for word in listed.split() if word.startswith("/")]
    for path in (program, *libraries):
        _copy_program(path, root / path.relative_to("/"))


def _copy_program(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _mount_overlay(folder: Path, image: Path) -> Path:
    for name in ("upper", "work", "root"):
        (folder / name).mkdir()
    options = f"lowerdir={image},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    root = folder / "root"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)], check=True)
    return root


def _config(machine: Machine, root: Path) -> dict[str, Any]:
    """The runtime's configuration (OCI runtime specification 1.0.2)."""
    names = [f"CAP_{name}" for name in machine.capabilities]
    network = {"type": "network"} | ({"path": machine.network} if machine.network else {})
    binds = [
        {"destination": to, "type": "bind", "source": source, "options": ["bind", "rw"]}
        for to, source in machine.mounts.items()
    ]
    return {
        "ociVersion": "1.0.2",
        "hostname": machine.hostname,
        "root": {"path": str(root), "readonly": False},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(machine.command),
            "env": [_PATH, "HOME=/root"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), names),
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666", "mode=0620"],
            },
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"},  # noqa: S108 - a mount point
            *binds,
        ],
        "linux": {
            "cgroupsPath": machine.cgroup,
            "namespaces": [*({"type": kind} for kind in ("pid", "mount", "uts", "ipc")), network],
        },
    }
