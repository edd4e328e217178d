"""Whatever was recorded: exports are well-formed, and nothing acts on who looks at them."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exported import FORMATS, HOSTILE, exported, plan, write_incident
from falcotrace.outputs.cells import FORMULA_BEGINS
from falcotrace.outputs.escape import for_terminal, readable
from falcotrace.outputs.exports.formats import EXPORT_FORMATS

LINES = ("falco", "ecs", "ocsf", "timesketch")
SPELLED = {readable(text) for text in HOSTILE}
ALERTS = len(HOSTILE) + 7


def documents(name: str) -> list[object]:
    """What a JSON parser reads."""
    text = exported(name)
    return [json.loads(line) for line in text.splitlines()] if name in LINES else [json.loads(text)]


def texts_in(value: object) -> Iterator[str]:
    """All texts, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts_in(one)


def test_every_format_is_tried() -> None:
    """A format that is added is tried here."""
    assert set(FORMATS) == set(EXPORT_FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_moves_the_cursor(name: str) -> None:
    """Every line of every format is printable: files are looked at in terminals."""
    text = exported(name)
    assert text.endswith("\n")
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", LINES)
def test_a_line_for_each_alert(name: str) -> None:
    """A line end in a value makes no second line."""
    assert len(documents(name)) == ALERTS


@pytest.mark.parametrize("name", ["falco", "ecs", "ocsf", "sarif", "timesketch", "stix"])
def test_values_are_kept(name: str) -> None:
    """A parser gets each hostile command line as it was; bytes that are no UTF-8 are spelled."""
    found = {text for document in documents(name) for text in texts_in(document)}
    assert found >= SPELLED


@pytest.mark.parametrize("name", ["ecs", "ocsf", "sarif", "timesketch"])
def test_messages_are_for_people(name: str) -> None:
    """What is shown as a sentence has no control characters even after decoding."""
    keys = {"ecs": "message", "ocsf": "message", "timesketch": "message"}
    if name == "sarif":
        (log,) = documents(name)
        assert isinstance(log, dict)
        messages = [one["message"]["text"] for one in log["runs"][0]["results"]]
    else:
        messages = [one[keys[name]] for one in documents(name) if isinstance(one, dict)]
    assert len(messages) == ALERTS
    assert all(message.isprintable() for message in messages)


def test_sarif_messages_hold_no_links_and_no_placeholders() -> None:
    """A command line cannot put a link into a viewer, nor take an argument's place."""
    (log,) = documents("sarif")
    assert isinstance(log, dict)
    texts = [result["message"]["text"] for result in log["runs"][0]["results"]]
    assert not any("](" in text for text in texts)
    assert not any("{" in text.replace("{{", "") for text in texts)
    assert any("{{print}} [click]\\(http" in text for text in texts)


def test_spreadsheets_compute_nothing() -> None:
    """No cell of CSV begins as a formula does; all else is there, escaped."""
    rows = list(csv.DictReader(io.StringIO(exported("csv"))))
    assert len(rows) == ALERTS
    cells = [cell for row in rows for cell in row.values()]
    assert not any(cell.lstrip().startswith(FORMULA_BEGINS) for cell in cells)
    commands = {row["command_line"].removeprefix("'") for row in rows}
    assert commands >= {for_terminal(text) for text in HOSTILE}


@pytest.mark.parametrize("name", FORMATS)
def test_on_a_terminal(tmp_path: Path, name: str) -> None:
    """What the command itself draws: nothing but line ends acts on the terminal."""
    write_incident(tmp_path)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "falcotrace", "export", "incident.parquet", "--format", name]
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, cwd=tmp_path) as run:
        os.close(slave)
        drawn = b""
        try:
            while piece := os.read(master, 65536):
                drawn += piece
        except OSError:  # the terminal is gone when its last user is
            pass
        run.wait(60)
    os.close(master)
    assert all(line.isprintable() for line in drawn.decode().split("\r\n"))
    assert run.returncode == 3


def test_rules_of_this_test_fire() -> None:
    """The incident has alerts of every rule but the one that never fires."""
    fired = {document["rule"] for document in documents("falco") if isinstance(document, dict)}
    assert fired == {rule.name for rule in plan().rules} - {"Never"}
