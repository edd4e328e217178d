# ruff: noqa: INP001, S603, S607 - a script beside others; it runs fixed programs of Debian
"""Records captures/benign.parquet: some minutes of a machine on which nobody does any harm.

    sudo python captures/make/benign/record.py FOLDER [-o OUTPUT]

In: a folder in which `tests/bench/ordinary_work.py prepare` has installed a Debian. Out: a capture
of a copy of that machine, from its boot on, while people do what the `*.session` files beside this
one say. Needs root, a kernel with BTF, Debian's systemd-container, and its registry for further
packages. It undoes what it did. A capture that has words of this machine is refused.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "tests/bench")]

import neutral  # noqa: E402 - beside the folder, not in it
from ordinary import machine  # noqa: E402 - the machine of the bench is this one's, too
from play import ADDRESS, LAPTOP, SPACES  # noqa: E402
from traces import find_traces, machine_words  # noqa: E402

from falcotrace.record.call_classes import class_of  # noqa: E402
from falcotrace.record.coverage import recorded_events  # noqa: E402
from falcotrace.record.layout import CallClass  # noqa: E402

OUTPUT = HERE.parents[1] / "benign.parquet"
PACKAGES = ("nginx-light", "git", "gcc", "libc6-dev", "make", "rsync", "sqlite3")
"""What the machine has beside its base."""

_LEFT_OUT = frozenset({CallClass.TRANSFER, CallClass.WAIT, CallClass.MEMORY})
_CHATTER = frozenset(
    {"access", "brk", "close", "epoll_create", "epoll_create1", "eventfd", "eventfd2", "faccessat"}
    | {"faccessat2", "fcntl", "flock", "fstat", "fstatfs", "futex", "getcwd", "getdents", "ioctl"}
    | {"getdents64", "getegid", "geteuid", "getgid", "getresgid", "getresuid", "getrlimit"}
    | {"getsockopt", "getuid", "inotify_init", "inotify_init1", "lseek", "lstat", "newfstatat"}
    | {"pipe", "pipe2", "prlimit", "readlink", "readlinkat", "recvmsg", "sendmsg", "stat", "statfs"}
    | {"statx", "fstatat", "signalfd", "signalfd4", "timerfd_create", "shutdown", "umask"}
    | {"alarm", "arch_prctl", "epoll_ctl", "getpid", "getrandom", "gettid", "removexattr", "rseq"}
    | {"rt_sigaction", "rt_sigprocmask", "set_robust_list", "set_tid_address", "setsockopt"}
    | {"timerfd_settime", "wait4", "waitid", "sched_getaffinity", "getpeername", "getsockname"}
    | {"capget", "close_range", "fsync", "getppid", "inotify_add_watch", "inotify_rm_watch", "kcmp"}
    | {"name_to_handle_at", "prlimit", "recvfrom", "uname", "utimensat", "getxattr", "lgetxattr"}
)
"""Beside what is read, waited for and mapped, the calls that programs make all the time and rules
do not ask for. With them the capture would be four times as large."""


def record(folder: Path, output: Path) -> None:
    """Record the machine and write the neutral capture.

    Raises:
        CaptureError: the recording lost events.
        SystemExit: the play failed, or the capture has words of this machine.
    """
    with (
        tempfile.TemporaryDirectory(prefix="benign-") as raw,
        machine.lone_network(folder, ADDRESS, LAPTOP),
        machine.control_group(folder),
    ):
        root = machine.new_root(folder)
        _install(root)
        _run_recorder(folder, Path(raw) / "raw.parquet")
        # Of a machine that is booted the account tables are those that it has in the end.
        identity = neutral.Identity(
            machine.HOSTNAME, neutral.read_accounts(root), (f"/{folder.name}/",)
        )
        space = json.loads((folder / SPACES).read_text())
        neutral.neutralise(Path(raw) / "raw.parquet", output, frozenset(space), identity)
        words = machine_words([str(folder), raw], [machine.namespace_of(folder).name])
    if traces := find_traces(output, words):
        output.unlink()
        sys.exit(f"the capture had words of this machine: {', '.join(traces)}")


def _install(root: Path) -> None:
    """Install packages without starting what they bring along; nobody records it."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    resolver = root / "etc/resolv.conf"
    before = resolver.read_text()
    resolver.write_text(Path("/etc/resolv.conf").read_text())
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES], ["clean"]):
        told = ["chroot", str(root), "apt-get", "-q", *command]
        subprocess.run(told, check=True, env=environment, stdout=subprocess.DEVNULL)
    resolver.write_text(before)
    policy.unlink()
    _add_key(root / "home/ops/.ssh")
    for path in (root / "var/lib/apt/lists").glob("*Packages*"):
        path.unlink()


def _add_key(folder: Path) -> None:
    """Give the operator a key that may log in: adding one is for rules to tell."""
    key = folder / "id_ed25519"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f", key], check=True
    )
    with (folder / "authorized_keys").open("a") as keys:
        keys.write(key.with_suffix(".pub").read_text())
    for path in (key, key.with_suffix(".pub")):
        shutil.chown(path, 1000, 1000)


def _run_recorder(folder: Path, raw: Path) -> None:
    calls = {name for name in recorded_events() if class_of(name) not in _LEFT_OUT} - _CHATTER
    calls |= {"memfd_create"}
    play = [sys.executable, str(HERE / "play.py"), str(folder)]
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(raw)]
    command = [*recorder, "--syscalls", ",".join(sorted(calls)), "--", *play]
    if subprocess.run(command, check=False, env=_environment()).returncode:
        sys.exit("it was not recorded")


def _environment() -> dict[str, str]:
    """What the machine inherits of this one: nothing that tells which it is."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "SYSTEMD_SECCOMP": "0",
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Record a machine that nobody attacks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    chosen = parser.parse_args()
    record(chosen.folder.absolute(), chosen.output.absolute())


if __name__ == "__main__":
    main()
