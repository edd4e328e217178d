r"""An alert and its event as every format reads them: what is there, readable, of one type.

In: evidence. Out: texts without the marks that Falco prints for missing values, bytes that are no
UTF-8 as `\xHH`; the process, the file, both ends of the connection, the container; and ids that are
the same for the same event in every export, so that what is imported twice is there once.
"""

import functools
import ipaddress
import os
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from falcotrace.alerts import Evidence
from falcotrace.events.text import to_text
from falcotrace.outputs.escape import for_terminal, readable
from falcotrace.rules.attack import Attack, attack_of
from falcotrace.rules.plan import RulePlan

ID_SPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "falcotrace")
"""The name space of our ids, UUIDs of version 5 over what they stand for."""

_MISSING = frozenset({"", "<NA>"})
_FILES = frozenset({"file", "directory"})
_HOST = "host"
_PORTS = range(1 << 16)


def stable_id(kind: str, *parts: object) -> uuid.UUID:
    """The id of a thing: the same wherever and whenever it is computed.

    Args:
        kind: of thing, so that things of two kinds never share an id.
        parts: what tells it from others of its kind.
    """
    # Lengths keep ("a", "b") and ("a\nb",) apart.
    texts = [str(part) for part in parts]
    return uuid.uuid5(ID_SPACE, "\n".join([kind, *(f"{len(text)}:{text}" for text in texts)]))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection; the port is missing where there are none."""

    ip: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection over IP.

    Attributes:
        client: who asked for it; where nobody knows, our end.
        server: who was asked; where nobody knows, the other end. None before there is a peer.
        protocol: tcp, udp, icmp, raw; None where nobody knows.
        is_ipv6: by its socket.
        is_inbound: the process is the server.
    """

    client: Endpoint | None
    server: Endpoint | None
    protocol: str | None
    is_ipv6: bool
    is_inbound: bool | None


@dataclass(frozen=True, slots=True)
class Process:
    """A process, or its parent; what is not known is missing.

    Attributes:
        uid: the same for the same life of a process: host, boot, pid and start.
        start_ns: when it began, ns since the epoch.
    """

    uid: str
    pid: int
    name: str | None
    exepath: str | None
    cmdline: str | None
    start_ns: int | None


class Finding:
    """One alert with its event. Cheap to make: what a format does not ask for is not computed."""

    def __init__(self, evidence: Evidence) -> None:
        self.alert = evidence.alert
        self.host = evidence.host
        self.hostname = readable(evidence.host.hostname)
        self.capture = shown_path(evidence.path)
        self._event = evidence.event

    @property
    def rule(self) -> RulePlan:
        """The rule that fired."""
        return self.alert.rule

    @property
    def attack(self) -> Attack:
        """What the rule says about ATT&CK."""
        return rule_attack(self.rule)

    @property
    def message(self) -> str:
        """What happened, for people: one line that cannot do anything to a terminal."""
        return for_terminal(self.alert.output)

    @property
    def uid(self) -> str:
        """The id of the alert."""
        return str(stable_id("alert", *self._origin, self.alert.num, self.rule.name))

    @property
    def event_uid(self) -> str:
        """The id of the event."""
        return str(stable_id("event", *self._origin, self.alert.num))

    @property
    def _origin(self) -> tuple[object, ...]:
        # Each recording numbers its events anew; the time tells those of one boot apart.
        return (self.host.hostname, self.host.boot_id, self.alert.time_ns)

    def text(self, field: str) -> str | None:
        """A field as text; None where the event has no value."""
        value = self._event.get(field)
        if not isinstance(value, str) or value in _MISSING:
            return None
        return readable(value)

    def texts(self, field: str) -> list[str]:
        """A field that stands for several texts."""
        value = self._event.get(field)
        if not isinstance(value, list):
            return []
        return [readable(one) for one in value if isinstance(one, str) and one]

    def number(self, field: str) -> int | None:
        """A field as a number; None where the event has no value."""
        value = self._event.get(field)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, field: str) -> bool | None:
        """A field that is true or false; None where the event has no value."""
        value = self._event.get(field)
        return value if isinstance(value, bool) else None

    @property
    def succeeded(self) -> bool | None:
        """Whether the call did what it was asked; None where the event has no result."""
        result = self.text("evt.res")
        return None if result is None else result == "SUCCESS"

    @property
    def process(self) -> Process | None:
        """The process that made the event."""
        return self._process("proc.pid", "proc.pid.ts", "proc.{}")

    @property
    def parent(self) -> Process | None:
        """Its parent."""
        return self._process("proc.ppid", "proc.ppid.ts", "proc.p{}")

    def _process(self, pid_field: str, start_field: str, fields: str) -> Process | None:
        pid, start_ns = self.number(pid_field), self.number(start_field)
        if not pid or pid < 0:
            return None
        parts = (self.host.hostname, self.host.boot_id, pid, start_ns)
        return Process(
            uid=str(stable_id("process", *parts)),
            pid=pid,
            name=self.text(fields.format("name")),
            exepath=self.text(fields.format("exepath")),
            cmdline=self.text(fields.format("cmdline")),
            start_ns=start_ns or None,
        )

    @property
    def file_path(self) -> str | None:
        """The file or directory that the event is about."""
        if self.text("fd.type") in _FILES:
            return self.text("fd.name")
        return self.text("fs.path.target") or self.text("fs.path.name")

    @property
    def connection(self) -> Connection | None:
        """The connection that the event is about."""
        family = self.text("fd.type")
        if family not in {"ipv4", "ipv6"}:
            return None
        client, server = self._endpoint("fd.cip", "fd.cport"), self._endpoint("fd.sip", "fd.sport")
        if client is None and server is None:
            client = self._endpoint("fd.lip", "fd.lport")
            server = self._endpoint("fd.rip", "fd.rport")
        if client is None and server is None:
            return None
        return Connection(
            client=client,
            server=server,
            protocol=self.text("fd.l4proto"),
            is_ipv6=family == "ipv6",
            is_inbound=self.flag("fd.is_server"),
        )

    def _endpoint(self, ip_field: str, port_field: str) -> Endpoint | None:
        ip, port = self.text(ip_field), self.number(port_field)
        if ip is None or not _is_address(ip):
            return None
        return Endpoint(ip, port if port is not None and port in _PORTS else None)

    @property
    def container_id(self) -> str | None:
        """The id of the container, whole where it is known; None on the host."""
        short = self.text("container.id")
        if short is None or short == _HOST:
            return None
        return self.text("container.full_id") or short


@functools.lru_cache(maxsize=4096)
def _is_address(text: str) -> bool:
    """Whether a text is an address: readers refuse whole files for one that is none."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _attack(tags: tuple[str, ...]) -> Attack:
    return attack_of(tags)


def rule_attack(rule: RulePlan) -> Attack:
    """What a rule says about ATT&CK."""
    return _attack(rule.tags)


def shown_path(path: Path) -> str:
    """A capture's path as text, whatever bytes it has."""
    return readable(to_text(os.fsencode(path)))


def split_path(path: str) -> tuple[str, str]:
    """The folder and the name of a file.

    Example:
        >>> split_path("/tmp/.x/kworker"), split_path("memfd:x")
        (('/tmp/.x', 'kworker'), ('', 'memfd:x'))
    """
    if "/" not in path:
        return "", path
    parts = PurePosixPath(path)
    return str(parts.parent), parts.name or path


def present(**fields: object) -> dict[str, object]:
    """The fields that have a value: formats leave out what is missing.

    Example:
        >>> present(a=1, b=None, c="", d=[], e={}, f=False)
        {'a': 1, 'f': False}
    """
    return {name: value for name, value in fields.items() if value not in _NOTHING}


_NOTHING: Final[tuple[object, ...]] = (None, "", [], {})
