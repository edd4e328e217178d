"""Where each parameter of an event is found: the table `arguments.tsv`, read.

In: the table. Out: sources by event and parameter, and which argument is the event's own
descriptor. Nothing is decoded here; to cover another parameter, write a row there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files as resource_files
from types import MappingProxyType

from falcotrace.events.event_types import EventType, Param

# Falco takes the descriptor at a fixed place; for these calls it is not the first one.
# Source: libs 48dfd53c, userspace/libscap/scap_event.c, `get_exit_event_fd_location`.
_OWN_DESCRIPTORS = {"splice": "fd_out", "copy_file_range": "fdout"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a parameter is found: the verb of `arguments.tsv` and what stands behind it.

    `default` is the number that Falco's drivers write where there is nothing to read.
    """

    verb: str
    operands: tuple[str, ...]
    default: int | None = None

    @property
    def place(self) -> int:
        """The number of the argument; for verbs that have one."""
        return int(self.operands[0])


@cache
def sources() -> Mapping[str, Mapping[str, Source]]:
    """The sources of each event's parameters, by event and parameter name."""
    text = (resource_files("falcotrace.record") / "arguments.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, dict[str, Source]] = {}
    for line in lines[1:]:
        events, param, source = line.split("\t")
        for event in events.split(","):
            found.setdefault(event, {})[param] = parse_source(source)
    return MappingProxyType(found)


def parse_source(text: str) -> Source:
    """Read one cell of the table.

    Example:
        >>> parse_source("path1@d0").operands, parse_source("struct2:8:4").operands
        (('1', '0'), ('2', '8', '4'))
        >>> parse_source("proc.uid")
        Source(verb='proc', operands=('uid',), default=None)
        >>> parse_source("struct1:0:8=-1").default
        -1
    """
    text, _, default = text.partition("=")
    if default:
        return replace(parse_source(text), default=int(default))
    kind, dot, member = text.partition(".")
    if dot:
        return Source(kind, (member,))
    verb, *operands = text.split(":")
    head = verb.rstrip("0123456789@d") if verb[-1:].isdigit() else verb
    place, _, slot = verb[len(head) :].partition("@d")
    places = tuple(filter(None, (place, slot)))
    return Source(head, (*places, *operands))


@cache
def directory_slot(event: EventType, param: Param) -> int | None:
    """Which directory of a sample a descriptor argument is; None for other descriptors."""
    index = event.params.index(param)
    for path in event.params:
        source = sources().get(event.name, {}).get(path.name)
        if path.directory_index == index and source and len(source.operands) > 1:
            return int(source.operands[1])
    return None


@cache
def own_descriptor(event: EventType) -> Param | None:
    """The argument that is the event's own descriptor (`fd.num`)."""
    places = sources().get(event.name, {})
    wanted = _OWN_DESCRIPTORS.get(event.name)
    for param in event.params:
        is_argument = param.type == "FD" and param.name in places and param.name != "res"
        if is_argument and wanted in {None, param.name}:
            return param
    return None
