"""Control groups of a thread, and the container that they tell of.

In: the list that events and the process list carry. Out: `subsystem=path` items with the names that
subsystems have in version 1 of control groups, and a container id.

Source: libs 48dfd53c, userspace/libsinsp/threadinfo.cpp, `set_cgroups`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from falcotrace.events.control_groups import HOST, container_of
from falcotrace.scap.parameters import texts_of

_OLD_NAMES: Mapping[str, str] = MappingProxyType(
    {"perf": "perf_event", "mem": "memory", "io": "blkio"}
)


def cgroups_of(raw: bytes) -> tuple[str, ...]:
    r"""The items of a list.

    Example:
        >>> cgroups_of(b"io=/a\0cpu=/\\0")
        ('blkio=/a', 'cpu=/')
    """
    return tuple(_renamed(item) for item in texts_of(raw))


def _renamed(item: str) -> str:
    name, equals, path = item.partition("=")
    return f"{_OLD_NAMES.get(name, name)}{equals}{path}"


def container_id_of(cgroups: tuple[str, ...], inherited: str = "") -> str:
    """The container of a thread; empty on the host. Without a list it is the one of its parent."""
    if not cgroups:
        return inherited
    found = container_of(cgroups)
    return "" if found == HOST else found
