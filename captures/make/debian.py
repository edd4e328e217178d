# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""Root directories in which Debian's own programs lie, and the bundles around them.

Programs, libraries and headers are mounted read-only from below /usr; everything else in the root
directories is written by who makes a capture.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bundles import Machine, write_bundle

_SHARED = ("bin", "sbin", "lib", "lib64", "libexec", "include", "share")
"""What machines share, below /usr; the first four have links in the root directory."""

_HIDDEN = ("/usr/lib/python3", "/usr/share/doc")
"""What depends on the packages that a machine happens to have: modules that Python looks for at
each start, and a folder for each package."""

_DIRECTORIES = (
    *("usr/local/bin", "usr/local/sbin", "etc/cron.d", "root", "proc", "dev", "tmp", "run"),
    *("var/log", "var/backups", "var/lib/dpkg/info", "var/lib/dpkg/updates"),
    *("var/lib/dpkg/triggers", "opt", "srv"),
)


def write_loader_cache(output: Path) -> None:
    """Write what the dynamic loader finds in Debian's own directories, and in no others."""
    asked = subprocess.run(["gcc", "-print-multiarch"], check=True, capture_output=True, text=True)
    directories = output.with_suffix(".conf")
    directories.write_text("".join(f"{top}/lib/{asked.stdout.strip()}\n" for top in ("", "/usr")))
    command = ["/sbin/ldconfig", "-X", "-C", str(output), "-f", str(directories)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def write_root(
    root: Path, texts: Mapping[str, str], cache: Path, secrets: Sequence[str] = ()
) -> None:
    """Write a root directory.

    Args:
        root: where.
        texts: contents of files, by their paths below it.
        cache: what `write_loader_cache` wrote.
        secrets: those of the files that only their owner may read.
    """
    for path in (*_DIRECTORIES, *(f"usr/{name}" for name in _SHARED)):
        (root / path).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "tmp").chmod(0o1777)
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path in secrets:
        if (root / path).exists():
            (root / path).chmod(0o600)
    shutil.copyfile(cache, root / "etc/ld.so.cache")


def write_debian_bundle(
    machine: Machine, folder: Path, root: Path, linux: Mapping[str, Any] | None = None
) -> None:
    """Write a bundle, in which Debian's programs are mounted read-only.

    Args:
        machine: what `runc run` is to start.
        folder: where the bundle's own folder is made.
        root: its root directory, or what lies below a container's.
        linux: further settings of the runtime's section `linux`.
    """
    write_bundle(machine, folder / machine.name, root)
    path = folder / machine.name / "config.json"
    config = json.loads(path.read_text())
    programs = [f"/usr/{name}" for name in _SHARED if Path("/usr", name).is_dir()]
    config["mounts"] += [_read_only(path) for path in programs]
    config["mounts"] += [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["ro"]}
        for path in _HIDDEN
        if Path(path).is_dir()
    ]
    config["linux"] |= linux or {}
    path.write_text(json.dumps(config, indent=1))


def _read_only(path: str) -> dict[str, object]:
    return {"destination": path, "type": "bind", "source": path, "options": ["bind", "ro"]}


def copy_program(source: Path, target: Path) -> None:
    """Copy a program that everybody may execute."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)
