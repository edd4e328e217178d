"""The classes of system calls as the kernel side numbers them.

In: names of system calls. Out: numbers, of which `events.call_classes` says what they are about.
"""

from collections.abc import Mapping
from types import MappingProxyType

from falcotrace.events.call_classes import ClassName, class_name_of
from falcotrace.record.layout import CallClass

CLASS_NAMES: Mapping[CallClass, str] = MappingProxyType(
    {CallClass[name.name]: str(name) for name in ClassName}
)
"""What people read; the most telling first."""


def class_of(name: str) -> CallClass:
    """What a system call is about, by its name or by that of its event."""
    return CallClass[class_name_of(name).name]
