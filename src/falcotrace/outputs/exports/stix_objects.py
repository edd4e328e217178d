"""Events as observables of STIX 2.1: process, file, account, addresses, traffic.

In: a finding. Out: objects with their ids. The id of an observable follows from what it says
(2.9 of the specification); that of a process, for which STIX has no such rule, from which process
it is and what is said of it. So an object that is made twice is one, in one bundle and in several.

Source: OASIS, STIX 2.1 (os), parts 2.9 and 6.
"""

import json
import uuid
from typing import Final

from falcotrace.outputs.exports.finding import (
    Connection,
    Endpoint,
    Finding,
    Process,
    present,
    split_path,
    stable_id,
)
from falcotrace.outputs.times import iso_time

SPEC_VERSION: Final = "2.1"

_OBSERVABLE_SPACE: Final = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The name space that the specification gives for ids of observables."""

_CONTRIBUTING: Final = {
    "directory": ("path",),
    "file": ("name", "parent_directory_ref"),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "network-traffic": ("dst_port", "dst_ref", "protocols", "src_port", "src_ref"),
    "user-account": ("account_login", "account_type", "user_id"),
}
"""What the ids of observables follow from, of the properties that we fill."""

_DIGITS_OF_US = 3

Object = dict[str, object]


def stix_time(time_ns: int) -> str:
    """A time in microseconds."""
    return f"{iso_time(time_ns, '')[:-_DIGITS_OF_US]}Z"


def _canonical(fields: Object) -> str:
    """Sorted keys without blanks: the canonical form (RFC 8785) of texts, integers and lists."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Observables:
    """The observables of one event.

    Attributes:
        objects: by id; each refers to earlier ones alone.
    """

    def __init__(self, finding: Finding) -> None:
        self.objects: dict[str, Object] = {}
        self._finding = finding
        self._file_of_event()
        traffic_id = self._traffic(finding.connection) if finding.connection else None
        if finding.process:
            parent_id = self._process(finding.parent) if finding.parent else None
            self._process(
                finding.process,
                cwd=finding.text("proc.cwd"),
                creator_user_ref=self._account(),
                opened_connection_refs=[traffic_id] if traffic_id else [],
                parent_ref=parent_id,
            )

    def _add(self, kind: str, **fields: object) -> str:
        found = present(**fields)
        named = {name: found[name] for name in _CONTRIBUTING[kind] if name in found}
        return self._put(kind, uuid.uuid5(_OBSERVABLE_SPACE, _canonical(named)), found)

    def _put(self, kind: str, name: uuid.UUID, fields: Object) -> str:
        object_id = f"{kind}--{name}"
        self.objects[object_id] = {
            "type": kind,
            "spec_version": SPEC_VERSION,
            "id": object_id,
            **fields,
        }
        return object_id

    def _process(self, process: Process, **more: object) -> str:
        start_ns = process.start_ns
        fields = present(
            pid=process.pid,
            created_time=None if start_ns is None else stix_time(start_ns),
            command_line=process.cmdline or process.name,
            image_ref=self._file(process.exepath) if process.exepath else None,
            **more,
        )
        # A process that executed another program, or acts on another connection, is told anew. Its
        # id has to be of version 4 (6.13), which is one for random numbers: a digest is as good.
        name = stable_id("seen", process.uid, _canonical(fields))
        return self._put("process", uuid.UUID(bytes=name.bytes, version=4), fields)

    def _account(self) -> str | None:
        uid = self._finding.number("user.uid")
        if uid is None:
            return None
        login = self._finding.text("user.name")
        return self._add("user-account", user_id=str(uid), account_login=login, account_type="unix")

    def _file_of_event(self) -> None:
        path = self._finding.file_path
        if path is None:
            return
        if self._finding.text("fd.type") == "directory":
            self._add("directory", path=path)
        else:
            self._file(path)

    def _file(self, path: str) -> str:
        folder, name = split_path(path)
        folder_id = self._add("directory", path=folder) if folder else None
        return self._add("file", name=name, parent_directory_ref=folder_id)

    def _traffic(self, connection: Connection) -> str:
        family = "ipv6" if connection.is_ipv6 else "ipv4"
        client, server = connection.client, connection.server
        return self._add(
            "network-traffic",
            src_ref=self._address(client) if client else None,
            dst_ref=self._address(server) if server else None,
            src_port=client.port if client else None,
            dst_port=server.port if server else None,
            protocols=[family, *([connection.protocol] if connection.protocol else [])],
        )

    def _address(self, endpoint: Endpoint) -> str:
        kind = "ipv6-addr" if ":" in endpoint.ip else "ipv4-addr"
        return self._add(kind, value=endpoint.ip)
