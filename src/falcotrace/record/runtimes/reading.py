"""What a reader answers when it is asked for a container."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from falcotrace.record.runtimes.description import Container
from falcotrace.record.runtimes.sighting import Host, Sighting


@dataclass(frozen=True, slots=True)
class Reading:
    """A description.

    Attributes:
        container: the description.
        is_final: whether it is as complete as it will be; the runtime may still be starting it.
        groups: control groups of a container that has a name only.
    """

    container: Container
    is_final: bool = True
    groups: frozenset[str] = frozenset()


class NotYetError(Exception):
    """The runtime knows the container, and has not written down yet what it is.

    Attributes:
        name: the container's whole id.
        awaited: the file that is missing; None where nobody can say.
    """

    def __init__(self, name: str, awaited: Path | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.awaited = awaited


Reader = Callable[[Host, Sighting], Reading | None]
"""Looks a container up; None where its runtime's places do not have it. Raises `NotYetError`, or
`DocumentError` where what is there cannot be used."""
