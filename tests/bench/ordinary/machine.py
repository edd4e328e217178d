"""The machine that works: a Debian of its own with systemd, in namespaces, with its own network.

In: a folder outside the repository. Out: `base`, a Debian as its installer leaves it; and for each
recording `root`, a copy of it, which is booted. Needs root and Debian's debootstrap,
systemd-container and slirp4netns. Nothing outside the folder is changed: the network is a
namespace whose other end is a program, so its ports are nobody else's.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HOSTNAME = "web-1"
RESOLVER = "10.0.2.3"
"""slirp4netns's own."""

PASSWORDS: Mapping[str, str] = {"root": "morning-coffee", "ops": "evening-tea", "dev": "noon-milk"}
FILES = Path(__file__).parent / "files"

_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo", "cron"),
    *("logrotate", "rsyslog", "ca-certificates", "iproute2", "less", "procps", "vim-tiny", "nano"),
    *("bash-completion", "locales", "man-db", "wget", "curl", "gnupg", "python3", "iputils-ping"),
    *("netbase", "tmux", "file", "ifupdown", "at"),
)
_RELEASE = "bookworm"
_TEXTS = {
    "etc/hostname": f"{HOSTNAME}\n",
    "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n127.0.0.1 shop.example\n",
    "etc/resolv.conf": f"nameserver {RESOLVER}\n",
    "etc/network/interfaces": "auto lo\niface lo inet loopback\n",
    "etc/apt/apt.conf.d/90local": 'Acquire::Check-Valid-Until "false";\n'
    'DPkg::Lock::Timeout "300";\n',
    "etc/pip.conf": "[global]\ncert = /usr/local/share/bundle.crt\n",
    "etc/npmrc": "cafile=/usr/local/share/bundle.crt\n",
}
_CONTROL_GROUPS = tuple(Path("/sys/fs/cgroup") / name for name in ("", "systemd", "unified"))
_RIGHTS_OF_THE_HOST = ("CAP_SYS_TIME", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYSLOG")
"""What no namespace keeps apart: a time zone that is set would set the host's clock."""

_UNWANTED_UNITS = ("networking.service", "systemd-networkd-wait-online.service")
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def prepare(folder: Path) -> None:
    """Install the base, add users, keys and settings; what is there already stays."""
    base = folder / "base"
    if not (base / "usr/sbin/sshd").exists():
        packages = f"--include={','.join(_PACKAGES)}"
        _run("debootstrap", packages, _RELEASE, str(base), _archives()[0][0])
    sources = "".join(
        f"{kind} {archive} {release} main\n"
        for kind in ("deb", "deb-src")
        for archive, release in _archives()
    )
    for path, text in (_TEXTS | {"etc/apt/sources.list": sources}).items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).unlink(missing_ok=True)
        (base / path).write_text(text)
    # Whoever reaches the registries through a proxy has certificates that Debian's package lacks.
    shutil.copyfile(_BUNDLE, base / "usr/local/share/bundle.crt")
    for unit in _UNWANTED_UNITS:
        mask = base / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    _add_users(base, folder)
    shutil.copytree(FILES, base / "usr/local/src/shop", dirs_exist_ok=True)
    _run("chown", "-R", "1001:1001", str(base / "usr/local/src/shop"))


def _archives() -> list[tuple[str, str]]:
    """Where this host has Debian from, and which parts of it."""
    form = "$(REPO_URI) $(RELEASE) $(ORIGIN)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    found = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [
        (archive, release)
        for archive, release, origin in found
        if origin == "Debian" and release.startswith(_RELEASE)
    ]


def _add_users(base: Path, folder: Path) -> None:
    key = folder / "laptop"
    if not key.exists():
        comment = "somebody@laptop"
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key))
    for name in ("ops", "dev"):
        if f"\n{name}:" not in (base / "etc/passwd").read_text():
            _run("chroot", str(base), "useradd", "-m", "-s", "/bin/bash", name)
    _run("chroot", str(base), "usermod", "-aG", "sudo,adm", "ops")
    lines = "".join(f"{name}:{password}\n" for name, password in PASSWORDS.items())
    subprocess.run(["chroot", str(base), "chpasswd"], check=True, input=lines.encode())
    for name, number in (("ops", 1000), ("dev", 1001)):
        keys = base / "home" / name / ".ssh"
        keys.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(key.with_suffix(".pub"), keys / "authorized_keys")
        (keys / "authorized_keys").chmod(0o600)
        _run("chown", "-R", f"{number}:{number}", str(keys))


def new_root(folder: Path) -> Path:
    """A fresh copy of the base, in the folder's `root`; no machine may run there."""
    root = folder / "root"
    if root.exists():
        shutil.rmtree(root)
    _run("cp", "-a", "--reflink=auto", str(folder / "base"), str(root))
    return root


@contextmanager
def network(folder: Path) -> Iterator[None]:
    """The machine's network: a namespace, and a program that passes its connections on."""
    with lone_network(folder):
        options = ["--configure", "--mtu=1400", "--netns-type=path"]
        passing = subprocess.Popen(
            ["slirp4netns", *options, str(namespace_of(folder)), "tap0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1)
        try:
            yield
        finally:
            passing.terminate()
            passing.wait()


@contextmanager
def lone_network(folder: Path, *addresses: str) -> Iterator[None]:
    """A namespace in which the machine is alone with itself, under these addresses.

    Raises:
        CalledProcessError: the machine of this folder has one already: it runs.
    """
    name = namespace_of(folder).name
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        for address in addresses:
            _run("ip", "-n", name, "addr", "add", f"{address}/32", "dev", "lo")
        yield
    finally:
        _run("ip", "netns", "delete", name)


def namespace_of(folder: Path) -> Path:
    """Where the network namespace of a folder's machine is."""
    return Path("/run/netns") / f"{folder.name}-work"


@contextmanager
def control_group(folder: Path) -> Iterator[None]:
    """A control group of systemd's for this process and all that it starts, then none again."""
    groups = [tree / folder.name for tree in _CONTROL_GROUPS if (tree / "cgroup.procs").exists()]
    before = [group.parent / _group_of(group.parent) for group in groups]
    for group in groups:
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        for group, home in zip(groups, before, strict=True):
            (home / "cgroup.procs").write_text(f"{os.getpid()}\n")
            for path, _, _ in os.walk(group, topdown=False):
                Path(path).rmdir()


def _group_of(tree: Path) -> str:
    """The control group of this process in systemd's tree, or in the one of version 2."""
    name = "name=systemd" if tree.name == "systemd" else ""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == name:
            return path.lstrip("/")
    return ""


def boot_command(root: Path) -> list[str]:
    """What boots the machine, its console on the terminal that it is started on."""
    return [
        *("systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine={HOSTNAME}"),
        *("--register=no", "--keep-unit", "--capability=all", "--console=interactive"),
        f"--drop-capability={','.join(_RIGHTS_OF_THE_HOST)}",
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
    ]


def login_command(folder: Path, user: str) -> list[str]:
    """A login over SSH with the laptop's key."""
    options = {
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "GlobalKnownHostsFile": "none",
        "LogLevel": "ERROR",
        "ServerAliveInterval": "30",
    }
    chosen = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return ["ssh", "-F", "none", "-tt", "-i", str(folder / "laptop"), *chosen, f"{user}@127.0.0.1"]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
