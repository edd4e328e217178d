"""A container as Docker runs them: an entry point, health checks, cron inside, a person looking in.

In: the folder of a machine, whose base is the container's image. Out: while it runs, a process tree
in control groups below `/docker/`, over an overlay of the image. Needs runc.
"""

import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ordinary.sessions import read_session
from ordinary.terminal import Terminal, think

CONTAINER_ID = "7d1f0a5b9c3e" + "4f6a8b2c1d0e9f7a5b3c4d6e8f0a1b2c3d4e5f6a7b8c9d0e1f2a"
HEALTH_S = 20.0
HEALTH_CHECK = ("/bin/sh", "-c", "curl -fs http://127.0.0.1:8080/ || exit 1")
FILES = Path(__file__).parent / "files/container"
_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"),
    *("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)
"""What docker gives a container that asks for nothing."""

_ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root")
_THINKING_S = 6.0


@contextmanager
def container(folder: Path) -> Iterator[None]:
    """A bundle over the image, unmounted and deleted afterwards; nothing runs yet."""
    bundle = folder / "container"
    for name in ("upper", "work", "root", "data"):
        (bundle / name).mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={folder / 'base'},upperdir={bundle / 'upper'},workdir={bundle / 'work'}"
    root = bundle / "root"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(root)], check=True)
    try:
        for name in ("entry.sh", "orders.cron", "server.py"):
            (root / "srv" / name).write_bytes((FILES / name).read_bytes())
        (bundle / "config.json").write_text(json.dumps(_config(bundle)))
        yield
    finally:
        with suppress(subprocess.CalledProcessError):
            _runc(folder, "delete", "--force", CONTAINER_ID)
        subprocess.run(["umount", "--lazy", str(root)], check=True)


class Container:
    """The container while it works.

    Args:
        folder: of the machine.
        has_time: whether anything is still to be begun.
        hold: waits while the play is to be quiet.
    """

    def __init__(
        self, folder: Path, has_time: Callable[[], bool], hold: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._has_time = has_time
        self._hold = hold

    def run(self) -> None:
        """Start it, check its health, look into it now and then, and stop it."""
        bundle = self._folder / "container"
        _runc(self._folder, "run", "--detach", "--bundle", str(bundle), CONTAINER_ID)
        looking = threading.Thread(target=self._look, daemon=True)
        looking.start()
        while self._has_time():
            time.sleep(HEALTH_S)
            self._hold()
            with suppress(subprocess.CalledProcessError):
                _runc(self._folder, "exec", CONTAINER_ID, *HEALTH_CHECK)
        with suppress(subprocess.CalledProcessError):
            _runc(self._folder, "kill", CONTAINER_ID, "TERM")

    def _look(self) -> None:
        draw = random.Random(CONTAINER_ID)
        base = ["runc", "--root", str(self._folder / "runc"), "exec", "--tty"]
        while self._has_time():
            time.sleep(60)
            log = self._folder / "logs/container.txt"
            terminal = Terminal([*base, CONTAINER_ID, "/bin/bash"], log, {})
            for line in read_session("container").lines:
                if not self._has_time() or not terminal.is_open:
                    break
                think(_THINKING_S, draw, self._hold)
                terminal.enter(line.text, line.limit_s)
            if terminal.is_open:
                terminal.enter("exit", 5, r"\A(?!)")
            terminal.close()


def _runc(folder: Path, *arguments: str) -> None:
    command = ["runc", "--root", str(folder / "runc"), *arguments]
    null = subprocess.DEVNULL
    subprocess.run(command, check=True, stdin=null, stdout=null, stderr=null)


def _config(bundle: Path) -> dict[str, Any]:
    """The runtime's configuration (OCI runtime specification 1.0.2); the network is the play's."""
    names = [f"CAP_{name}" for name in _CAPABILITIES]
    data = {"destination": "/data", "type": "bind", "source": str(bundle / "data")}
    return {
        "ociVersion": "1.0.2",
        "hostname": CONTAINER_ID[:12],
        "root": {"path": str(bundle / "root"), "readonly": False},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/sh", "/srv/entry.sh"],
            "env": list(_ENVIRONMENT),
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
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"},
            {**data, "options": ["bind", "rw"]},
        ],
        "linux": {
            "cgroupsPath": f"/docker/{CONTAINER_ID}",
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "uts", "ipc")],
        },
    }
