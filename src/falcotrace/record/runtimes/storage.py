"""The store of containers/storage, which podman and CRI-O share: who a container is, its image.

In: a whole id. Out: its entry, its image's entry, and its folder.

Source: containers/storage, containers.go and images.go (`containers.json`,
`volatile-containers.json`, `images.json`).
"""

import tomllib
from dataclasses import dataclass
from typing import Final

from falcotrace.record.runtimes.document import Document, DocumentError, Place
from falcotrace.record.runtimes.sighting import Host, Sighting

GRAPH_ROOT: Final = "var/lib/containers/storage"
RUN_ROOT: Final = "run/containers/storage"
_ROOTLESS: Final = ".local/share/containers/storage"
_DRIVERS: Final = ("overlay", "vfs", "btrfs", "zfs")
_LISTS: Final = ("containers.json", "volatile-containers.json")


@dataclass(frozen=True, slots=True)
class Stored:
    """A container of the store.

    Attributes:
        root: the store.
        entry: the container's entry; empty where the lists do not have it.
        image: its image's entry; empty where it has none.
        spec: its specification, `config.json`.
    """

    root: Place
    entry: Document
    image: Document
    spec: Document | None

    @property
    def metadata(self) -> Document:
        """What podman or CRI-O keeps with the entry."""
        return self.entry.at("metadata").inner()


def stores(host: Host, owner: int | None) -> list[tuple[Place, Place]]:
    """The lasting and the passing part of each store that a container may be in."""
    found = dict.fromkeys([_configured(host), (GRAPH_ROOT, RUN_ROOT)])
    places = [(host.place(graph), host.place(run)) for graph, run in found]
    home = host.home(owner, _ROOTLESS)
    return places if home is None else [*places, (home, home)]


def _configured(host: Host) -> tuple[str, str]:
    """The places that the settings name, else the usual ones."""
    try:
        raw = host.place("etc/containers").read("storage.conf") or b""
        settings = Document(tomllib.loads(raw.decode())).at("storage")
    except (DocumentError, ValueError, RecursionError):
        settings = Document()
    graph, run = (settings.at(name).text.strip("/") for name in ("graphroot", "runroot"))
    return graph or GRAPH_ROOT, run or RUN_ROOT


def stored_container(host: Host, sighting: Sighting) -> Stored | None:
    """Look a container up in the stores."""
    for root, run_root in stores(host, sighting.owner):
        for driver in _DRIVERS:
            folder = f"{driver}-containers"
            if not root.inside(folder).is_there:
                continue
            entry = _entry(root, run_root, folder, sighting.full_id)
            spec = None
            for place in (root, run_root):
                spec = spec or place.document(folder, sighting.full_id, "userdata", "config.json")
            if entry.is_there or spec is not None:
                image = _image(root, driver, entry.at("image").text)
                return Stored(root, entry, image, spec)
    return None


def _entry(root: Place, run_root: Place, folder: str, full_id: str) -> Document:
    for place in (root, run_root):
        for name in _LISTS:
            listed = place.document(folder, name) or Document()
            for entry in listed.items:
                if entry.at("id").text == full_id:
                    return entry
    return Document()


def _image(root: Place, driver: str, image_id: str) -> Document:
    images = root.document(f"{driver}-images", "images.json") if image_id else None
    listed = images.items if images else []
    return next((image for image in listed if image.at("id").text == image_id), Document())
