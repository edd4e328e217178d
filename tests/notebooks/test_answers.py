"""Notebooks find what really happened in the captures that ship, and take other captures."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"

PROBE = "print('PROBE', __import__('json').dumps({}, default=str))"
"""A last cell: what the cells above it have found, as one line."""


def run(name: str, probe: str, capture: str = "") -> Any:
    """What a notebook has found, as JSON has it.

    Args:
        name: of the notebook.
        probe: an expression of its own variables.
        capture: what its first line is to say instead of the capture that ships.
    """
    book = nbformat.reads((FOLDER / f"{name}.ipynb").read_text(), as_version=4)  # type: ignore[no-untyped-call]
    first = next(cell for cell in book.cells if cell.cell_type == "code")
    if capture:
        first.source, count = re.subn(r'^CAPTURE = "[^"]*"', f'CAPTURE = "{capture}"', first.source)
        assert count == 1
    book.cells.append(nbformat.v4.new_code_cell(PROBE.format(probe)))  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        # Jupyter's own packages warn about each other.
        warnings.simplefilter("ignore")
        NotebookClient(book, timeout=120, resources={"metadata": {"path": FOLDER}}).execute()
    return json.loads(book.cells[-1].outputs[0].text.removeprefix("PROBE "))


def test_triage_chooses_the_alert_where_the_intruder_came_in() -> None:
    """Not the first alert and not the most severe one, but the one that began the story."""
    found = run("01_triage", "[first.rule.name, story['origin'], int(story['rules'])]")
    assert found == [
        "Server program started a shell or a tool",
        "status /srv/www/cgi-bin/status",
        21,
    ]


def test_root_cause_is_the_request_and_impact_the_cron_entry() -> None:
    """From the reverse connection back to the request that began it, and on to what stays."""
    found = run(
        "02_root_cause",
        "{'rule': alert.rule.name, 'paths': asked['path'].tolist(), "
        "'sides': {one.label: str(one.side) for one in graph.nodes.values()}, "
        "'stays': later[['file', 'by']].values.tolist(), 'files': changed['object'].tolist()}",
    )
    assert found["rule"] == "Standard stream redirected to a connection"
    paths = found["paths"]
    assert len(paths) == 3
    assert all(path.startswith("/report?month=' /dev/null; ") for path in paths)
    sides = found["sides"]
    assert len(sides) < 60
    peers = [label for label in sides if label.endswith("->172.18.0.2:8080")]
    assert {sides[label] for label in peers} == {"cause"}
    assert sides["/etc/cron.d/logwatch"] == "impact"
    assert ["/etc/cron.d/logwatch", "cron /usr/local/sbin/cron"] in found["stays"]
    assert {"/root/.ssh/authorized_keys", "/root/.bash_history"} <= set(found["files"])


def test_hunt_finds_every_host_and_nothing_on_quiet_days() -> None:
    """One rule of behaviour finds intruders who share no name and no address."""
    found = run(
        "03_hunt",
        "{'where': by_host[['host', 'capture']].values.tolist(), "
        "'status': {one.file: [one.status, one.alert_count] for one in found.report.files}}",
    )
    assert sorted(found["where"]) == [
        ["app-1", "intrusion.parquet"],
        ["host-1", "command_and_control.parquet"],
        ["host-1", "impact.parquet"],
        ["web-1", "first_light.parquet"],
    ]
    for quiet in ("ordinary", "benign"):
        assert found["status"][f"../captures/{quiet}.parquet"] == ["hunted", 0]


def test_network_reads_what_was_typed_into_the_shell() -> None:
    """The peer is found from alerts, and the longest conversation with it is the shell."""
    found = run(
        "04_network",
        "{'peer': PEER, 'tuple': longest.tuple_text, 'received': stream.received.decode(), "
        "'missing': stream.missing_bytes, 'paths': asked['path'].tolist(), "
        "'lanes': [[lane.program, lane.peer, *lane.names] for lane in network.lanes], "
        "'written': [written.conversation_count, len(conversations)]}",
    )
    assert found["peer"] == "203.0.113.126"
    assert found["tuple"].endswith("->203.0.113.126:443")
    typed = found["received"].splitlines()
    assert typed[0] == "unset HISTFILE"
    assert typed[-1] == "exit"
    assert "echo '* * * * * root /usr/local/bin/cleanup' > /etc/cron.d/logwatch" in typed
    assert found["missing"] == 0
    assert found["paths"].count("/work") == 3
    assert ["cleanup", "203.0.113.126:80", "static.example.net"] in found["lanes"]
    assert found["written"][0] == found["written"][1] > 5


def test_rule_that_is_written_fires_on_the_attack_alone() -> None:
    """Exceptions from the ordinary day, and what is left is what requests brought in."""
    found = run(
        "05_write_a_rule",
        "{'usual': usual, 'ordinary': len(list(ordinary.scan(rules))), 'fired': "
        "sorted(one.output_fields['proc.exepath'] for one in attack.scan(rules)), "
        "'missed': first['proc.exepath']}",
    )
    assert found["usual"] == ["/usr/bin/grep", "/usr/bin/sort"]
    assert found["ordinary"] == 0
    assert found["fired"] == ["/usr/bin/base64", "/usr/bin/chmod", "/usr/bin/id", "/usr/bin/uname"]
    assert found["missed"].startswith("/dev/shm/")


@pytest.mark.parametrize(
    ("name", "capture", "probe", "expected"),
    [
        ("01_triage", "../captures/intrusion.parquet", "capture.info[0].hostname", "app-1"),
        ("02_root_cause", "../captures/first_light.parquet", "alert.hostname", "web-1"),
        ("03_hunt", "../captures/ordinary.parquet", "[len(hits), len(found.report.files)]", [0, 1]),
        (
            "04_network",
            "../captures/first_light.parquet",
            "[PEER, len(asked)]",
            ["203.0.113.66", 0],
        ),
        ("05_write_a_rule", "../captures/first_light.parquet", "len(list(attack.scan(rules)))", 0),
    ],
)
def test_notebook_takes_another_capture(
    name: str, capture: str, probe: str, expected: object
) -> None:
    """One line is changed, and every cell runs on a capture that it knows nothing about."""
    assert run(name, probe, capture) == expected
