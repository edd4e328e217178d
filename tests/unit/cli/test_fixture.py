"""`falcotrace fixture`: choices, what it prints, errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cuts import SHIPPED
from small_captures import write_capture

RULES = """
- rule: Anything read
  desc: d
  condition: evt.type=openat
  output: read %fd.name
  priority: NOTICE
- rule: Told apart
  enabled: false
  desc: d
  condition: evt.type=openat and fd.name=/etc/shadow
  output: read %fd.name
  priority: NOTICE
- rule: Never
  desc: d
  condition: evt.type=openat and fd.name=/nowhere
  output: read %fd.name
  priority: NOTICE
"""


def falcotrace(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "falcotrace", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a capture and rules."""
    names = ["/etc/shadow", "/etc/passwd", "/home/ann/customers"]
    process = {"proc.name": "cat", "proc.pid": 7, "proc.start": 5}
    rows = [{"evt.type": "openat", "fd.name": name, **process} for name in names]
    write_capture(tmp_path / "s.parquet", [rows]).close()
    (tmp_path / "r.yaml").write_text(RULES)
    return tmp_path


def test_what_it_writes_proves_the_rule(folder: Path) -> None:
    """From an alert to `rules test`, with two commands; another one is appended."""
    chosen = ("fixture", "s.parquet", "-r", "r.yaml", "--fixtures", "fixtures.yaml")
    done = falcotrace(*chosen, "--alert", "3", "-o", "c.parquet", "--redact", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("- rule: Anything read\n  capture: c.parquet\n  fires:\n")
    assert "c.parquet: 1 of 3 events" in done.stderr
    assert "fires 1 time on it, in replay and in DuckDB" in done.stderr
    assert "customers" not in done.stdout + done.stderr
    assert "readable as before: nothing" in done.stderr
    done = falcotrace(*chosen, "--rule", "told apart", "-o", "d.parquet", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "--redact replaces them" in done.stderr
    tested = ("rules", "test", "r.yaml", "--fixtures", "fixtures.yaml", "--json")
    proof = json.loads(falcotrace(*tested, cwd=folder).stdout)
    verdicts = {rule["rule"]: rule["verdict"] for rule in proof["rules"]}
    assert verdicts == {"Anything read": "fired", "Told apart": "fired", "Never": "untested"}


def test_json(folder: Path) -> None:
    """One document for programs."""
    chosen = ("fixture", "s.parquet", "-r", "r.yaml", "--rule", "Anything read", "--event", "1")
    done = falcotrace(*chosen, "--event", "2", "-o", "c.parquet", "--json", cwd=folder)
    told = json.loads(done.stdout)
    assert (told["events"], told["source_events"], told["alerts"]) == (2, 3, [1, 2])
    assert told["redacted"] is None
    assert told["entry"]["capture"] == "c.parquet"


def test_a_scap_file(shared: Path, tmp_path: Path) -> None:
    """It is imported for the purpose, and nothing of that is left."""
    source = shared / "oracle" / "captures" / "t_memfd.scap.gz"
    done = falcotrace("fixture", str(source), "--alert", "1", "-o", "c.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
    assert falcotrace("scan", "c.parquet", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name an --alert, or a --rule"),
        (["--alert", "1", "--rule", "Never"], "name an --alert, or a --rule"),
        (["--alert", "1", "--event", "1"], "--event needs the --rule"),
        (["--alert", "9"], "there is no alert 9: the rules gave 3"),
        (["--rule", "Anything"], "no rule is called `Anything`; did you mean `Anything read`?"),
        (["--rule", "Anything read"], "fires on 1, 2, 3"),
        (["--rule", "Told apart", "--event", "2"], "not on event 2: the rule `Told apart` fires"),
        (["--rule", "Never"], "the rule `Never` does not fire; `falcotrace explain` says why"),
        (["--alert", "1", "--context", "all"], "expected none, process or tree, found 'all'"),
        (["--alert", "1", "-o", "r.yaml"], "r.yaml: exists already; --force overwrites it"),
        (["--alert", "1", "-o", "s.parquet", "--force"], "is the capture to cut"),
        (["--alert", "1", "-o", "no/c.parquet"], "cannot be written: No such file"),
        (["--alert", "1", "--fixtures", "r.yaml"], "add the printed entry by hand"),
    ],
)
def test_errors(folder: Path, arguments: list[str], message: str) -> None:
    """One sentence that says what to do, and no traceback."""
    given = [] if "-o" in arguments else ["-o", "c.parquet"]
    done = falcotrace("fixture", "s.parquet", "-r", "r.yaml", *given, *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_info_tells_that_it_is_a_cut(tmp_path: Path) -> None:
    """Of what, and that nobody knows what is missing; a scan of it is no loss."""
    source = SHIPPED / "first_light.parquet"
    falcotrace("fixture", str(source), "--alert", "1", "-o", "c.parquet", cwd=tmp_path)
    told = " ".join(falcotrace("info", "c.parquet", cwd=tmp_path).stdout.split())
    assert "cut out of 5,347 events, of which none were lost, of the capture with SHA-256" in told
    assert "lost unknown: a cut has only the events that somebody chose" in told
    scanned = falcotrace("scan", "c.parquet", "--rule", "Nothing*", cwd=tmp_path)
    assert (scanned.returncode, "lost" in scanned.stderr) == (0, False)
