"""`falcotrace rules test` and `rules coverage`: what they print, and with which exit code."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from unit.cli.test_commands import falcotrace
from unit.fixtures.made_fixtures import made, opened

FIXTURES = """
benign: [../calm.parquet]
fixtures:
  - {rule: Hashes read, capture: ../attack.parquet, fires: [proc.name=cat]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules with fixtures that hold."""
    made(tmp_path, FIXTURES, attack=[opened("cat")], calm=[opened("su")])
    return tmp_path


def broken(folder: Path) -> None:
    """Let the fixture expect what the rule does not find."""
    path = folder / "fixtures" / "one.yaml"
    path.write_text(FIXTURES.replace("proc.name=cat", "proc.name=cat, proc.name=su"))
    (folder / "attack.parquet").unlink()
    made(folder, path.read_text(), attack=[opened("cat"), opened("su")])


def test_proven_rules_end_with_0(folder: Path) -> None:
    """A table by file, and nothing that falls short."""
    done = falcotrace("rules", "test", "rules.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "file\trules\tfired\tsilent\tfailed\tnoisy\tuntested",
        "rules.yaml\t2\t1\t1\t0\t0\t1",
        "all\t2\t1\t1\t0\t0\t1",
        "untested: Told list (disabled): no fixture shows that it fires",
    ]


def test_a_rule_that_does_not_fire_ends_with_1(folder: Path) -> None:
    """Rule, capture, what was expected and what was found stand on one line."""
    broken(folder)
    done = falcotrace("rules", "test", "rules.yaml", cwd=folder)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("did not fire"))
    assert line.startswith(
        "did not fire: Hashes read: attack.parquet: expected an alert with proc.name=su; found: "
        "event 2 meets it; in the way: not proc.name in (readers: su, sudo) -> su; "
        "the rule fired on event 1 ("
    )
    assert line.endswith("one.yaml:4:76)")


def test_formats_for_machines_say_the_same(folder: Path) -> None:
    """JSON, TAP and JUnit tell one failure each."""
    broken(folder)
    told = {
        name: falcotrace("rules", "test", "rules.yaml", "--format", name, cwd=folder)
        for name in ("json", "tap", "junit")
    }
    assert {done.returncode for done in told.values()} == {1}
    document = json.loads(told["json"].stdout)
    assert [each["lack"] for each in document["shortcomings"]] == ["did not fire"]
    assert document["counts"] == {"fired": 0, "failed": 1, "noisy": 0, "untested": 1}
    assert told["tap"].stdout.splitlines()[1:3] == [
        "1..2",
        "not ok 1 - Hashes read: on attack.parquet",
    ]
    suites = ElementTree.fromstring(told["junit"].stdout)
    assert suites.get("failures") == "1"
    assert len(suites.findall(".//failure")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rule", "nothing like it"], "no rule is called `nothing like it`"),
        (["--engine", "spark"], "expected one of replay, duckdb, both"),
        (["--format", "xml"], "expected one of table, json, tap, junit"),
        (["--fixtures", "nowhere.yaml"], "cannot read nowhere.yaml"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(folder: Path, arguments: list[str], said: str) -> None:
    """One line that says what to do, and no traceback."""
    done = falcotrace("rules", "test", "rules.yaml", *arguments, cwd=folder)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_damaged_capture_ends_with_2(folder: Path) -> None:
    """A capture that cannot be read proves nothing, and is named."""
    (folder / "attack.parquet").write_bytes(b"PAR1 not really PAR1")
    done = falcotrace("rules", "test", "rules.yaml", cwd=folder)
    assert done.returncode == 2
    assert "attack.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_coverage_is_what_fired(folder: Path) -> None:
    """The table, and a layer in a file that is not overwritten."""
    done = falcotrace("rules", "coverage", "-r", "rules.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Credential Access\tT1003.008\t1\t0\tHashes read" in done.stdout
    layer = ("rules", "coverage", "-r", "rules.yaml", "--format", "navigator", "-o", "layer.json")
    assert falcotrace(*layer, cwd=folder).returncode == 0
    (technique,) = json.loads((folder / "layer.json").read_text())["techniques"]
    assert (technique["techniqueID"], technique["score"]) == ("T1003.008", 1)
    again = falcotrace(*layer, cwd=folder)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_tuned_rules_are_silent_and_still_proven(folder: Path) -> None:
    """The file of `rules tune` behind the rules: the baseline is quiet, the fixtures hold."""
    made(folder, FIXTURES, noise=[opened("backup"), opened("backup")])
    done = falcotrace(
        *("rules", "tune", "--baseline", "calm.parquet", "noise.parquet"),
        *("-r", "rules.yaml", "-o", "tuned.yaml"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert "silences 2 alerts (100%) in 1 capture of 1 host" in done.stderr
    rules = ("-r", "rules.yaml", "-r", "tuned.yaml")
    assert falcotrace("scan", "noise.parquet", *rules, cwd=folder).stdout == ""
    proof = falcotrace(
        *("rules", "test", "rules.yaml", "tuned.yaml", "--fixtures", "fixtures"), cwd=folder
    )
    assert proof.returncode == 0, proof.stdout
    again = falcotrace("rules", "tune", "--baseline", "noise.parquet", *rules, cwd=folder)
    assert (again.returncode, again.stdout) == (0, "")
    assert "no rule is noisy" in again.stderr


def test_tune_overwrites_no_capture(folder: Path) -> None:
    """-o with the name of a capture is refused before anything is read."""
    done = falcotrace(
        *("rules", "tune", "--baseline", "calm.parquet", "-o", "calm.parquet", "--force"),
        *("-r", "rules.yaml"),
        cwd=folder,
    )
    assert done.returncode == 2
    assert "calm.parquet" in done.stderr
