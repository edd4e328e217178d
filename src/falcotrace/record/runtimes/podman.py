"""podman: its store of containers, the specification, and the database for labels.

In: a whole id. Out: what `podman inspect` would say, as the container plugin shows it. Labels are
in podman's database alone: that of version 4.8 and later (SQLite) is read where only root can write
it; of older ones, and of users' own, labels are unknown.

Source: containers/podman, libpod/container_config.go, libpod/sqlite_state_internal.go,
libpod/container_inspect.go; falcosecurity/plugins 0b3cbd8d,
plugins/container/go-worker/pkg/container/podman.go.
"""

import sqlite3
from contextlib import closing
from typing import Final

from falcotrace.events.control_groups import ID_LENGTH
from falcotrace.record.runtimes.description import (
    ADDRESS,
    HOST_NAMESPACES,
    IMAGE,
    LABELS,
    MOUNTS,
    Container,
    few_labels,
    few_mounts,
    split_reference,
)
from falcotrace.record.runtimes.document import MOST_BYTES, Document, DocumentError, Place
from falcotrace.record.runtimes.kubernetes import cached_address
from falcotrace.record.runtimes.oci import bind_mounts, is_privileged, shares_host
from falcotrace.record.runtimes.reading import NotYetError, Reading
from falcotrace.record.runtimes.sighting import Host, Sighting
from falcotrace.record.runtimes.storage import Stored, stored_container

_PRIVILEGED: Final = "io.podman.annotations.privileged"
_MANAGER: Final = "io.container.manager"
_DATABASE: Final = "db.sql"
_QUERY: Final = (
    "SELECT substr(JSON, 1, ?) FROM ContainerConfig WHERE ID = ? AND typeof(JSON) = 'text'"
)
_WAIT_SECONDS: Final = 0.2
_UNSPECIFIED: Final = (*MOUNTS, *HOST_NAMESPACES, "container.privileged")


def read(host: Host, sighting: Sighting) -> Reading | None:
    """Look a container up in podman's stores."""
    stored = stored_container(host, sighting)
    if stored is None:
        return None
    if stored.spec is None and not stored.entry.is_there:
        raise NotYetError(sighting.full_id)
    spec = stored.spec or Document()
    if spec.at("annotations", _MANAGER).text == "cri-o":
        return None
    config = _config(stored.root, sighting.full_id)
    container = _container(host, sighting, stored, spec, config)
    return Reading(container, is_final=stored.spec is not None)


def _container(
    host: Host, sighting: Sighting, stored: Stored, spec: Document, config: Document
) -> Container:
    names = [*stored.entry.at("names").texts, stored.metadata.at("name").text]
    image = stored.metadata.at("image-name").text
    repository, tag, digest = split_reference(image)
    address = cached_address(host, sighting.full_id)
    has_spec = spec.is_there
    return Container(
        container_id=sighting.full_id[:ID_LENGTH],
        full_id=sighting.full_id,
        type="podman",
        name=next(filter(None, names), ""),
        image=image,
        image_id=stored.entry.at("image").text,
        image_repository=repository,
        image_tag=tag,
        image_digest=stored.image.at("digest").text or digest,
        ip=address,
        is_privileged=_is_privileged(spec),
        is_host_pid=has_spec and shares_host(spec, "pid"),
        is_host_network=has_spec and shares_host(spec, "network"),
        is_host_ipc=has_spec and shares_host(spec, "ipc"),
        labels=few_labels(config.at("labels").labels),
        mounts=few_mounts(bind_mounts(spec, (f"/{sighting.full_id}/",), "rprivate")),
        unknown=(
            *(() if stored.entry.is_there else (*IMAGE, "container.name")),
            *(() if has_spec else _UNSPECIFIED),
            *(() if config.is_there else LABELS),
            *(() if address or _has_no_network(spec) else ADDRESS),
        ),
    )


def _is_privileged(spec: Document) -> bool:
    annotation = spec.at("annotations", _PRIVILEGED).text
    return annotation.upper() == "TRUE" if annotation else is_privileged(spec)


def _has_no_network(spec: Document) -> bool:
    """Whether it has no address of its own: it uses the host's network."""
    return spec.is_there and shares_host(spec, "network")


def _config(root: Place, full_id: str) -> Document:
    """The container's configuration in the database; empty where it cannot be had."""
    path = root.path / _DATABASE
    # SQLite is not made for hostile files: a user's own database is left alone.
    if root.owner is not None or path.is_symlink() or not path.is_file():
        return Document()
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as database:
            row = database.execute(_QUERY, (MOST_BYTES, full_id)).fetchone()
    except (sqlite3.Error, ValueError) as error:
        raise DocumentError(f"podman's database: {error}") from None
    return Document.parse(str(row[0])) if row else Document()
