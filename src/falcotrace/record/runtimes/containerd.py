"""containerd: the folder of each running task, with the specification that it was started with.

In: a whole id, or a namespace and a name. Out: for containers of Kubernetes what the container
plugin learns over CRI, for others what it learns from containerd. The image of a container that was
started with `ctr` or nerdctl, the labels of pods and image ids are in containerd's database alone,
which only its own API reads.

DIFFERS: Falco asks CRI alone on the usual socket. It has no description of the container that holds
a pod's namespaces and of those of `ctr`, and takes kubelet's word for who is privileged.

Source: containerd 1.6 and 2.0, pkg/cri/annotations/annotations.go, runtime/v2/bundle.go;
falcosecurity/plugins 0b3cbd8d, plugins/container/go-worker/pkg/container/{containerd,cri}.go.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from falcotrace.events.control_groups import ID_LENGTH
from falcotrace.record.runtimes import kubernetes
from falcotrace.record.runtimes.description import (
    ADDRESS,
    CNI,
    HOST_NAMESPACES,
    IMAGE,
    LABELS,
    POD_LABELS,
    Container,
    Mount,
    few_mounts,
    split_reference,
)
from falcotrace.record.runtimes.document import Document, Place
from falcotrace.record.runtimes.oci import bind_mounts, every_mount, is_privileged, shares_host
from falcotrace.record.runtimes.reading import NotYetError, Reading
from falcotrace.record.runtimes.sighting import Host, Sighting

TASKS: Final = (
    "run/containerd/io.containerd.runtime.v2.task",
    "run/k3s/containerd/io.containerd.runtime.v2.task",
)
_MOST_NAMESPACES: Final = 64
_DOCKER_NAMESPACE: Final = "moby"
_NAME_OF_DOCKER: Final = {_DOCKER_NAMESPACE: ("container.name",)}
_CRI: Final = "io.kubernetes.cri."
_OWN_MOUNTS: Final = ("/io.containerd.grpc.v1.cri/sandboxes/",)
_CRI_PROPAGATIONS: Final = {"rshared": "rshared", "shared": "rshared", "rslave": "rslave"}


def read(host: Host, sighting: Sighting) -> Reading | None:
    """Look a container up in containerd's folders."""
    for tasks, namespace, name in _candidates(host, sighting):
        task = tasks.inside(namespace, name)
        spec = task.document("config.json")
        if spec is None:
            if task.is_there:
                raise NotYetError(name, task.path / "config.json")
            continue
        annotations = spec.at("annotations").labels
        if f"{_CRI}sandbox-id" in annotations:
            return Reading(_of_pod(host, tasks.inside(namespace), name, spec, annotations))
        groups = frozenset({f"/{namespace}/{name}", spec.at("linux", "cgroupsPath").text})
        return Reading(_of_task(namespace, name, spec), groups=groups)
    return None


def _candidates(host: Host, sighting: Sighting) -> Iterator[tuple[Place, str, str]]:
    for path in TASKS:
        tasks = host.place(path)
        if sighting.full_id:
            for namespace in tasks.names(_MOST_NAMESPACES):
                yield tasks, namespace, sighting.full_id
        else:
            for namespace, name in sighting.names:
                if namespace:
                    yield tasks, namespace, name


def _of_task(namespace: str, name: str, spec: Document) -> Container:
    """What is known of a container that Kubernetes did not start."""
    return Container(
        container_id=name[:ID_LENGTH],
        full_id=name,
        type="docker" if namespace == _DOCKER_NAMESPACE else "containerd",
        name=name[:ID_LENGTH],
        is_privileged=is_privileged(spec),
        is_host_pid=shares_host(spec, "pid"),
        is_host_network=shares_host(spec, "network"),
        is_host_ipc=shares_host(spec, "ipc"),
        mounts=few_mounts(every_mount(spec)),
        unknown=(*IMAGE, *LABELS, *_NAME_OF_DOCKER.get(namespace, ())),
    )


def _of_pod(
    host: Host, tasks: Place, name: str, spec: Document, annotations: dict[str, str]
) -> Container:
    """What is known of a container of Kubernetes, its pod's own one included."""
    cri = {key.removeprefix(_CRI): text for key, text in annotations.items()}
    sandbox_id = cri.get("sandbox-id", "")
    is_sandbox = cri.get("container-type") == "sandbox"
    sandbox = spec if is_sandbox else tasks.document(sandbox_id, "config.json")
    image = cri.get("podsandbox.image-name" if is_sandbox else "image-name", "")
    repository, tag, digest = split_reference(image)
    address = kubernetes.cached_address(host, sandbox_id)
    shared = sandbox or Document()
    return Container(
        container_id=name[:ID_LENGTH],
        full_id=name,
        type="containerd",
        name=cri.get("container-name", ""),
        image=image,
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        ip=address,
        is_privileged=is_privileged(spec),
        is_host_pid=shares_host(shared, "pid"),
        is_host_network=shares_host(shared, "network"),
        is_host_ipc=shares_host(shared, "ipc"),
        labels=_labels(cri, sandbox_id),
        mounts=few_mounts(_cri_mounts(spec)),
        sandbox_id=sandbox_id,
        unknown=_unknown(image, digest, address, is_sandbox_known=sandbox is not None),
    )


def _labels(cri: dict[str, str], sandbox_id: str) -> dict[str, str]:
    """The labels that kubelet gives to each container; it gives no others."""
    return kubernetes.known_labels(
        {
            kubernetes.CONTAINER_NAME: cri.get("container-name", ""),
            kubernetes.POD_NAME: cri.get("sandbox-name", ""),
            kubernetes.POD_NAMESPACE: cri.get("sandbox-namespace", ""),
            kubernetes.POD_UID: cri.get("sandbox-uid", ""),
            kubernetes.SANDBOX_ID: sandbox_id,
        }
    )


def _cri_mounts(spec: Document) -> Iterator[Mount]:
    for mount in bind_mounts(spec, _OWN_MOUNTS, "rprivate"):
        propagation = _CRI_PROPAGATIONS.get(mount.propagation, "private")
        yield msgspec.structs.replace(mount, propagation=propagation)


def _unknown(image: str, digest: str, address: str, *, is_sandbox_known: bool) -> tuple[str, ...]:
    missing: tuple[str, ...] = (*POD_LABELS, *CNI, "container.image.id")
    if not image:
        missing += IMAGE
    elif not digest:
        missing += ("container.image.digest",)
    if not address:
        missing += ADDRESS
    return missing if is_sandbox_known else missing + HOST_NAMESPACES
