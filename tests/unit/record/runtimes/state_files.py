"""State files of runtimes, made by hand from their documented formats, below a root of the test."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from falcotrace.record.runtimes.sighting import Host, Sighting, sighting_of

ID = "3f1e9a7c5b2d4860fedcba98765432100123456789abcdef0123456789abcdef"
SANDBOX = "77aa9a7c5b2d4860fedcba98765432100123456789abcdef0123456789abcdef"
IMAGE = "0ca0fed353fb77c247abada85aebc667fd1f5fa0b5f6ab1efb26867ba18f2f0a"
DIGEST = "sha256:b9ff6f23cceb5bde20bb1f79b492b98d71ef7a7ae518ca1b15b26661a11e6a94"
POD_UID = "3e41dc6b-08a8-44db-bc2a-3724b18ab19a"


def sighted(path: str) -> Sighting:
    """What one control group tells."""
    return sighting_of((f"memory={path}", "=/"))


def put(path: Path, document: object) -> Path:
    """Write JSON, and the folders on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def oci_spec(
    *,
    confined: bool = True,
    annotations: dict[str, str] | None = None,
    mounts: tuple[dict[str, Any], ...] = (),
    shares: tuple[str, ...] = (),
) -> dict[str, Any]:
    """An OCI specification as engines write it.

    Args:
        confined: with masked paths, a filter and a read-only sysfs.
        annotations: of the engine.
        mounts: besides those that all have.
        shares: namespaces that are the host's.
    """
    sysfs = {"destination": "/sys", "type": "sysfs", "source": "sysfs"}
    own = [kind for kind in ("pid", "network", "ipc", "uts", "mount") if kind not in shares]
    linux: dict[str, Any] = {"namespaces": [{"type": kind} for kind in own]}
    if confined:
        linux |= {"maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "seccomp": {}}
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0}, "args": ["sh"]},
        "annotations": annotations or {},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {**sysfs, "options": ["nosuid", "ro" if confined else "rw"]},
            *mounts,
        ],
        "linux": linux,
    }


def bind(source: str, destination: str, *options: str) -> dict[str, Any]:
    """A mount of a folder of the host."""
    names = {"source": source, "destination": destination}
    return {**names, "type": "bind", "options": ["rbind", *options]}


class Docker:
    """Docker's folder with one container.

    Args:
        host: below whose root it is.
        folder: the data root.
    """

    def __init__(self, host: Host, folder: str = "var/lib/docker") -> None:
        self.root = host.root / folder
        self.config: dict[str, Any] = {
            "ID": ID,
            "Name": "/web",
            "Image": f"sha256:{IMAGE}",
            "State": {"Running": True, "Pid": 812},
            "Config": {
                "Image": "registry:5000/shop/web:1.2",
                "Labels": {"maintainer": "somebody", "long": "x" * 101},
            },
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
            "MountPoints": {
                "/host-etc": {
                    "Source": "/etc",
                    "Destination": "/host-etc",
                    "RW": False,
                    "Type": "bind",
                    "Propagation": "rprivate",
                    "Relabel": "z",
                },
                "/data": {
                    "Source": "/var/lib/docker/volumes/v/_data",
                    "Destination": "/data",
                    "RW": True,
                    "Name": "v",
                    "Type": "volume",
                },
            },
        }
        self.host_config: dict[str, Any] = {
            "Privileged": True,
            "NetworkMode": "default",
            "PidMode": "host",
            "IpcMode": "private",
        }
        self.names = {
            "registry:5000/shop/web": {
                "registry:5000/shop/web:1.2": f"sha256:{IMAGE}",
                f"registry:5000/shop/web@{DIGEST}": f"sha256:{IMAGE}",
                "registry:5000/shop/web:old": "sha256:77",
            }
        }

    def write(self) -> None:
        """Put it on disk."""
        folder = self.root / "containers" / self.config["ID"]
        put(folder / "config.v2.json", self.config)
        put(folder / "hostconfig.json", self.host_config)
        put(self.root / "image/overlay2/repositories.json", {"Repositories": self.names})


def write_task(host: Host, namespace: str, name: str, spec: object) -> Path:
    """A running task of containerd."""
    tasks = host.root / "run/containerd/io.containerd.runtime.v2.task"
    return put(tasks / namespace / name / "config.json", spec)


def write_pod(host: Host, *, spec: dict[str, Any] | None = None, with_sandbox: bool = True) -> None:
    """A container of Kubernetes in containerd, and the one that holds its pod's namespaces."""
    names = {
        "io.kubernetes.cri.sandbox-id": SANDBOX,
        "io.kubernetes.cri.sandbox-name": "web-1",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-uid": POD_UID,
    }
    own = {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.container-name": "web",
        "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.25",
    }
    shm = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/7/shm"
    made = spec or oci_spec(
        mounts=(bind("/etc", "/host-etc", "rslave", "ro"), bind(shm, "/dev/shm", "rprivate")),
    )
    made["annotations"] = names | own
    write_task(host, "k8s.io", ID, made)
    if with_sandbox:
        kind = {"io.kubernetes.cri.container-type": "sandbox"}
        write_task(host, "k8s.io", SANDBOX, oci_spec(annotations=names | kind, shares=("network",)))


def write_address(host: Host, container_id: str, address: str) -> None:
    """What a network plugin gave to a container."""
    ips = [{"address": "fd00::5/64"}, {"address": f"{address}/24"}]
    result = {"kind": "cniCacheV1", "containerId": container_id, "result": {"ips": ips}}
    put(host.root / f"var/lib/cni/results/cbr0-{container_id}-eth0", result)


class Podman:
    """A store of podman with one container.

    Args:
        root: the store.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        metadata = {"image-name": "localhost/tool:1.0", "image-id": IMAGE, "name": "vibrant"}
        self.entry = {
            "id": ID,
            "names": ["vibrant"],
            "image": IMAGE,
            "metadata": json.dumps(metadata),
        }
        own = f"/run/containers/storage/overlay-containers/{ID}/userdata/hosts"
        self.spec = oci_spec(
            annotations={
                "io.container.manager": "libpod",
                "io.podman.annotations.privileged": "TRUE",
            },
            mounts=(bind("/root", "/x", "rshared", "rw"), bind(own, "/etc/hosts", "rprivate")),
        )

    def write(self) -> None:
        """Put it on disk."""
        folder = self.root / "overlay-containers"
        put(folder / "containers.json", [{"id": SANDBOX}, self.entry])
        put(folder / ID / "userdata/config.json", self.spec)
        images = [{"id": IMAGE, "digest": DIGEST, "names": ["localhost/tool:1.0"]}]
        put(self.root / "overlay-images/images.json", images)

    def write_database(self, config: object) -> None:
        """The database of version 4.8 and later."""
        with sqlite3.connect(self.root / "db.sql") as database:
            database.execute(
                "CREATE TABLE ContainerConfig (ID TEXT PRIMARY KEY, Name TEXT, JSON TEXT NOT NULL)"
            )
            text = config if isinstance(config, str) else json.dumps(config)
            database.execute("INSERT INTO ContainerConfig VALUES (?, 'vibrant', ?)", (ID, text))
        database.close()


def write_crio(host: Host) -> None:
    """A container of Kubernetes in CRI-O, and the one that holds its pod's namespaces."""
    prefix = "io.kubernetes.cri-o."
    names = {
        "io.kubernetes.pod.name": "web-1",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": POD_UID,
    }
    volume = {
        "container_path": "/host-etc",
        "host_path": "/etc",
        "readonly": True,
        "propagation": 1,
    }
    own = {
        "io.container.manager": "cri-o",
        f"{prefix}ContainerType": "container",
        f"{prefix}SandboxID": SANDBOX,
        f"{prefix}Metadata": json.dumps({"name": "web"}),
        f"{prefix}Image": IMAGE,
        f"{prefix}ImageName": "quay.io/shop/web:2",
        f"{prefix}ImageRef": f"quay.io/shop/web@{DIGEST}",
        f"{prefix}Labels": json.dumps({**names, "io.kubernetes.container.name": "web"}),
        f"{prefix}Volumes": json.dumps([volume]),
    }
    sandbox = {
        f"{prefix}ContainerType": "sandbox",
        f"{prefix}SandboxID": SANDBOX,
        f"{prefix}Labels": json.dumps({"app": "shop", **names}),
        f"{prefix}NamespaceOptions": json.dumps({"pid": 1, "network": 0, "ipc": 2}),
        f"{prefix}HostNetwork": "false",
        f"{prefix}IP.0": "10.85.0.7",
        f"{prefix}CNIResult": '{"cniVersion":"1.0.0"}',
    }
    for name, annotations in ((ID, own), (SANDBOX, sandbox)):
        folder = host.root / f"var/lib/containers/storage/overlay-containers/{name}/userdata"
        put(folder / "config.json", oci_spec(confined=False, annotations=annotations))


def runc_state(name: str, path: str, *, confined: bool = True, **config: Any) -> dict[str, Any]:
    """The state of a container of runc.

    Args:
        name: its id.
        path: its control group.
        confined: with masked paths and without CAP_SYS_ADMIN.
        config: members of its configuration instead of the usual ones.
    """
    admin = [] if confined else ["CAP_SYS_ADMIN"]
    usual = {
        "rootfs": "/bundle/rootfs",
        "namespaces": [{"type": kind, "path": ""} for kind in ("NEWNS", "NEWPID", "NEWNET")],
        "capabilities": {"Bounding": ["CAP_KILL", *admin]},
        "mask_paths": ["/proc/kcore"] if confined else None,
        "readonly_paths": None,
        "seccomp": None,
        "labels": ["bundle=/bundle", "owner=a=b"],
        "mounts": [
            {"source": "proc", "destination": "/proc", "device": "proc", "flags": 0},
            {
                "source": "/etc",
                "destination": "/host-etc",
                "device": "bind",
                "flags": 20481,
                "propagation_flags": [0x84000],
            },
            {"source": "/srv", "destination": "/srv", "device": "bind", "flags": 4096},
        ],
    }
    groups = {"": f"/sys/fs/cgroup/unified{path}", "memory": f"/sys/fs/cgroup/memory/outer{path}"}
    return {
        "id": name,
        "init_process_pid": 812,
        "cgroup_paths": groups,
        "config": {**usual, **config},
    }
