"""Docker: its containers' own files, which are there from `docker create` to `docker rm`.

In: a whole id. Out: what `docker inspect` would say, as the container plugin shows it.

Source: moby, container/container.go and volume/mounts/mounts.go (`config.v2.json`,
`hostconfig.json`), reference/store.go (`repositories.json`); falcosecurity/plugins 0b3cbd8d,
plugins/container/go-worker/pkg/container/docker.go.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from falcotrace.events.control_groups import ID_LENGTH
from falcotrace.record.runtimes.description import (
    Container,
    Mount,
    few_labels,
    few_mounts,
    split_reference,
)
from falcotrace.record.runtimes.document import Document, DocumentError, Place
from falcotrace.record.runtimes.reading import Reading
from falcotrace.record.runtimes.sighting import Host, Sighting

DEFAULT_ROOT: Final = "var/lib/docker"
_ROOTLESS: Final = ".local/share/docker"
_STORAGE_DRIVERS: Final = 16
_CONTAINER_NETWORK: Final = "container:"


def read(host: Host, sighting: Sighting) -> Reading | None:
    """Look a container up in Docker's folders."""
    for root in data_roots(host, sighting.owner):
        folder = root.inside("containers", sighting.full_id)
        config = folder.document("config.v2.json")
        if config is None:
            continue
        inspected = _inspected(
            sighting.full_id, config, folder.document("hostconfig.json") or Document()
        )
        address = _address(config)
        if not address:
            address = _address_of_other(root, inspected)
        image = _image_names(root, config.at("Image").text, config.at("Config", "Image").text)
        container = container_of(inspected, image, address)
        return Reading(container, is_final=config.at("State", "Running").is_true)
    return None


def data_roots(host: Host, owner: int | None) -> list[Place]:
    """Where Docker keeps everything: as configured, the usual place, and for a user the home."""
    home = host.home(owner, _ROOTLESS)
    configured = ""
    with suppress(DocumentError):
        settings = host.place("etc/docker").document("daemon.json") or Document()
        configured = settings.at("data-root").text.strip("/")
    roots = [host.place(path) for path in dict.fromkeys((configured, DEFAULT_ROOT)) if path]
    return roots if home is None else [*roots, home]


def container_of(inspected: Document, image: tuple[str, str, str], address: str) -> Container:
    """The description from what `docker inspect` says.

    Args:
        inspected: Id, Name, Image, Config, HostConfig and Mounts.
        image: repository, tag and digest.
        address: of its network; may be empty.
    """
    full_id, host = inspected.at("Id").text, inspected.at("HostConfig")
    repository, tag, digest = image
    image_id = inspected.at("Image").text
    return Container(
        container_id=full_id[:ID_LENGTH],
        full_id=full_id,
        type="docker",
        name=inspected.at("Name").text.removeprefix("/"),
        image=inspected.at("Config", "Image").text,
        image_id=image_id.partition(":")[2] if "/" not in image_id else "",
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        ip=address,
        is_privileged=host.at("Privileged").is_true,
        is_host_pid=host.at("PidMode").text == "host",
        is_host_network=host.at("NetworkMode").text == "host",
        is_host_ipc=host.at("IpcMode").text == "host",
        labels=few_labels(inspected.at("Config", "Labels").labels),
        mounts=few_mounts(map(_mount, inspected.at("Mounts").items)),
    )


def names_of_image(
    digests: Iterable[str], tags: Iterable[str], asked_for: str
) -> tuple[str, str, str]:
    """Repository, tag and digest as the plugin chooses them from an image's names.

    Args:
        digests: `repository@digest` names.
        tags: `repository:tag` names.
        asked_for: the name with which the container was made, for images without any.
    """
    repository = tag = digest = ""
    for name in digests:
        head, at, rest = name.partition("@")
        if at:
            repository, digest = head, rest
            break
    for name in tags:
        head, found, _ = split_reference(name)
        repository = repository or head
        if head == repository:
            tag = found
            break
    return (repository, tag, digest) if repository else split_reference(asked_for)


def _inspected(full_id: str, config: Document, host_config: Document) -> Document:
    """What `docker inspect` makes of the two files."""
    points = config.at("MountPoints").members
    mounts = [
        {
            "Source": point.at("Source").text,
            "Destination": point.at("Destination").text or destination,
            "Mode": point.at("Relabel").text,
            "RW": point.at("RW").is_true,
            "Propagation": point.at("Propagation").text,
        }
        for destination, point in sorted(points.items())
    ]
    members = {
        "Id": full_id,
        "Name": config.at("Name").text,
        "Image": config.at("Image").text,
        "Config": config.at("Config").value,
        "HostConfig": host_config.value,
        "Mounts": mounts,
    }
    return Document(members)


def _mount(mount: Document) -> Mount:
    return Mount(
        source=mount.at("Source").text,
        destination=mount.at("Destination").text,
        mode=mount.at("Mode").text,
        is_writable=mount.at("RW").is_true,
        propagation=mount.at("Propagation").text,
    )


def _address(config: Document) -> str:
    """The address in the default network, which is the one that `docker inspect` shows first."""
    return config.at("NetworkSettings", "Networks", "bridge", "IPAddress").text


def _address_of_other(root: Place, inspected: Document) -> str:
    """The address of the container whose network it uses."""
    mode = inspected.at("HostConfig", "NetworkMode").text
    if not mode.startswith(_CONTAINER_NETWORK):
        return ""
    with suppress(DocumentError):
        other = root.document("containers", mode.removeprefix(_CONTAINER_NETWORK), "config.v2.json")
        return _address(other or Document())
    return ""


def _image_names(root: Place, image_id: str, asked_for: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image from the store of names.

    Where images are kept by containerd there is none: what was asked for has to do then.
    """
    names: list[str] = []
    has_store = False
    images = root.inside("image")
    for driver in images.names(_STORAGE_DRIVERS):
        with suppress(DocumentError):
            stored = images.document(driver, "repositories.json") or Document()
            has_store |= stored.is_there
            for repository in stored.at("Repositories").members.values():
                names += [name for name, found in repository.labels.items() if found == image_id]
    names.sort()
    digests = [name for name in names if "@" in name]
    tags = [name for name in names if "@" not in name]
    return names_of_image(digests, tags, "" if has_store else asked_for)
