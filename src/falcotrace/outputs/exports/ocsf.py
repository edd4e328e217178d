"""Alerts as Detection Findings of the Open Cybersecurity Schema Framework, one a line.

Source: OCSF 1.8.0, https://schema.ocsf.io/1.8.0/classes/detection_finding (ocsf/ocsf-schema). Tags
name tactics and techniques but not which belong together, so each is an attack of its own.
"""

import re
from typing import Final

from falcotrace.outputs.cells import json_text
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import (
    Connection,
    Endpoint,
    Finding,
    Process,
    present,
    split_path,
)
from falcotrace.outputs.exports.severity import SEVERITIES
from falcotrace.rules.attack import MATRIX_URL, Attack

OCSF_VERSION: Final = "1.8.0"

_CLASS_UID: Final = 2004
_CREATE: Final = 1
_NS_PER_MS: Final = 1_000_000
_LINUX: Final = 200
_FILE_TYPES: Final = {"file": (1, "Regular File"), "directory": (2, "Folder")}
_DIRECTIONS: Final = {True: (1, "Inbound"), False: (2, "Outbound"), None: (0, "Unknown")}

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_Object = dict[str, object]


def ocsf_line(finding: Finding, context: ExportContext) -> str:
    """One alert as a Detection Finding."""
    return json_text(_document(finding, context))


def _document(finding: Finding, context: ExportContext) -> _Object:
    severity = SEVERITIES[finding.alert.priority]
    return {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": _CLASS_UID * 100 + _CREATE,
        "type_name": "Detection Finding: Create",
        "time": _milliseconds(finding.alert.time_ns),
        "severity_id": severity.ocsf_id,
        "severity": severity.ocsf_name,
        "status_id": 1,
        "status": "New",
        "is_alert": True,
        "message": finding.message,
        "metadata": _metadata(finding, context),
        "finding_info": _finding_info(finding),
        **present(evidences=_evidences(finding), device=_device(finding)),
        "unmapped": {"evt.num": str(finding.alert.num), "capture": finding.capture},
    }


def _milliseconds(time_ns: int) -> int:
    return time_ns // _NS_PER_MS


def _metadata(finding: Finding, context: ExportContext) -> _Object:
    return {
        "version": OCSF_VERSION,
        "product": {"name": "FalcoTrace", "vendor_name": "FalcoTrace", "version": context.version},
        "profiles": ["host", "container"],
        "uid": finding.uid,
        "sequence": finding.alert.num,
        **present(labels=list(finding.alert.tags)),
    }


def _finding_info(finding: Finding) -> _Object:
    rule, time = finding.rule, _milliseconds(finding.alert.time_ns)
    return {
        "uid": finding.uid,
        "title": rule.name,
        "first_seen_time": time,
        "last_seen_time": time,
        "data_sources": [finding.capture],
        "analytic": {"type_id": 1, "type": "Rule", "name": rule.name},
        **present(
            desc=rule.description.strip(),
            attacks=_attacks(finding.attack),
            related_events=[{"uid": finding.event_uid, **present(type=finding.text("evt.type"))}],
        ),
    }


def _attacks(attack: Attack) -> list[_Object]:
    found: list[_Object] = [
        {
            "tactic": {
                "uid": tactic.id,
                "name": tactic.name,
                "src_url": f"{MATRIX_URL}/tactics/{tactic.id}",
            }
        }
        for tactic in attack.tactics
    ]
    for technique in attack.techniques:
        whole = {
            "uid": technique.parent_id,
            "src_url": f"{MATRIX_URL}/techniques/{technique.parent_id}",
        }
        part = {"uid": technique.id, "src_url": technique.url}
        sub_technique = {"sub_technique": part} if technique.is_sub_technique else {}
        found.append({"technique": whole, **sub_technique})
    return found


def _evidences(finding: Finding) -> list[_Object]:
    connection, path = finding.connection, finding.file_path
    client, server = (connection.client, connection.server) if connection else (None, None)
    found = present(
        process=_process_of_event(finding),
        file=_file(path, finding.text("fd.type")) if path else None,
        connection_info=_connection_info(connection) if connection else None,
        src_endpoint=_endpoint(client) if client else None,
        dst_endpoint=_endpoint(server) if server else None,
    )
    named = present(name=finding.text("evt.type"), uid=finding.event_uid)
    return [{**named, **found}] if found else []


def _process_of_event(finding: Finding) -> _Object:
    process, parent = finding.process, finding.parent
    if process is None:
        return {}
    return {
        **_process(process),
        **present(
            tid=finding.number("thread.tid"),
            working_directory=finding.text("proc.cwd"),
            user=_user(finding),
            container=_container(finding),
            parent_process=_process(parent) if parent else None,
        ),
    }


def _process(process: Process) -> _Object:
    start_ns = process.start_ns
    return present(
        pid=process.pid,
        uid=process.uid,
        name=process.name,
        cmd_line=process.cmdline,
        created_time=None if start_ns is None else _milliseconds(start_ns),
        file=_file(process.exepath, "file") if process.exepath else None,
    )


def _file(path: str, kind: str | None) -> _Object:
    folder, name = split_path(path)
    type_id, caption = _FILE_TYPES.get(kind or "", (0, "Unknown"))
    return {
        "name": name,
        "path": path,
        "type_id": type_id,
        "type": caption,
        **present(parent_folder=folder),
    }


def _user(finding: Finding) -> _Object:
    uid = finding.number("user.uid")
    return present(uid=None if uid is None else str(uid), name=finding.text("user.name"))


def _connection_info(connection: Connection) -> _Object:
    direction_id, direction = _DIRECTIONS[connection.is_inbound]
    return {
        "direction_id": direction_id,
        "direction": direction,
        "protocol_ver_id": 6 if connection.is_ipv6 else 4,
        **present(protocol_name=connection.protocol),
    }


def _endpoint(endpoint: Endpoint) -> _Object:
    return present(ip=endpoint.ip, port=endpoint.port)


def _container(finding: Finding) -> _Object:
    container_id = finding.container_id
    if container_id is None:
        return {}
    image_id = finding.text("container.image.id") or finding.text("container.image.digest")
    name, tag = finding.text("container.image.repository"), finding.text("container.image.tag")
    return present(
        uid=container_id,
        name=finding.text("container.name"),
        runtime=finding.text("container.type"),
        pod_uuid=_uuid(finding.text("k8s.pod.uid")),
        image=present(uid=image_id, name=name, tag=tag) if image_id else None,
    )


def _uuid(text: str | None) -> str | None:
    """A text that is a UUID: static pods have a hash instead."""
    return text if text is not None and _UUID.fullmatch(text) else None


def _device(finding: Finding) -> _Object:
    host = finding.host
    if not finding.hostname:
        # A device has to have a name of some kind.
        return {}
    system = {"type_id": _LINUX, "type": "Linux", "name": "Linux"}
    return {
        "type_id": 0,
        "type": "Unknown",
        "os": {**system, **present(kernel_release=host.kernel)},
        "hostname": finding.hostname,
        **present(boot_uid=_uuid(host.boot_id)),
    }
