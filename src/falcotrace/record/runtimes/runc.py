"""runc and crun: the state of each running container, for those that no engine describes.

In: a whole id or a name. Out: mounts, namespaces, how confined the container is, its bundle. The
state is there while the container runs, with the configuration that it was started with.

Source: runc, libcontainer/container_linux.go (`State`), libcontainer/configs; crun,
src/libcrun/status.c and container.c (the state's `config.json`); Linux include/uapi/linux/mount.h.
"""

from collections.abc import Iterator
from typing import Final

from falcotrace.events.control_groups import ID_LENGTH
from falcotrace.record.runtimes.description import (
    ADDRESS,
    IMAGE,
    Container,
    Mount,
    few_labels,
    few_mounts,
)
from falcotrace.record.runtimes.document import Document, Place
from falcotrace.record.runtimes.oci import bind_mounts, is_privileged, shares_host
from falcotrace.record.runtimes.reading import NotYetError, Reading
from falcotrace.record.runtimes.sighting import Host, Sighting

RUNC_STATES: Final = ("run/runc", "run/docker/runtime-runc/moby")
RUNC_STATES_BY_NAMESPACE: Final = (
    "run/containerd/runc",
    "run/docker/runtime-runc",
    "run/k3s/containerd/runc",
)
CRUN_STATES: Final = ("run/crun",)
_MOST_NAMESPACES: Final = 64
_TYPES: Final = {"podman": "podman", "docker": "docker", "cri-o": "cri-o"}
_READ_ONLY, _BIND = 1, 4096
_PROPAGATIONS: Final = {1 << 18: "private", 1 << 19: "slave", 1 << 20: "shared"}
_RECURSIVE: Final = 16384
_SYS_ADMIN: Final = "CAP_SYS_ADMIN"
_MOUNT: Final = "/sys/fs/cgroup"
_UNKNOWN: Final = (*IMAGE, *ADDRESS)


def read(host: Host, sighting: Sighting) -> Reading | None:
    """Look a container up in the runtimes' folders of states."""
    for kind, folder, name in _candidates(host, sighting):
        file = "state.json" if kind == "runc" else "config.json"
        document = folder.document(file)
        if document is None:
            if folder.is_there:
                raise NotYetError(name, folder.path / file)
            continue
        groups = _groups(kind, folder, document)
        if sighting.paths and not sighting.full_id and groups.isdisjoint(sighting.paths):
            continue
        describe = _of_runc if kind == "runc" else _of_crun
        container = describe(_TYPES.get(sighting.engine, kind), name, document)
        return Reading(container, groups=groups)
    return None


def _candidates(host: Host, sighting: Sighting) -> Iterator[tuple[str, Place, str]]:
    names = dict.fromkeys(name for _, name in sighting.names)
    for name in [sighting.full_id] if sighting.full_id else names:
        for path in RUNC_STATES:
            yield "runc", host.place(path).inside(name), name
        for path in RUNC_STATES_BY_NAMESPACE:
            states = host.place(path)
            for namespace in states.names(_MOST_NAMESPACES):
                yield "runc", states.inside(namespace, name), name
        for path in CRUN_STATES:
            yield "crun", host.place(path).inside(name), name


def _groups(kind: str, folder: Place, state: Document) -> frozenset[str]:
    """The control groups of a container, without the place where they are mounted."""
    if kind == "runc":
        groups = set(state.at("cgroup_paths").labels.values())
    else:
        groups = {(folder.document("status") or Document()).at("cgroup-path").text}
    for group in list(groups):
        if group.startswith(_MOUNT):
            unified = group.removeprefix(_MOUNT)
            groups |= {unified, unified[unified.find("/", 1) :]}
    return frozenset(groups - {"", "/"})


def _of_runc(kind: str, name: str, state: Document) -> Container:
    config = state.at("config")
    own = {one.at("type").text for one in config.at("namespaces").items}
    labels = dict(text.partition("=")[::2] for text in config.at("labels").texts)
    return Container(
        # DIFFERS: Falco's plugin knows neither runc's containers nor crun's. Where it takes the
        # name in the control group for one of containerd's, the id is the same.
        container_id=name[:ID_LENGTH],
        full_id=name,
        type=kind,
        name=name,
        is_privileged=_is_unconfined(config),
        is_host_pid="NEWPID" not in own,
        is_host_network="NEWNET" not in own,
        is_host_ipc="NEWIPC" not in own,
        labels=few_labels(labels),
        mounts=few_mounts(_mounts(config)),
        unknown=_UNKNOWN,
    )


def _is_unconfined(config: Document) -> bool:
    """Whether it may do what root may: CAP_SYS_ADMIN, nothing masked, no filter, no profile."""
    if config.at("seccomp").is_there or config.at("process_label").text:
        return False
    if config.at("mask_paths").texts or config.at("readonly_paths").texts:
        return False
    if config.at("apparmor_profile").text not in {"", "unconfined"}:
        return False
    return _SYS_ADMIN in config.at("capabilities", "Bounding").texts


def _mounts(config: Document) -> list[Mount]:
    """What was mounted into it from the host."""
    found = []
    for mount in config.at("mounts").items:
        flags = mount.at("flags").number
        if mount.at("device").text != "bind" and not flags & _BIND:
            continue
        propagation = [flag.number for flag in mount.at("propagation_flags").items]
        found.append(
            Mount(
                source=mount.at("source").text,
                destination=mount.at("destination").text,
                is_writable=not flags & _READ_ONLY,
                propagation=_propagation(propagation),
            )
        )
    return found


def _propagation(flags: list[int]) -> str:
    for flag in flags:
        for bit, text in _PROPAGATIONS.items():
            if flag & bit:
                return f"r{text}" if flag & _RECURSIVE else text
    return "rprivate"


def _of_crun(kind: str, name: str, spec: Document) -> Container:
    is_admin = _SYS_ADMIN in spec.at("process", "capabilities", "bounding").texts
    return Container(
        container_id=name[:ID_LENGTH],
        full_id=name,
        type=kind,
        name=name,
        is_privileged=is_admin and is_privileged(spec),
        is_host_pid=shares_host(spec, "pid"),
        is_host_network=shares_host(spec, "network"),
        is_host_ipc=shares_host(spec, "ipc"),
        labels=few_labels(spec.at("annotations").labels),
        mounts=few_mounts(bind_mounts(spec, (), "rprivate")),
        unknown=_UNKNOWN,
    )
