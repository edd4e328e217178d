"""`falcotrace export`: choices, files, exit codes."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from exported import RULES, export_of, write_incident
from falcotrace.capture.footer import Footer, Losses
from falcotrace.outputs.exports.formats import EXPORT_FORMATS
from small_captures import write_capture


def falcotrace(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "falcotrace", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture of which events were lost, a complete one, and rules."""
    path = tmp_path_factory.mktemp("export")
    write_incident(path)
    complete = Footer(losses=Losses(is_known=True, made_count=1))
    write_capture(path / "complete.parquet", [[{"evt.type": "openat"}]], complete).close()
    (path / "r.yaml").write_text(RULES)
    return path


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_the_command_writes_what_the_api_does(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard output and in a file, which nobody else may read."""
    monkeypatch.chdir(folder)
    expected = export_of([Path("incident.parquet")], name)
    arguments = ("export", "incident.parquet", "-r", "r.yaml", "--format", name)
    to_pipe = falcotrace(*arguments, cwd=folder)
    to_file = falcotrace(*arguments, "-o", f"out.{name}", cwd=folder)
    written = folder / f"out.{name}"
    assert to_pipe.stdout == written.read_text() == expected
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert (to_pipe.returncode, to_file.returncode) == (3, 3)
    assert "21 alerts" in to_file.stderr
    assert "lost events: 3" in to_file.stderr


@pytest.mark.parametrize(
    ("options", "alerts"),
    [
        (["--priority", "warning"], 5),
        (["--tag", "mitre_execution"], 17),
        (["--rule", "Credential*"], 2),
        (["--disable", "Anything executed"], 7),
        (["--since", "2030-01-01"], 0),
        (["--first-match"], 20),
    ],
)
def test_rules_and_times_are_chosen_as_for_scan(
    folder: Path, options: list[str], alerts: int
) -> None:
    """The options of `scan` mean what they mean there."""
    arguments = ("incident.parquet", "-r", "r.yaml", *options)
    done = falcotrace("export", *arguments, "--format", "ecs", cwd=folder)
    scanned = falcotrace("scan", *arguments, "--format", "json", cwd=folder)
    assert len(done.stdout.splitlines()) == len(scanned.stdout.splitlines()) == alerts


def test_exit_codes(folder: Path) -> None:
    """0 where it was written, alerts or not; 3 where events were lost (see above)."""
    done = falcotrace("export", "complete.parquet", "-r", "r.yaml", "--format", "csv", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("time,hostname,priority,rule,")


def test_what_rules_cover(folder: Path) -> None:
    """A layer of the rules alone needs no capture and has the rules that never fired."""
    done = falcotrace("export", "--coverage", "-r", "r.yaml", "--format", "navigator", cwd=folder)
    layer = json.loads(done.stdout)
    assert done.returncode == 0
    scores = {one["techniqueID"]: one["score"] for one in layer["techniques"]}
    assert scores == {"T1003.008": 1, "T1055": 1, "T1059": 1, "T1059.004": 1, "T1095": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["complete.parquet"], "expected one of falco, ecs"),
        (["complete.parquet", "--format", "xml"], "'xml'"),
        (["--format", "ecs"], "expected captures"),
        (["--coverage", "--format", "ecs"], "--format navigator"),
        (["complete.parquet", "--coverage", "--format", "navigator"], "name no captures"),
        (["missing.parquet", "--format", "ecs"], "missing.parquet"),
        (["complete.parquet", "--format", "ecs", "-o", "complete.parquet"], "one of the captures"),
        (["complete.parquet", "--format", "ecs", "-o", "no/such/folder"], "cannot be written"),
        (["complete.parquet", "--format", "ecs", "-o", "/dev/null"], "is no regular file"),
    ],
)
def test_what_cannot_be_meant(folder: Path, arguments: list[str], message: str) -> None:
    """One sentence, exit code 2, no traceback, nothing written."""
    done = falcotrace("export", *arguments, "-r", "r.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    # Messages about options are wrapped in a frame.
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_files_are_whole_and_not_overwritten(folder: Path) -> None:
    """A capture that turns out to be damaged leaves no file; an old one stays without --force."""
    kept = folder / "kept.json"
    kept.write_text("old")
    options = ("-r", "r.yaml", "--format", "stix", "-o", "kept.json")
    refused = falcotrace("export", "incident.parquet", *options, cwd=folder)
    assert (refused.returncode, kept.read_text()) == (2, "old")
    assert "--force" in refused.stderr
    done = falcotrace("export", "incident.parquet", *options, "--force", cwd=folder)
    assert done.returncode == 3
    assert json.loads(kept.read_text())["type"] == "bundle"
    raw = bytearray((folder / "incident.parquet").read_bytes())
    raw[200:4000] = bytes(3800)
    (folder / "damaged.parquet").write_bytes(raw)
    damaged = falcotrace(
        *("export", "damaged.parquet", "-r", "r.yaml", "--format", "ecs", "-o", "new.json"),
        cwd=folder,
    )
    assert damaged.returncode == 2
    assert not list(folder.glob("*new.json*"))
    assert not list(folder.glob(".*"))
