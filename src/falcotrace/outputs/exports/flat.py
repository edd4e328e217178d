"""An alert and its event as one flat row, for timelines and spreadsheets.

In: a finding. Out: columns by name, each with one text, one number, a list of texts, or nothing.
"""

from typing import Final

from falcotrace.outputs.exports.finding import Endpoint, Finding, Process
from falcotrace.outputs.times import iso_time

Cell = str | int | list[str] | None

COLUMNS: Final = (
    *("time", "hostname", "priority", "rule", "description", "tags"),
    *("attack_tactic", "attack_technique", "capture", "event_number", "event_type", "result"),
    *("user", "login_user", "pid", "process_name", "executable", "command_line"),
    *("working_directory", "process_id", "parent_pid", "parent_name", "parent_command_line"),
    *("parent_process_id", "ancestors", "file_path", "source_path", "descriptor", "protocol"),
    *("source_ip", "source_port", "destination_ip", "destination_port", "container_id"),
    *("container_name", "container_image", "k8s_namespace", "k8s_pod"),
)
"""The columns of a row, in order; `source_ip` is the client's end of a connection."""


def flat_row(finding: Finding) -> dict[str, Cell]:
    """One alert as a row with all of `COLUMNS`."""
    cells = {
        **_of_alert(finding),
        **_of_process(finding.process, ""),
        **_of_process(finding.parent, "parent_"),
        **_of_target(finding),
    }
    return {column: cells.get(column) for column in COLUMNS}


def _of_alert(finding: Finding) -> dict[str, Cell]:
    alert, attack = finding.alert, finding.attack
    return {
        "time": iso_time(alert.time_ns),
        "hostname": finding.hostname,
        "priority": alert.priority.title,
        "rule": finding.rule.name,
        "description": finding.message,
        "tags": list(alert.tags),
        "attack_tactic": [tactic.name for tactic in attack.tactics],
        "attack_technique": [technique.id for technique in attack.techniques],
        "capture": finding.capture,
        "event_number": alert.num,
        "event_type": finding.text("evt.type"),
        "result": finding.text("evt.res"),
        "user": finding.text("user.name"),
        "login_user": finding.text("user.loginname"),
        "working_directory": finding.text("proc.cwd"),
        "ancestors": finding.texts("proc.aname"),
    }


def _of_process(process: Process | None, prefix: str) -> dict[str, Cell]:
    if process is None:
        return {}
    return {
        f"{prefix}pid": process.pid,
        f"{prefix}process_id": process.uid,
        f"{prefix or 'process_'}name": process.name,
        f"{prefix}executable": process.exepath,
        f"{prefix}command_line": process.cmdline,
    }


def _of_target(finding: Finding) -> dict[str, Cell]:
    connection, container_id = finding.connection, finding.container_id
    cells: dict[str, Cell] = {
        "file_path": finding.file_path,
        "source_path": finding.text("fs.path.source"),
        "descriptor": finding.text("fd.name"),
        "k8s_namespace": finding.text("k8s.ns.name"),
        "k8s_pod": finding.text("k8s.pod.name"),
    }
    if connection:
        cells |= {
            "protocol": connection.protocol,
            **_of_endpoint(connection.client, "source_"),
            **_of_endpoint(connection.server, "destination_"),
        }
    if container_id:
        cells |= {
            "container_id": container_id,
            "container_name": finding.text("container.name"),
            "container_image": finding.text("container.image.repository"),
        }
    return cells


def _of_endpoint(endpoint: Endpoint | None, prefix: str) -> dict[str, Cell]:
    return {f"{prefix}ip": endpoint.ip, f"{prefix}port": endpoint.port} if endpoint else {}
