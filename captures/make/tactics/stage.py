# ruff: noqa: INP001 - a script beside others
"""The machines on which tactics are played: a host, a container, and what differs by tactic.

In: a folder to work in. Out: bundles for `runc run`. The kernel's settings below /proc/sys are
read-only there, devices of blocks cannot be opened, and modules cannot be loaded: what could hurt
the machine underneath is an attempt that fails.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundles import DEFAULT_CAPABILITIES, Machine
from debian import copy_program, write_debian_bundle, write_loader_cache, write_root
from sandboxes import Link

HERE = Path(__file__).parent
HOST, CONTAINER, PRIVILEGED = "host", "container", "privileged"
"""The machines' names for the container runtime, with which the names of steps begin."""

HOSTNAME, HOST_CGROUP = "host-1", "/host-1"
CONTAINER_ID = "b3f8a1d27c60" + "5e9d0c4b7a2f8e1d6c3b0a9f4e7d2c5b8a1f6e3d0c9b4a7f2e5d"
PRIVILEGED_ID = "e94c07b5f1a2" + "d8c3b6a9f0e7d4c1b8a5f2e9d6c3b0a7f4e1d8c5b2a9f6e3d0c7"
HOST_ADDRESS, HOST_GATEWAY = "192.0.2.10", "192.0.2.1"
CONTAINER_ADDRESS, CONTAINER_GATEWAY = "172.18.0.2", "172.18.0.1"
VISITOR, MIRROR, INTRUDER, COLLECTOR = (
    *("198.51.100.7", "198.51.100.110"),
    *("203.0.113.66", "203.0.113.80"),
)
"""Everybody else: somebody, a server of packages and pages, the intruder's two."""

IMAGES: Mapping[str, str] = {
    CONTAINER_ID: "registry.example.org/shop/orders:1.4",
    PRIVILEGED_ID: "registry.example.org/tools/agent:0.9",
}
MOUNTS: Mapping[str, Mapping[str, str]] = {
    CONTAINER_ID: {"/data": "/srv/orders"},
    PRIVILEGED_ID: {"/host/etc": "/etc", "/var/run/docker.sock": "/var/run/docker.sock"},
}
"""What Docker's files say is mounted, destination to source."""

READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/bus", "/proc/fs", "/proc/irq")
"""What runtimes protect in containers (runc, `DefaultReadonlyPaths`); here on the host as well."""

_HOST_CAPABILITIES = (
    *DEFAULT_CAPABILITIES,
    *("SYS_ADMIN", "SYS_PTRACE", "SYS_TTY_CONFIG", "NET_ADMIN", "LINUX_IMMUTABLE"),
    *("DAC_READ_SEARCH", "IPC_LOCK", "SYS_NICE"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a tactic needs beside its script.

    Attributes:
        snaplen: contents that are recorded, as `falcotrace record --snaplen` takes them.
        command: the container's first process.
        host_texts: further files of the host, by their paths below its root.
        container_texts: the same of the container.
        has_privileged: whether there is a container with the host's capabilities, too.
    """

    snaplen: str = ""
    command: tuple[str, ...] = ("/usr/bin/sleep", "600")
    host_texts: Mapping[str, str] = field(default_factory=dict)
    container_texts: Mapping[str, str] = field(default_factory=dict)
    has_privileged: bool = False


_KEY = "stands for a key; it was made for a recording and opens nothing\n"
_STAND_IN = "stands for a token\n"
_SERVER = ("/usr/sbin/lighttpd", "-D", "-f", "/etc/lighttpd.conf")
_SERVER_SETTINGS = """server.modules = ("mod_cgi")
server.document-root = "/var/www"
server.port = 8080
server.username = "www-data"
server.groupname = "www-data"
cgi.assign = ("" => "")
"""

_WITH_NAMES = "files=0,sockets=512"
_SERVED: Mapping[str, str] = {
    "etc/lighttpd.conf": _SERVER_SETTINGS,
    "var/www/cgi-bin/status": "#!/bin/bash\n# Says how things are, or else.\n"
    'echo "Content-Type: text/plain"; echo; /bin/bash /opt/tactic.sh "served_$QUERY_STRING"\n',
}
"""A server with a hole, for what `served_` steps do."""

SETTINGS: Mapping[str, Setting] = {
    "credential_access": Setting(
        host_texts={
            "home/ops/.ssh/id_ed25519": _KEY,
            "home/ops/.ssh/id_ed25519.pub": "ssh-ed25519 AAAA ops\n",
            "root/.ssh/id_ed25519": _KEY,
            # The pair that Amazon's documentation prints.
            "root/.aws/credentials": "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
            "root/.kube/config": _STAND_IN,
            "root/.docker/config.json": "{}\n",
            "home/ops/.config/gcloud/credentials.db": _STAND_IN,
            "home/ops/.mozilla/firefox/a1b2c3.default/logins.json": "{}\n",
            "home/ops/.config/chromium/Default/Login Data": _STAND_IN,
            "home/ops/.local/share/keyrings/login.keyring": _STAND_IN,
            "home/ops/.bash_history": "ls\nmysql -u orders -pexample\n",
            "etc/krb5.keytab": _STAND_IN,
            "tmp/krb5cc_1000": _STAND_IN,
            "srv/orders.conf": "port = 8080\npassword = example\n",
        },
        container_texts={"run/secrets/kubernetes.io/serviceaccount/token": _STAND_IN},
    ),
    "container_escape": Setting(has_privileged=True),
    "execution": Setting(
        command=_SERVER,
        container_texts={
            "etc/lighttpd.conf": _SERVER_SETTINGS,
            "var/www/index.html": "<p>orders</p>\n",
            "var/www/cgi-bin/status": "#!/bin/sh\n# Says what an application should not.\n"
            'echo "Content-Type: text/plain"; echo; sh -c "id; uname -n"\n',
        },
    ),
    "privilege_escalation": Setting(
        command=_SERVER,
        container_texts={
            "etc/lighttpd.conf": _SERVER_SETTINGS,
            "var/www/cgi-bin/status": "#!/bin/sh\n# Says what an application should not.\n"
            'echo "Content-Type: text/plain"; echo; sudo -n id\n',
        },
    ),
    "defense_evasion": Setting(
        host_texts={
            "root/.bash_history": "ls\n",
            **{f"var/log/{name}": "a line\n" for name in ("auth.log", "syslog", "wtmp", "lastlog")},
        },
    ),
    "persistence": Setting(
        command=_SERVER,
        container_texts={
            "etc/lighttpd.conf": _SERVER_SETTINGS,
            "var/www/cgi-bin/upload": "#!/bin/sh\n# Takes a page, as applications do.\n"
            'echo "Content-Type: text/plain"; echo; '
            'echo "<?php" > "/var/www/${QUERY_STRING#name=}"\n',
        },
    ),
    "command_and_control": Setting(
        snaplen=_WITH_NAMES, command=_SERVER, container_texts=_SERVED | {"var/www/index.html": ""}
    ),
    "discovery": Setting(
        command=_SERVER,
        host_texts={
            "home/ops/.ssh/known_hosts": "packages.example.org ssh-ed25519 AAAA\n",
            "srv/orders.conf": "port = 8080\n",
        },
        container_texts=_SERVED | {"var/www/index.html": ""},
    ),
    "exfiltration": Setting(
        command=_SERVER,
        host_texts={
            "root/.ssh/id_ed25519": _KEY,
            "home/ops/.aws/credentials": _STAND_IN,
            "home/ops/.gnupg/trustdb.gpg": _STAND_IN,
            "srv/orders.csv": "1,lamp\n2,candle\n",
        },
        container_texts=_SERVED,
    ),
    "impact": Setting(snaplen=_WITH_NAMES, command=_SERVER, container_texts=_SERVED),
    "lateral_movement": Setting(
        command=_SERVER,
        host_texts={"home/ops/.ssh/id_ed25519.pub": "ssh-ed25519 AAAA ops\n"},
        container_texts=_SERVED,
    ),
}
"""By tactic; the others need nothing."""

_PAM = """auth sufficient pam_rootok.so
auth required pam_unix.so
account required pam_unix.so
password required pam_unix.so
session required pam_unix.so
"""
_EVERYWHERE: Mapping[str, str] = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
    "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
    "ops:x:1000:1000:operator:/home/ops:/bin/bash\n",
    "etc/group": "root:x:0:\ntty:x:5:\nshadow:x:42:\nwww-data:x:33:\nops:x:1000:\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\n"
    "ops:*:20000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\ntty:*::\nshadow:*::\nwww-data:*::\nops:*::\n",
    "etc/sudoers": "root ALL=(ALL) ALL\nops ALL=(ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n",
    "etc/pam.d/other": _PAM,
    "etc/shells": "/bin/sh\n/bin/bash\n",
    "etc/login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\n"
    "ENCRYPT_METHOD SHA512\nMAIL_DIR /var/mail\nPASS_MAX_DAYS 99999\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/profile": "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
    "root/.bashrc": "# of root\n",
    "home/ops/.bashrc": "# of the operator\n",
    "home/ops/notes.txt": "ask for the keys of the new machine\n",
    "var/lib/dpkg/status": "",
    "var/lib/dpkg/available": "",
}
_ON_HOST: Mapping[str, str] = {
    "etc/hostname": f"{HOSTNAME}\n",
    "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n",
    "etc/resolv.conf": f"nameserver {HOST_GATEWAY}\n",
    "etc/inittab": "::wait:/usr/bin/true\n",
}
_IN_CONTAINER: Mapping[str, str] = {
    "etc/hostname": f"{CONTAINER_ID[:12]}\n",
    "etc/hosts": f"127.0.0.1 localhost\n{CONTAINER_ADDRESS} {CONTAINER_ID[:12]}\n",
    "etc/resolv.conf": f"nameserver {CONTAINER_GATEWAY}\n",
}
_SECRETS = ("etc/shadow", "etc/gshadow", "etc/sudoers")
_LINKS: Mapping[str, str] = {
    "etc/alternatives/awk": "/usr/bin/mawk",
    "etc/alternatives/nc": "/bin/nc.openbsd",
    "etc/alternatives/iptables": "/usr/sbin/iptables-nft",
    "etc/alternatives/iptables-nft": "/usr/sbin/iptables-nft",
    "var/run": "/run",
    "etc/alternatives/vi": "/usr/bin/vim.basic",
}
_CRON = '#!/bin/bash\n# Does what a table of cron would say.\n/bin/sh -c "$*"\n'


def setting_of(tactic: str) -> Setting:
    """What a tactic needs."""
    return SETTINGS.get(tactic, Setting())


def machine_names(tactic: str) -> tuple[str, ...]:
    """The machines of a tactic."""
    return (HOST, CONTAINER, *([PRIVILEGED] if setting_of(tactic).has_privileged else []))


def links(network: str) -> list[Link]:
    """The machines' ways to the "internet"."""
    return [
        Link(f"{network}-{HOST}", f"{HOST_ADDRESS}/24", HOST_GATEWAY),
        Link(f"{network}-{CONTAINER}", f"{CONTAINER_ADDRESS}/16", CONTAINER_GATEWAY),
    ]


def write_machines(folder: Path, tactic: str, network: str) -> None:
    """Write the bundles of a tactic's machines.

    Args:
        folder: on a file system that can lie below an overlay.
        tactic: its script, and what else it has, become files in /opt of each machine.
        network: what the names of network namespaces begin with.
    """
    setting = setting_of(tactic)
    cache = folder / "ld.so.cache"
    write_loader_cache(cache)
    host, image = folder / "host-root", folder / "image"
    write_root(host, _EVERYWHERE | _ON_HOST | setting.host_texts, cache, _SECRETS)
    write_root(image, _EVERYWHERE | _IN_CONTAINER | setting.container_texts, cache, _SECRETS)
    for root in (host, image):
        _finish_root(root, tactic)
    (host / "usr/local/bin/init").symlink_to("/usr/bin/busybox")
    (on_host, in_container), read_only = links(network), {"readonlyPaths": list(READ_ONLY)}
    machines = {
        HOST: Machine(
            HOST, HOSTNAME, ["/usr/local/bin/init"], HOST_CGROUP, _HOST_CAPABILITIES,
            network=f"/run/netns/{on_host.name}",
        ),
        CONTAINER: Machine(
            CONTAINER, CONTAINER_ID[:12], setting.command, f"/docker/{CONTAINER_ID}",
            network=f"/run/netns/{in_container.name}",
        ),
        PRIVILEGED: Machine(
            PRIVILEGED, PRIVILEGED_ID[:12], Setting().command, f"/docker/{PRIVILEGED_ID}",
            _HOST_CAPABILITIES,
        ),
    }  # fmt: skip
    for name in machine_names(tactic):
        write_debian_bundle(machines[name], folder, host if name == HOST else image, read_only)


def write_descriptions(root: Path) -> None:
    """Write what Docker would know of the containers, as it keeps it below its folder.

    Source: moby, container/container.go (`config.v2.json`, `hostconfig.json`).
    """
    for full_id, image in IMAGES.items():
        folder = root / "containers" / full_id
        folder.mkdir(parents=True)
        is_privileged = full_id == PRIVILEGED_ID
        points = {
            to: {"Source": source, "Destination": to, "RW": True, "Propagation": "rprivate"}
            for to, source in MOUNTS[full_id].items()
        }
        config = {
            "ID": full_id,
            "Name": "/" + image.rpartition("/")[2].partition(":")[0],
            "State": {"Running": True},
            "Config": {"Image": image},
            "MountPoints": points,
        }
        (folder / "config.v2.json").write_text(json.dumps(config))
        host_config = {"Privileged": is_privileged}
        (folder / "hostconfig.json").write_text(json.dumps(host_config))


def _finish_root(root: Path, tactic: str) -> None:
    """Owners, links, and what the tactic brings along."""
    for path in (root / "home/ops", *(root / "home/ops").rglob("*")):
        shutil.chown(path, 1000, 1000)
    shutil.chown(root / "etc/shadow", 0, 42)
    pages = root / "var/www"
    pages.mkdir(exist_ok=True)
    shutil.chown(pages, 33, 33)
    for program in pages.glob("cgi-bin/*"):
        program.chmod(0o755)
    (root / "etc/sudoers").chmod(0o440)
    for path, target in _LINKS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    (root / "usr/local/sbin/cron").write_text(_CRON)
    (root / "usr/local/sbin/cron").chmod(0o755)
    for suffix in (".sh", ".py"):
        script = HERE / f"{tactic}{suffix}"
        if script.exists():
            copy_program(script, root / f"opt/tactic{suffix}")
    source = HERE / f"{tactic}.c"
    if source.exists():
        options = ["-static", "-Os", "-s", "-Wall", "-Werror", str(source)]
        command = ["gcc", *options, "-o", str(root / "opt/tactic")]
        subprocess.run(command, check=True)  # noqa: S603 - Debian's compiler
