"""Ordinary work of a developer's and a server's machine, recorded: what rules should be quiet on.

    python tests/bench/ordinary_work.py prepare FOLDER
    python tests/bench/ordinary_work.py record FOLDER -o CAPTURE [--minutes 60] [--rotate 20m]
    python tests/bench/ordinary_work.py alerts CAPTURE ... [-r RULES ...]

Needs root, eBPF, Debian's registry, and its debootstrap, runc, slirp4netns and systemd-container.
`prepare` installs a Debian into FOLDER, once; `record` boots a copy of it, in which people install,
compile, test, serve, back up and administer (`ordinary/sessions`), starts a container beside it as
Docker does, and records these two and nothing else of the host, at low priority:

    falcotrace record -o CAPTURE -- python tests/bench/ordinary_work.py play FOLDER

`alerts` scans such captures and tells, for each rule, how often it fired and on what. All of these
alerts are false: nobody attacks.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from ordinary.alerts import print_alerts
from ordinary.containers import container
from ordinary.machine import control_group, network, new_root, prepare
from ordinary.play import Plan, play

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "TERM": "xterm-256color",
    "LANG": "C.UTF-8",
    "SYSTEMD_SECCOMP": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""The host's own is its own business, and environments are recorded."""

_MOUNTS = 'mount --bind "$0/etc" /etc && mount --bind "$0/var/lib" /var/lib && exec "$@"'
_BESIDE = ("unshare", "--mount", "/bin/sh", "-c", _MOUNTS)
"""The recorder sees the machine's accounts and runtimes, as it would on a host of its own."""


def _record(chosen: argparse.Namespace) -> int:
    here = Path(__file__).absolute()
    played = ["play", str(chosen.folder), f"--minutes={chosen.minutes}", f"--seed={chosen.seed}"]
    played += [f"--pace={chosen.pace}"]
    played += [f"--hold={chosen.hold}"] if chosen.hold else []
    played += [f"--seat={seat}" for seat in chosen.seat]
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(chosen.output)]
    recorder += ["--rotate", chosen.rotate] if chosen.rotate else []
    command = [*_BESIDE, str(chosen.folder / "root"), *recorder, "--"]
    command += [sys.executable, str(here), *played]
    with network(chosen.folder), control_group(chosen.folder), container(chosen.folder):
        new_root(chosen.folder)
        return subprocess.run(command, check=False, env=_ENVIRONMENT).returncode


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Record ordinary work.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "record", "play"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path, help="Where the machine lies.")
        if name == "prepare":
            continue
        command.add_argument("--minutes", type=float, default=60)
        command.add_argument("--seed", type=int, default=1, help="Decides the pauses.")
        command.add_argument("--pace", type=float, default=1, help="Pauses are so much longer.")
        command.add_argument("--hold", type=Path, help="Stand still while this file exists.")
        command.add_argument("--seat", action="append", default=[], help="Whose; all by default.")
        if name == "record":
            command.add_argument("-o", "--output", type=Path, required=True)
            command.add_argument("--rotate", default="", help="A new capture after a time.")
    command = commands.add_parser("alerts")
    command.add_argument("captures", type=Path, nargs="+")
    command.add_argument("-r", "--rules", type=Path, action="append", default=[])
    command.add_argument("--examples", type=int, default=5, help="Kinds of alerts for each rule.")
    return parser


def main() -> None:
    """The command line."""
    chosen = _arguments().parse_args()
    if chosen.command == "prepare":
        prepare(chosen.folder.absolute())
    elif chosen.command == "record":
        chosen.folder, chosen.output = chosen.folder.absolute(), chosen.output.absolute()
        sys.exit(_record(chosen))
    elif chosen.command == "play":
        os.umask(0o022)
        seats = tuple(chosen.seat)
        minutes = chosen.minutes * 60
        play(Plan(chosen.folder, minutes, chosen.seed, chosen.pace, chosen.hold, seats))
    else:
        print_alerts(chosen.captures, chosen.rules, chosen.examples)


if __name__ == "__main__":
    main()
