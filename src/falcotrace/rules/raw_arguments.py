"""The names of event arguments, and what `evt.rawarg.NAME` compares as.

Source: libs 48dfd53c userspace/libsinsp/utils.cpp, find_longest_matching_evt_param: the first event
in the table that has an argument of the name decides.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.events.fields import FieldType

_TYPES: Mapping[str, FieldType] = MappingProxyType(
    {
        **dict.fromkeys(("CHARBUF", "FSPATH", "FSRELPATH"), FieldType.CHARBUF),
        "BYTEBUF": FieldType.BYTEBUF,
        **dict.fromkeys(("INT8", "INT16"), FieldType.INT16),
        "INT32": FieldType.INT32,
        **dict.fromkeys(("INT64", "ERRNO", "FD", "PID"), FieldType.INT64),
        **dict.fromkeys(("UINT8", "UINT16", "UINT32", "MODE", "UID", "GID"), FieldType.UINT32),
        **dict.fromkeys(("FLAGS8", "FLAGS16", "FLAGS32", "SYSCALLID"), FieldType.UINT32),
        **dict.fromkeys(("ENUMFLAGS8", "ENUMFLAGS16", "ENUMFLAGS32"), FieldType.UINT32),
        **dict.fromkeys(("SIGTYPE", "L4PROTO", "SOCKFAMILY"), FieldType.UINT32),
        "UINT64": FieldType.UINT64,
        "BOOL": FieldType.BOOL,
        "RELTIME": FieldType.RELTIME,
        "ABSTIME": FieldType.ABSTIME,
        "PORT": FieldType.PORT,
    }
)


@functools.cache
def raw_argument_types() -> Mapping[str, FieldType]:
    """Return the comparison type of each argument; MIXED for those that cannot be compared."""
    types: dict[str, FieldType] = {}
    for event in EVENT_TYPES:
        for param in event.params:
            types.setdefault(param.name, _TYPES.get(param.type, FieldType.MIXED))
    return MappingProxyType(types)
