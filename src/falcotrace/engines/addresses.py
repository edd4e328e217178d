"""Addresses and networks: parsed once for each distinct text, compared as numbers.

In: canonical address texts of captures. Out: which of them equal listed addresses or lie in listed
networks. A text that is no address equals nothing.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import numpy as np
import pyarrow as pa

from falcotrace.engines.vectors import Bools

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_address(text: str) -> Address | None:
    """The address that a text spells, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def match_addresses(values: pa.Array, listed: Sequence[object]) -> Bools:
    """Which values are one of the listed addresses; different families never are equal."""
    wanted = frozenset(listed)
    return _each(values, lambda address: address in wanted)


def match_networks(values: pa.Array, listed: Sequence[Network]) -> Bools:
    """Which values lie in one of the listed networks; another family lies outside."""
    # DIFFERS: libs 48dfd53c looks only at the first network of a list, and gives up on lists of
    # both address families (sinsp_filtercheck_fd.cpp, compare_net, compare_ip).
    prefixes: dict[tuple[int, int], set[int]] = {}
    for network in listed:
        shift = network.max_prefixlen - network.prefixlen
        numbers = prefixes.setdefault((network.version, shift), set())
        numbers.add(int(network.network_address) >> shift)
    return _each(
        values,
        lambda address: any(
            int(address) >> shift in numbers
            for (version, shift), numbers in prefixes.items()
            if version == address.version
        ),
    )


def _each(values: pa.Array, test: Callable[[Address], bool]) -> Bools:
    parsed = map(parse_address, values.to_pylist())
    return np.array([address is not None and test(address) for address in parsed], np.bool_)
