"""Alerts in the Elastic Common Schema, one JSON document a line.

Source: ECS 9.4, https://www.elastic.co/docs/reference/ecs (elastic/ecs, generated/ecs).
Fields that are not of ECS stand below `falcotrace`, so that no name of Elastic's is taken.
"""

from typing import Final

from falcotrace.outputs.cells import json_text
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Endpoint, Finding, Process, present, split_path
from falcotrace.outputs.times import iso_time
from falcotrace.rules.attack import MATRIX_URL

ECS_VERSION: Final = "9.4.0"

_CATEGORIES: Final = {
    "file": "file",
    "io_read": "file",
    "io_write": "file",
    "net": "network",
    "process": "process",
}
"""Categories of Falco's events that have one in ECS."""

_OUTCOMES: Final = {True: "success", False: "failure", None: "unknown"}
_DIRECTIONS: Final = {True: "ingress", False: "egress", None: None}

_Document = dict[str, object]


def ecs_line(finding: Finding, context: ExportContext) -> str:
    """One alert as a document."""
    return json_text(_document(finding, context))


def _document(finding: Finding, context: ExportContext) -> _Document:
    alert = finding.alert
    return {
        "@timestamp": iso_time(alert.time_ns),
        "message": finding.message,
        "tags": list(alert.tags),
        "ecs": {"version": ECS_VERSION},
        "event": _event(finding),
        "log": {
            "level": alert.priority.name.lower(),
            "syslog": {"severity": {"code": int(alert.priority), "name": alert.priority.title}},
        },
        "rule": present(name=finding.rule.name, description=finding.rule.description.strip()),
        "observer": {
            "vendor": "FalcoTrace",
            "product": "FalcoTrace",
            "version": context.version,
            "type": "sensor",
        },
        "falcotrace": {"capture": finding.capture, "evt": {"num": alert.num}},
        **present(
            host=_host(finding),
            process=_process(finding),
            user=_user(finding),
            file=_file(finding),
            container=_container(finding),
            orchestrator=_orchestrator(finding),
            threat=_threat(finding),
            related=_related(finding),
        ),
        **_network(finding),
    }


def _event(finding: Finding) -> _Document:
    category = _CATEGORIES.get(finding.text("evt.category") or "")
    return present(
        kind="alert",
        category=["intrusion_detection", *([category] if category else [])],
        type=["info"],
        action=finding.text("evt.type"),
        outcome=_OUTCOMES[finding.succeeded],
        id=finding.uid,
        sequence=finding.alert.num,
        severity=int(finding.alert.priority),
        module="falcotrace",
        dataset="falcotrace.alert",
        provider=finding.alert.source,
        reason=finding.message,
    )


def _host(finding: Finding) -> _Document:
    host = finding.host
    return present(
        name=finding.hostname,
        hostname=finding.hostname,
        architecture=host.architecture,
        boot=present(id=host.boot_id),
        os=present(type="linux", kernel=host.kernel),
    )


def _process(finding: Finding) -> _Document:
    process = finding.process
    if process is None:
        return {}
    parent = finding.parent
    return {
        **_common(process),
        **present(
            working_directory=finding.text("proc.cwd"),
            thread=present(id=finding.number("thread.tid")),
            group_leader=present(pid=finding.number("proc.pgid")),
            session_leader=present(pid=finding.number("proc.sid")),
            parent=_common(parent) if parent else None,
        ),
    }


def _common(process: Process) -> _Document:
    start_ns = process.start_ns
    return present(
        pid=process.pid,
        entity_id=process.uid,
        name=process.name,
        executable=process.exepath,
        command_line=process.cmdline,
        start=None if start_ns is None else iso_time(start_ns),
    )


def _user(finding: Finding) -> _Document:
    uid, gid = finding.number("user.uid"), finding.number("group.gid")
    return present(
        id=None if uid is None else str(uid),
        name=finding.text("user.name"),
        group=present(id=None if gid is None else str(gid), name=finding.text("group.name")),
    )


def _file(finding: Finding) -> _Document:
    path = finding.file_path
    if path is None:
        return {}
    folder, name = split_path(path)
    inode = finding.number("fd.ino")
    return present(
        path=path,
        directory=folder,
        name=name,
        type={"file": "file", "directory": "dir"}.get(finding.text("fd.type") or ""),
        inode=None if not inode else str(inode),
    )


def _network(finding: Finding) -> _Document:
    connection = finding.connection
    if connection is None:
        return {}
    return present(
        source=_endpoint(connection.client),
        destination=_endpoint(connection.server),
        network=present(
            type="ipv6" if connection.is_ipv6 else "ipv4",
            transport=connection.protocol,
            direction=_DIRECTIONS[connection.is_inbound],
        ),
    )


def _endpoint(endpoint: Endpoint | None) -> _Document:
    if endpoint is None:
        return {}
    return present(address=endpoint.ip, ip=endpoint.ip, port=endpoint.port)


def _container(finding: Finding) -> _Document:
    container_id = finding.container_id
    if container_id is None:
        return {}
    tag, digest = finding.text("container.image.tag"), finding.text("container.image.digest")
    return present(
        id=container_id,
        name=finding.text("container.name"),
        runtime=finding.text("container.type"),
        image=present(
            name=finding.text("container.image.repository"),
            tag=[tag] if tag else None,
            hash=present(all=[digest] if digest else None),
        ),
        security_context=present(privileged=finding.flag("container.privileged")),
    )


def _orchestrator(finding: Finding) -> _Document:
    pod = finding.text("k8s.pod.name")
    if pod is None:
        return {}
    return {
        "type": "kubernetes",
        **present(namespace=finding.text("k8s.ns.name")),
        "resource": present(type="pod", name=pod, id=finding.text("k8s.pod.uid")),
    }


def _threat(finding: Finding) -> _Document:
    attack = finding.attack
    if not attack:
        return {}
    techniques = list(dict.fromkeys(one.parent_id for one in attack.techniques))
    parts = [one for one in attack.techniques if one.is_sub_technique]
    tactics = attack.tactics
    technique = present(
        id=techniques,
        reference=[f"{MATRIX_URL}/techniques/{one}" for one in techniques],
        subtechnique=present(id=[one.id for one in parts], reference=[one.url for one in parts]),
    )
    tactic = present(
        id=[one.id for one in tactics],
        name=[one.name for one in tactics],
        reference=[f"{MATRIX_URL}/tactics/{one.id}" for one in tactics],
    )
    return {"framework": "MITRE ATT&CK", **present(tactic=tactic, technique=technique)}


def _related(finding: Finding) -> _Document:
    connection = finding.connection
    ends = (connection.client, connection.server) if connection else ()
    users = (finding.text("user.name"), finding.text("user.loginname"))
    return present(
        ip=list(dict.fromkeys(end.ip for end in ends if end)),
        user=list(dict.fromkeys(user for user in users if user)),
        hosts=[finding.hostname] if finding.hostname else [],
    )
