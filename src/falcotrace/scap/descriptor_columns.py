"""The columns `fd.*` that follow from what stands behind a descriptor.

In: descriptors, and for each event which one it is about. Out: columns. What follows from the event
(`fd.num`, `fd.name_changed`, names where there is no descriptor) and from the process's other
descriptors (`fd.types`) is put by others. A loop for each distinct descriptor, none for each event.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_fd.cpp.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from falcotrace.capture.address_names import NAME_COLUMNS, NO_NAMES, NamesInBlock
from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.scap.addresses import address_text
from falcotrace.scap.descriptor import (
    CONNECTIONS,
    IP_SOCKETS,
    LISTENING,
    Descriptor,
)
from falcotrace.scap.interfaces import LocalAddresses

Integers = npt.NDArray[np.int64]
Endpoint = tuple[bytes, int]

_TEXTS: Mapping[str, Callable[[Descriptor], str]] = MappingProxyType(
    {
        "fd.type": lambda descriptor: descriptor.type_text,
        "fd.name": lambda descriptor: descriptor.name,
        "fd.nameraw": lambda descriptor: descriptor.nameraw,
        "fd.l4proto": lambda descriptor: descriptor.l4proto,
    }
)
_NUMBERS: Mapping[str, Callable[[Descriptor], int]] = MappingProxyType(
    {
        "fd.connected": lambda descriptor: descriptor.is_connected,
        "fd.dev": lambda descriptor: _signed(descriptor.device, 32),
        "fd.ino": lambda descriptor: _signed(descriptor.ino, 64),
        "fd.is_upper_layer": lambda descriptor: descriptor.is_upper_layer,
        "fd.is_lower_layer": lambda descriptor: descriptor.is_lower_layer,
    }
)


def put_descriptor_columns(
    columns: Columns,
    rows: Integers,
    descriptors: Sequence[Descriptor | None],
    indices: Integers,
    local: LocalAddresses,
    names: NamesInBlock = NO_NAMES,
) -> None:
    """Fill the columns of some events.

    Args:
        columns: where to put them.
        rows: the events.
        descriptors: what stands behind their descriptors; None for what is not known, whose events
            get nothing.
        indices: for each of the rows which of them.
        local: the addresses that are local for the events' threads. Threads of different
            containers may have different ones and are put one after the other.
        names: what addresses are called; events' rows are their places.
    """
    known, rows, places = _used(descriptors, rows, indices)
    for path, text in _TEXTS.items():
        columns.put_texts(path, rows, [text(one) for one in known], places)
    for path, number in _NUMBERS.items():
        values = np.array([number(one) for one in known], np.int64)
        columns.put_numbers(path, rows, values[places])
    columns.put_numbers("fd.is_server", rows, 0)
    sockets = [one if one.type in IP_SOCKETS else None for one in known]
    _put_socket_columns(columns, *_used(sockets, rows, places), local, names)


def _used(
    descriptors: Sequence[Descriptor | None], rows: Integers, indices: Integers
) -> tuple[list[Descriptor], Integers, Integers]:
    """The descriptors that occur and are known, and the rows that have one, with its place."""
    found, places = distinct(indices)
    used = [descriptors[place] for place in found.tolist()]
    known = [one for one in used if one is not None]
    if len(known) == len(used):
        return known, rows, places
    is_known = np.array([one is not None for one in used], np.bool_)
    has_one = is_known[places]
    numbers = np.cumsum(is_known) - 1
    return known, rows[has_one], numbers[places[has_one]]


def _put_socket_columns(
    columns: Columns,
    sockets: list[Descriptor],
    rows: Integers,
    places: Integers,
    local: LocalAddresses,
    names: NamesInBlock,
) -> None:
    if not sockets:
        return
    servers = np.array([_is_server(one, local) for one in sockets], np.bool_)
    columns.put_numbers("fd.is_server", rows, servers[places])
    shown: dict[str, list[Endpoint | None]] = {
        name: [end(one) for one in sockets] for name, end in _ENDS.items()
    }
    sides = [_sides(one, local) for one in sockets]
    shown["l{}"] = [side[0] for side in sides]
    shown["r{}"] = [side[1] for side in sides]
    for name, ends in shown.items():
        _put_ends(columns, name, ends, rows, places)
        path = f"fd.{name.format('ip')}_name"
        if path in NAME_COLUMNS and not names.is_empty:
            addresses = [None if end is None else end[0] for end in ends]
            names.put(columns, path, rows, (addresses, places), rows)
    ports = [_server_port(one) for one in sockets]
    _put_ports(columns, "fd.sport", ports, rows, places)


def _put_ends(
    columns: Columns, name: str, ends: list[Endpoint | None], rows: Integers, places: Integers
) -> None:
    if not any(ends):
        return
    address = f"fd.{name.format('ip')}"
    texts = [None if end is None else address_text(end[0]) for end in ends]
    columns.put_texts(address, rows, texts, places)
    has_end = np.array([end is not None for end in ends], np.bool_)[places]
    addresses = [None if end is None else end[0] for end in ends]
    columns.put_bytes(f"{address}_bytes", rows[has_end], addresses, places[has_end])
    ports = [None if end is None else end[1] for end in ends]
    _put_ports(columns, f"fd.{name.format('port')}", ports, rows, places)


def _put_ports(
    columns: Columns, path: str, ports: list[int | None], rows: Integers, places: Integers
) -> None:
    values = np.array([port or 0 for port in ports], np.int64)
    valid = np.array([port is not None for port in ports], np.bool_)
    columns.put_numbers(path, rows, values[places], valid[places])


def _left(one: Descriptor) -> Endpoint | None:
    ends = one.ends
    return ends.source, ends.source_port


def _right(one: Descriptor) -> Endpoint | None:
    ends = one.ends
    return (ends.destination, ends.destination_port) if one.type in CONNECTIONS else None


def _client(one: Descriptor) -> Endpoint | None:
    return _left(one) if one.role and one.type in CONNECTIONS else None


def _server(one: Descriptor) -> Endpoint | None:
    if not one.role:
        return None
    return _right(one) if one.type in CONNECTIONS else _left(one)


_ENDS: Mapping[str, Callable[[Descriptor], Endpoint | None]] = MappingProxyType(
    {"c{}": _client, "s{}": _server, "{}_left": _left, "{}_right": _right}
)
"""Ends by the name of their columns, in which `ip` or `port` is to be put."""


def _server_port(one: Descriptor) -> int | None:
    """The port is shown of listening sockets of no role too, unlike the address."""
    if one.type in LISTENING:
        return one.ends.source_port
    return one.ends.destination_port if one.role else None


def _sides(one: Descriptor, local: LocalAddresses) -> tuple[Endpoint | None, Endpoint | None]:
    """This machine's end and the other one: the left is ours if its address is a local one."""
    if one.type in LISTENING or not one.role:
        return None, None
    left, right = _left(one), _right(one)
    return (left, right) if local.is_local(one.ends.source) else (right, left)


def _is_server(one: Descriptor, local: LocalAddresses) -> bool:
    return one.type in LISTENING or local.is_local(one.ends.destination)


def _signed(number: int, bits: int) -> int:
    """A number, with or without a sign, as its signed column holds it."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) & 1 else number
