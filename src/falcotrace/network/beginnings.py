"""What the first bytes of messages look like, of many at once.

In: the first bytes of many pieces of contents, a row for each, 0 where there are none. Out: which
of them may begin a message of a protocol; decoding decides.
"""

import numpy as np

from falcotrace.engines.vectors import Bools, Integers
from falcotrace.network.ragged import Bytes
from falcotrace.protocols.http import METHODS

HEAD_BYTES = 12
"""How many bytes are looked at: as many as the head of a DNS message has."""

DNS_PORTS = (53, 5353, 5355)
"""DNS, and its forms for local networks (RFC 6762, RFC 4795)."""

_HTTP_WORDS = np.unique(
    [np.frombuffer(name.encode().ljust(4)[:4], "<u4")[0] for name in (*METHODS, "HTTP")]
)
_CLIENT_HELLO = ((0, 0x16), (1, 0x03), (5, 0x01))


def may_be_http(heads: Bytes) -> Bools:
    """Which begin with the name of a method, or as responses do."""
    words = np.ascontiguousarray(heads[:, :4]).view("<u4")[:, 0]
    return np.isin(words, _HTTP_WORDS)


def may_be_client_hello(heads: Bytes) -> Bools:
    """Which begin with a handshake of TLS whose first message is the client's."""
    found = np.ones(len(heads), np.bool_)
    for place, value in _CLIENT_HELLO:
        found &= heads[:, place] == value
    return found


def may_be_dns(heads: Bytes, sizes: Integers, is_dns_port: Bools) -> Bools:
    """Which may be datagrams of DNS; on other ports only with one question and small counts."""
    is_plain = (heads[:, 2] & 0x78 == 0) & (heads[:, 3] & 0x40 == 0)
    is_plain &= (heads[:, 4] == 0) & (heads[:, 5] == 1)
    is_plain &= (heads[:, 6] == 0) & (heads[:, 8] == 0) & (heads[:, 10] == 0)
    return (sizes > HEAD_BYTES) & (is_dns_port | is_plain)
