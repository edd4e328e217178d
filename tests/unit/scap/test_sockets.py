"""How calls on sockets change them: rules one by one, and sequences of real captures."""

import errno
from dataclasses import replace

import pytest

from falcotrace.scap import sockets
from falcotrace.scap.addresses import AF_INET, AF_INET6, AF_NETLINK, AF_UNIX
from falcotrace.scap.descriptor import L4, Descriptor, DescriptorType, Role
from unit.scap.made_sockets import INTERFACES, packed, pair, sockaddr, unix_pair

STREAM, DGRAM, RAW = 1, 2, 3
CLOEXEC = 0o2000000
AF_PACKET = 17


def _udp() -> Descriptor:
    return sockets.new_socket(AF_INET, DGRAM | CLOEXEC, 0)


def _tcp() -> Descriptor:
    return sockets.new_socket(AF_INET, STREAM | CLOEXEC, 0)


def _sent(before: Descriptor, tuple_text: str, *others: Descriptor) -> Descriptor:
    return sockets.exchanged(
        before, pair(tuple_text), is_receive=False, others=others, interfaces=INTERFACES
    )


def _received(before: Descriptor, tuple_text: str, *others: Descriptor) -> Descriptor:
    return sockets.exchanged(
        before, pair(tuple_text), is_receive=True, others=others, interfaces=INTERFACES
    )


def _shown(one: Descriptor) -> tuple[str, str, Role, bool]:
    return one.name, one.l4proto, one.role, one.is_connected


@pytest.mark.parametrize(
    ("domain", "kind", "protocol", "type_text", "l4"),
    [
        (AF_INET, STREAM, 0, "ipv4", L4.TCP),
        (AF_INET, STREAM | CLOEXEC, 6, "ipv4", L4.TCP),
        (AF_INET6, DGRAM, 0, "ipv6", L4.UDP),
        (AF_INET6, DGRAM, 17, "ipv6", L4.UDP),
        (AF_INET, RAW, 1, "ipv4", L4.RAW),
        (AF_INET, RAW, 6, "ipv4", L4.RAW),
        (AF_INET, RAW | CLOEXEC, 1, "ipv4", L4.ICMP),
        (AF_INET, DGRAM, 1, "ipv4", L4.ICMP),
        (AF_INET, RAW, 255, "ipv4", L4.RAW),
        (AF_INET, RAW, 0, "ipv4", L4.UNKNOWN),
        (AF_INET6, DGRAM, 58, "ipv6", L4.UNKNOWN),
        (AF_UNIX, STREAM, 0, "unix", 0),
        (AF_NETLINK, RAW, 9, "netlink", 0),
        (AF_PACKET, RAW, 768, "<NA>", 0),
        (0, STREAM, 0, "<NA>", 0),
    ],
)
def test_socket(domain: int, kind: int, protocol: int, type_text: str, l4: int) -> None:
    """Family and protocol say what it is; it has no name and no role."""
    made = sockets.new_socket(domain, kind, protocol)
    assert (made.type_text, made.ends.l4, made.name, made.role) == (type_text, l4, "", Role.NONE)


def test_socketpair() -> None:
    """Both are alike and know their peers only as pointers."""
    first, second = sockets.socket_pair(0xFFFF888104450900, 0xFFFF888104451200)
    assert first == second
    assert first.pointers == (0xFFFF888104450900, 0xFFFF888104451200)
    assert (first.type_text, first.name) == ("unix", "")


@pytest.mark.parametrize(
    ("before", "address", "kind", "ends", "l4", "role"),
    [
        (_tcp(), "127.0.0.1:18443", "IPV4_LISTENING", "127.0.0.1:18443", L4.TCP, Role.SERVER),
        (_tcp(), "127.0.0.1:0", "IPV4", "0.0.0.0:0->0.0.0.0:0", L4.TCP, Role.NONE),
        (sockets.new_socket(AF_INET6, STREAM, 0), "::1:81", "IPV6_LISTENING", "::1:81", L4.TCP, 2),
        (
            sockets.new_socket(AF_INET6, DGRAM, 0),
            ":::80",
            "IPV4_LISTENING",
            "0.0.0.0:80",
            L4.UDP,
            2,
        ),
        (
            sockets.new_socket(AF_INET6, STREAM, 0),
            "::ffff:10.0.0.1:80",
            "IPV4_LISTENING",
            "10.0.0.1:80",
            L4.TCP,
            Role.SERVER,
        ),
    ],
)
def test_bind(before: Descriptor, address: str, kind: str, ends: str, l4: int, role: int) -> None:
    """With a port it listens, `::` and mapped addresses as IPv4; the name is what was given."""
    made = sockets.bound(before, sockaddr(address))
    assert (made.name, made.type.name, str(made.ends)) == (address, kind, ends)
    assert (made.ends.l4, made.role) == (l4, role)


def test_bind_of_other_families() -> None:
    """A unix socket gets the path as its name; without an address nothing happens."""
    plain = sockets.new_socket(AF_UNIX, STREAM, 0)
    named = sockets.bound(plain, sockaddr("/run/x"))
    assert named == replace(plain, name="/run/x")
    assert sockets.bound(plain, b"") is plain
    assert sockets.bound(_tcp(), b"\x02\x01").name == "INVALID IPv4"


def test_connect_of_a_client() -> None:
    """t_tcp4: addresses from the tuple, role client, connected."""
    made = sockets.connected(
        _tcp(), 0, pair("127.0.0.1:54362->127.0.0.1:18443"), sockaddr("127.0.0.1:18443")
    )
    assert _shown(made) == ("127.0.0.1:54362->127.0.0.1:18443", "tcp", Role.CLIENT, True)


def test_connect_of_a_bound_socket() -> None:
    """t_tcp4: a TCP socket bound before stays a server's by role, ends as the tuple has them."""
    before = sockets.bound(_tcp(), sockaddr("127.0.0.1:18999"))
    made = sockets.connected(before, 0, pair("127.0.0.1:18999->127.0.0.1:18443"))
    assert _shown(made) == ("127.0.0.1:18999->127.0.0.1:18443", "tcp", Role.SERVER, True)


def test_connect_of_a_udp_server() -> None:
    """Its ends are turned, for the client stands left."""
    before = sockets.bound(_udp(), sockaddr("192.0.2.2:53"))
    made = sockets.connected(before, 0, pair("192.0.2.2:53->8.8.8.8:999"))
    assert _shown(made) == ("8.8.8.8:999->192.0.2.2:53", "udp", Role.SERVER, True)
    assert sockets.connected(made, 0, pair("192.0.2.2:53->8.8.8.8:999")) == made


@pytest.mark.parametrize(
    ("result", "is_changed"),
    [(0, True), (-errno.EINPROGRESS, True), (-errno.ECONNREFUSED, False), (-errno.EALREADY, False)],
)
def test_connect_that_fails(result: int, *, is_changed: bool) -> None:
    """Only success and a call under way count."""
    before = _tcp()
    made = sockets.connected(before, result, pair("127.0.0.1:46206->127.0.0.1:9"))
    assert (made is not before) is is_changed


@pytest.mark.parametrize(
    ("left", "entered", "destination"),
    [
        ("1.1.1.1:1", "2.2.2.2:2", "2.2.2.2:2"),  # the memory said so at the end: it was changed
        ("1.1.1.1:1", None, "1.1.1.1:1"),
        ("3.3.3.3:3", "2.2.2.2:2", "1.1.1.1:1"),  # the kernel's own word
        ("1.1.1.1:1", "::1:2", "1.1.1.1:1"),
        ("1.1.1.1:1", "/run/x", "1.1.1.1:1"),
    ],
)
def test_destination_that_a_program_changed(
    left: str, entered: str | None, destination: str
) -> None:
    """The address at the call's beginning counts where the tuple's may be a lie."""
    made = sockets.connected(
        _tcp(),
        0,
        pair("192.0.2.2:5->1.1.1.1:1"),
        sockaddr(left),
        None if entered is None else sockaddr(entered),
    )
    assert made.name == f"192.0.2.2:5->{destination}"


def test_path_that_a_program_changed() -> None:
    """The same for unix sockets."""
    before = sockets.new_socket(AF_UNIX, STREAM, 0)
    given = unix_pair(1, 0xAB, "/fake")
    made = sockets.connected(before, 0, given, sockaddr("/fake"), sockaddr("/real"))
    assert (made.name, made.pointers) == ("1->ab /real", (1, 0xAB))
    other = sockets.connected(before, 0, given, sockaddr("/other"), sockaddr("/real"))
    assert other.name == "1->ab /fake"


def test_connect_without_a_tuple() -> None:
    """The address at the call's beginning gives the destination, and neither name nor role."""
    made = sockets.connected(_tcp(), 0, b"", b"", sockaddr("1.1.1.1:443"))
    assert _shown(made) == ("", "<NA>", Role.NONE, True)
    assert str(made.ends) == "0.0.0.0:0->1.1.1.1:443"
    mapped = sockets.connected(_tcp(), 0, b"", b"", sockaddr("::ffff:1.1.1.1:443"))
    assert str(mapped.ends) == "0.0.0.0:0->1.1.1.1:443"
    plain = sockets.new_socket(AF_UNIX, STREAM, 0)
    assert sockets.connected(plain, 0, b"", b"", sockaddr("/run/x")).name == "NULL"
    assert sockets.connected(plain, 0, b"") == replace(plain, is_connected=True)


def test_connect_with_nonsense() -> None:
    """A tuple of another kind of socket, or a cut one, changes no ends."""
    plain = replace(sockets.new_socket(AF_NETLINK, RAW, 0), is_connected=True)
    assert sockets.connected(plain, 0, unix_pair(1, 2)) == plain
    assert sockets.connected(plain, 0, b"\x02\x01") == plain


def test_connect_of_an_ipv6_socket_to_ipv4() -> None:
    """It becomes IPv4, and as in libs the protocol is lost on the way."""
    made = sockets.connected(
        sockets.new_socket(AF_INET6, STREAM, 0),
        0,
        pair("::ffff:10.0.0.1:1->::ffff:10.0.0.2:2"),
    )
    assert (made.type_text, made.name, made.l4proto) == ("ipv4", "<unknown>", "<NA>")
    assert str(made.ends) == "10.0.0.1:1->10.0.0.2:2"


@pytest.mark.parametrize(
    ("raw", "type_text", "name", "l4proto"),
    [
        (pair("127.0.0.1:1->127.0.0.1:80"), "ipv4", "127.0.0.1:1->127.0.0.1:80", "tcp"),
        (pair("::1:50966->::1:18081"), "ipv6", "::1:50966->::1:18081", "tcp"),
        (pair("::ffff:1.1.1.1:1->::ffff:2.2.2.2:2"), "ipv4", "1.1.1.1:1->2.2.2.2:2", "tcp"),
        (unix_pair(0xA, 0xB, "/u"), "unix", "a->b /u", "<NA>"),
    ],
)
def test_accept(raw: bytes, type_text: str, name: str, l4proto: str) -> None:
    """A server's connection, named by the tuple."""
    made = sockets.accepted(raw)
    assert made is not None
    assert made.type_text == type_text
    assert _shown(made) == (name, l4proto, Role.SERVER, True)


@pytest.mark.parametrize("raw", [b"", b"\x02\x01", b"\x10abc"])
def test_accept_of_other_families(raw: bytes) -> None:
    """Where the event does not tell, nothing is known."""
    assert sockets.accepted(raw) is None


def test_traffic_over_tcp() -> None:
    """A TCP connection with a name does not change, whichever way the packet went."""
    made = sockets.accepted(pair("127.0.0.1:44222->127.0.0.1:54797"))
    assert made is not None
    assert _sent(made, "127.0.0.1:54797->127.0.0.1:44222") is made
    assert _received(made, "9.9.9.9:1->8.8.8.8:2") is made


def test_tcp_without_a_name() -> None:
    """A fresh one takes what its first packet tells."""
    made = _received(_tcp(), "10.0.0.9:999->192.0.2.2:22")
    assert _shown(made) == ("10.0.0.9:999->192.0.2.2:22", "tcp", Role.SERVER, True)


def test_dns_of_a_capture() -> None:
    """t_udp_dns: query and answer between a bound socket and one that never was."""
    server = sockets.bound(_udp(), sockaddr("127.0.0.1:53"))
    client = _sent(_udp(), "0.0.0.0:35016->127.0.0.1:53", server)
    name = "127.0.0.1:35016->127.0.0.1:53"
    assert _shown(client) == (name, "udp", Role.CLIENT, True)
    served = _received(server, "127.0.0.1:35016->127.0.0.1:53", client)
    # The first packet made the listening socket a connection; only the second connects it.
    assert _shown(served) == (name, "udp", Role.SERVER, False)
    served = _sent(served, "127.0.0.1:53->127.0.0.1:35016", client)
    assert _shown(served) == (name, "udp", Role.SERVER, True)
    assert _received(client, "127.0.0.1:53->0.0.0.0:35016") == client
    again = _received(served, "127.0.0.1:35085->127.0.0.1:53")
    assert again.name == "127.0.0.1:35085->127.0.0.1:53"


def test_dns_with_odd_tuples() -> None:
    """sd_udp_dns: ends that the recorder did not know are replaced as libs replaces them."""
    server = sockets.bound(_udp(), sockaddr("127.0.0.1:53"))
    client = _sent(_udp(), "0.0.0.0:0->127.0.0.1:53")
    assert client.name == "127.0.0.1:0->127.0.0.1:53"
    server = _received(server, "0.0.0.0:0->127.0.0.1:53")
    assert server.name == "127.0.0.1:0->127.0.0.1:53"
    server = _sent(server, "127.0.0.1:53->127.0.0.1:45285")
    assert _shown(server) == ("127.0.0.1:45285->127.0.0.1:53", "udp", Role.SERVER, True)
    client = _received(client, "0.0.0.0:0->0.0.0.0:45285")
    assert client.name == "0.0.0.0:45285->192.0.2.2:0"


def test_datagram_socket_that_turns_to_another() -> None:
    """attack: sendto to one, then connect to another; the last one counts."""
    made = _sent(_udp(), "0.0.0.0:47038->203.0.113.5:9998")
    assert made.name == "192.0.2.2:47038->203.0.113.5:9998"
    made = sockets.connected(made, 0, pair("203.0.113.5:47038->203.0.113.5:4242"))
    assert _shown(made) == ("203.0.113.5:47038->203.0.113.5:4242", "udp", Role.CLIENT, True)
    assert _sent(made, "203.0.113.5:47038->203.0.113.5:4242") is made


def test_ipv6_datagrams() -> None:
    """t_udp_dns: a client that sends, and a socket on a free port that becomes one by receiving."""
    fresh = sockets.new_socket(AF_INET6, DGRAM, 0)
    sender = _sent(fresh, ":::54715->::1:37878", fresh)
    assert _shown(sender) == ("::1:54715->::1:37878", "udp", Role.CLIENT, True)
    bound = sockets.bound(fresh, sockaddr("::1:0"))
    receiver = _received(bound, "::1:54715->::1:37878", bound, sender)
    assert _shown(receiver) == ("::1:37878->::1:54715", "udp", Role.CLIENT, True)


def test_role_of_an_ipv6_socket_is_guessed_from_ipv4_ports() -> None:
    """Ports are compared with bytes of the address: a socket without ports matches `::1`."""
    fresh = sockets.new_socket(AF_INET6, DGRAM, 0)
    assert _received(fresh, "::1:5->::1:6", _udp()).role is Role.SERVER
    assert _sent(fresh, "::1:5->::1:6", _udp()).role is Role.CLIENT
    no_source = _sent(_udp(), "0.0.0.0:9->8.8.8.8:0")
    assert _sent(fresh, "::1:5->::1:6", no_source).role is Role.SERVER
    of_address = packed("1::5:6:7")
    port = int.from_bytes(of_address[10:12], "little")
    bound = sockets.bound(_udp(), sockaddr(f"127.0.0.1:{port}"))
    assert _received(fresh, "1::5:6:7:5->::1:6", bound).role is Role.SERVER
    assert _received(fresh, "1::5:6:7:5->::1:6").role is Role.CLIENT


def test_ipv6_server_stays_listening() -> None:
    """The tuple is written over a listening socket and read as one: that is what rules see."""
    server = sockets.bound(sockets.new_socket(AF_INET6, DGRAM, 0), sockaddr("::1:5353"))
    made = _received(server, "2001:db8::9:4000->2001:db8::2:5353")
    assert made.type is DescriptorType.IPV6_LISTENING
    assert made.name == "2001:db8::9:4000->2001:db8::2:5353"
    assert made.ends.source == packed("2001:db8::9")
    assert made.ends.source_port == int.from_bytes(packed("2001:db8::2")[:2], "little")


def test_server_on_any_address() -> None:
    """One on `::` counts as IPv4, and a packet of IPv4 makes it a connection of UDP."""
    server = sockets.bound(sockets.new_socket(AF_INET6, DGRAM, 0), sockaddr(":::5353"))
    made = _received(server, "::ffff:10.0.0.9:4000->::ffff:192.0.2.2:5353")
    assert _shown(made)[:3] == ("10.0.0.9:4000->192.0.2.2:5353", "udp", Role.SERVER)


@pytest.mark.parametrize(
    ("kind", "protocol", "text"),
    [
        (RAW, 255, "192.0.2.2->8.8.8.8"),
        (DGRAM, 1, "192.0.2.2->8.8.8.8"),
        (RAW, 0, "192.0.2.2:1->8.8.8.8:0"),
    ],
)
def test_names_without_ports(kind: int, protocol: int, text: str) -> None:
    """ICMP and raw sockets show addresses only; what is not known is taken for UDP."""
    made = _sent(sockets.new_socket(AF_INET, kind, protocol), "192.0.2.2:1->8.8.8.8:0")
    assert made.name == text


def test_names_of_raw_ipv6() -> None:
    """For raw IPv6 sockets libs has no name, for ICMP it has."""
    raw = sockets.new_socket(AF_INET6, RAW, 255)
    assert _sent(raw, "2001:db8::2:0->2001:db8::9:0").name == "<unknown>"
    icmp = sockets.new_socket(AF_INET6, DGRAM, 1)
    assert _sent(icmp, "2001:db8::2:0->2001:db8::9:0").name == "2001:db8::2->2001:db8::9"


def test_unix_datagrams() -> None:
    """t_unix: a pair gets its name with the first packet; unix sockets are not marked connected."""
    first, _ = sockets.socket_pair(0xFFFF888104450900, 0xFFFF888104451200)
    raw = unix_pair(0xFFFF888104451200, 0xFFFF888104450900)
    made = sockets.exchanged(first, raw, is_receive=False, others=(), interfaces=INTERFACES)
    assert (made.name, made.is_connected) == ("ffff888104451200->ffff888104450900 ", False)


@pytest.mark.parametrize("raw", [b"", b"\x02\x01", b"\x10abcdefghijklmnop"])
def test_traffic_without_a_usable_tuple(raw: bytes) -> None:
    """It only connects."""
    before = _udp()
    made = sockets.exchanged(before, raw, is_receive=True, others=(), interfaces=INTERFACES)
    assert made == replace(before, is_connected=True)


def test_read_and_write_connect() -> None:
    """A connection of IP is connected by them, nothing else is."""
    assert sockets.transferred(_udp()).is_connected
    connected = sockets.transferred(_udp())
    assert sockets.transferred(connected) is connected
    for one in (sockets.bound(_udp(), sockaddr("127.0.0.1:5")), Descriptor(DescriptorType.PIPE)):
        assert sockets.transferred(one) is one


def test_send_on_an_unknown_descriptor() -> None:
    """ping_sendto: it is taken for UDP, with what the packet tells."""
    made = sockets.assumed_udp(pair("0.0.0.0:1->128.32.41.1:0"), others=(), interfaces=INTERFACES)
    assert made is not None
    assert _shown(made) == ("192.0.2.2:1->128.32.41.1:0", "udp", Role.CLIENT, True)
    for raw in (b"", unix_pair(1, 2), b"\x02\x01"):
        assert sockets.assumed_udp(raw, others=(), interfaces=INTERFACES) is None
