"""What is known of containers: metadata by id, as events told them.

In: events about containers. Out: the process columns of threads in a container or on the host.
"""

from collections.abc import Mapping

from falcotrace.capture.containers import ContainerMetadata, container_values, parse_container_event
from falcotrace.events.control_groups import HOST
from falcotrace.scap.interfaces import Interfaces, LocalAddresses

Value = str | int | bool | list[str] | list[int] | None


def read_container(kind: str, raw: bytes) -> ContainerMetadata | None:
    """What an event says about a container; None if it is not about one.

    Args:
        kind: `container`, or `container_removed`.
        raw: its JSON.
    """
    return parse_container_event(raw) if kind in {"container", "container_removed"} else None


class ContainerTable:
    """Metadata of containers by id."""

    def __init__(self) -> None:
        self._known: dict[str, ContainerMetadata] = {}
        self._of_sandboxes: dict[str, set[str]] = {}
        self._addresses: frozenset[bytes] | None = None

    def copy(self) -> "ContainerTable":
        """The same as of now."""
        found = ContainerTable()
        found._known = dict(self._known)
        found._of_sandboxes = {one: set(inside) for one, inside in self._of_sandboxes.items()}
        return found

    def add(self, found: ContainerMetadata) -> None:
        """Learn a container."""
        self.remove(found.container_id)
        self._known[found.container_id] = found
        if found.sandbox_id:
            self._of_sandboxes.setdefault(found.sandbox_id, set()).add(found.container_id)

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        self._addresses = None
        gone = self._known.pop(container_id, None)
        if gone is not None and gone.sandbox_id:
            self._of_sandboxes[gone.sandbox_id].discard(container_id)

    def shown_with(self, container_id: str) -> frozenset[str]:
        """Containers whose columns show something of a container: its own, and those of its pod."""
        return frozenset((container_id, *self._of_sandboxes.get(container_id, ())))

    def local_addresses(self, container_id: str, interfaces: Interfaces) -> LocalAddresses:
        """The addresses that are local for threads in a container, or on the host."""
        if container_id == HOST:
            return LocalAddresses(interfaces)
        known = self._known.get(container_id)
        if self._addresses is None:
            self._addresses = frozenset(one.address for one in self._known.values())
        return LocalAddresses(
            interfaces,
            is_in_container=True,
            own_address=b"" if known is None else known.address,
            container_addresses=self._addresses if known is not None else frozenset(),
        )

    def columns(self, container_id: str) -> Mapping[str, Value]:
        """Columns of a thread in a container; the empty id is the host."""
        known = self._known.get(container_id)
        sandbox = self._known.get(known.sandbox_id or "") if known is not None else None
        return container_values(container_id, known, sandbox)
