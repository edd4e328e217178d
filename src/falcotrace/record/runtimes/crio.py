"""CRI-O: the specification of each container, whose annotations say all that CRI knows of it.

In: a whole id. Out: what the container plugin learns over CRI.

Source: cri-o, pkg/annotations (`io.kubernetes.cri-o.*`), internal/config/nsmgr, k8s CRI v1
(`NamespaceOption`: NODE is 2, propagations 0 to 2); falcosecurity/plugins 0b3cbd8d,
plugins/container/go-worker/pkg/container/cri.go.
"""

from typing import Final

from falcotrace.events.control_groups import ID_LENGTH
from falcotrace.record.runtimes import kubernetes
from falcotrace.record.runtimes.description import (
    ADDRESS,
    HOST_NAMESPACES,
    POD_LABELS,
    Container,
    Mount,
    few_labels,
    few_mounts,
    split_reference,
)
from falcotrace.record.runtimes.document import Document
from falcotrace.record.runtimes.oci import is_privileged
from falcotrace.record.runtimes.reading import NotYetError, Reading
from falcotrace.record.runtimes.sighting import Host, Sighting
from falcotrace.record.runtimes.storage import stored_container

_PREFIX: Final = "io.kubernetes.cri-o."
_NODE: Final = 2
_PROPAGATIONS: Final = {0: "private", 1: "rslave", 2: "rshared"}
_MOST_CNI: Final = 4096
"""Bytes of the network's result that the plugin keeps."""


def read(host: Host, sighting: Sighting) -> Reading | None:
    """Look a container up in CRI-O's store."""
    stored = stored_container(host, sighting)
    if stored is None:
        return None
    if stored.spec is None:
        raise NotYetError(sighting.full_id)
    own = _annotations(stored.spec)
    if "ContainerType" not in own:
        return None
    sandbox_id = own.get("SandboxID", "")
    sandbox = own
    if sandbox_id and sandbox_id != sighting.full_id:
        inside = Sighting(sandbox_id, sighting.engine, (), (), sighting.owner)
        holder = stored_container(host, inside)
        sandbox = _annotations(holder.spec) if holder and holder.spec else {}
    return Reading(_container(sighting.full_id, stored.spec, own, sandbox))


def _annotations(spec: Document) -> dict[str, str]:
    """Annotations without their prefix; those of others keep theirs."""
    labels = spec.at("annotations").labels
    return {name.removeprefix(_PREFIX): text for name, text in labels.items()}


def _container(
    full_id: str, spec: Document, own: dict[str, str], sandbox: dict[str, str]
) -> Container:
    image = own.get("ImageName") or own.get("Image", "")
    repository, tag, digest = split_reference(image)
    labels = Document(own.get("Labels")).inner().labels
    shared = Document(sandbox.get("NamespaceOptions")).inner()
    address = sandbox.get("IP.0", "") or own.get("IP.0", "")
    return Container(
        container_id=full_id[:ID_LENGTH],
        full_id=full_id,
        type="cri-o",
        name=_name(own, labels),
        image=image,
        image_id=_image_id(own),
        image_repository=repository,
        image_tag=tag,
        image_digest=_digest(own) or digest,
        ip=address,
        cni_json=sandbox.get("CNIResult", "")[:_MOST_CNI],
        is_privileged=is_privileged(spec),
        is_host_pid=shared.at("pid").number == _NODE,
        is_host_network=sandbox.get("HostNetwork") == "true"
        or shared.at("network").number == _NODE,
        is_host_ipc=shared.at("ipc").number == _NODE,
        labels=few_labels({**labels, **_pod_names(own, labels)}),
        mounts=few_mounts(_mounts(own)),
        sandbox_id=own.get("SandboxID", ""),
        pod_labels=few_labels(Document(sandbox.get("Labels")).inner().labels),
        unknown=(
            *(() if sandbox else (*POD_LABELS, *HOST_NAMESPACES)),
            *(() if address or sandbox.get("HostNetwork") == "true" else ADDRESS),
        ),
    )


def _name(own: dict[str, str], labels: dict[str, str]) -> str:
    named = Document(own.get("Metadata")).inner().at("name").text
    return labels.get(kubernetes.CONTAINER_NAME) or named or own.get("Name", "")


def _image_id(own: dict[str, str]) -> str:
    """The image as kubelet asked for it, which is its id as a rule."""
    image = own.get("Image", "")
    return image.partition(":")[2] if image.count(":") == 1 else image


def _digest(own: dict[str, str]) -> str:
    reference = own.get("ImageRef", "")
    start = reference.find("sha256:")
    return reference[start:] if start >= 0 else ""


def _pod_names(own: dict[str, str], labels: dict[str, str]) -> dict[str, str]:
    names = (kubernetes.POD_NAME, kubernetes.POD_NAMESPACE, kubernetes.POD_UID)
    found = {name: labels.get(name) or own.get(name, "") for name in names}
    return kubernetes.known_labels({**found, kubernetes.SANDBOX_ID: own.get("SandboxID", "")})


def _mounts(own: dict[str, str]) -> list[Mount]:
    return [
        Mount(
            source=volume.at("host_path").text,
            destination=volume.at("container_path").text,
            is_writable=not volume.at("readonly").is_true,
            propagation=_PROPAGATIONS.get(volume.at("propagation").number, "unknown"),
        )
        for volume in Document(own.get("Volumes")).inner().items
    ]
