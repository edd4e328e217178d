"""The command line with `.scap` files: `import`, and `scan` of them as they are."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from falcotrace.capture.reader import open_capture
from unit.cli.test_commands import falcotrace
from unit.scap.scenarios import capture_bytes, looks, opens, reads

EVENTS = (looks(10), opens(10, 3, "secret\x1b[2J"), reads(10, 3), opens(10, 4, "/etc/shadow"))

RULES = """
- rule: Opened
  desc: d
  condition: evt.type = openat and proc.name = shell
  output: opened %fd.name
  priority: WARNING
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a `.scap` file and a rule."""
    (tmp_path / "c.scap").write_bytes(capture_bytes(EVENTS))
    (tmp_path / "r.yaml").write_text(RULES)
    return tmp_path


def scanned(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The names of files in JSON alerts."""
    return [json.loads(line)["output_fields"]["fd.name"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["c.scap", "c.scap.gz", "c.gz", "c"])
def test_import_writes_beside_the_caller(folder: Path, name: str) -> None:
    """Named as the file without its endings; the last line tells what it is."""
    data = (folder / "c.scap").read_bytes()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (folder / "elsewhere").mkdir()
    done = falcotrace("import", f"../{name}", cwd=folder / "elsewhere")
    assert (done.returncode, done.stdout) == (0, "")
    with open_capture(folder / "elsewhere" / "c.parquet") as capture:
        assert capture.row_count == 4
    assert done.stderr.startswith("c.parquet: 4 events, ")
    assert len(done.stderr.splitlines()) == 1


def test_import_does_not_overwrite_unasked(folder: Path) -> None:
    """With --force it does."""
    (folder / "x.parquet").write_bytes(b"precious")
    done = falcotrace("import", "c.scap", "-o", "x.parquet", cwd=folder)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (folder / "x.parquet").read_bytes() == b"precious"
    done = falcotrace("import", "c.scap", "-o", "x.parquet", "--force", cwd=folder)
    assert done.returncode == 0
    done = falcotrace("import", "c.scap", "-o", "c.scap", "--force", cwd=folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert (folder / "c.scap").read_bytes() == capture_bytes(EVENTS)


def test_import_of_a_damaged_file(folder: Path) -> None:
    """What is before the damage is kept; warnings and an exit code of its own say so."""
    (folder / "c.scap").write_bytes(capture_bytes(EVENTS)[:-10])
    done = falcotrace("import", "c.scap", cwd=folder)
    assert done.returncode == 3
    warning, outcome = done.stderr.splitlines()
    assert warning.startswith("warning: ")
    assert "ends within a block" in warning
    assert outcome.startswith("c.parquet: 3 events, ")


@pytest.mark.parametrize(
    ("name", "data"),
    [("missing.scap", None), ("empty.scap", b""), ("text.scap", b"hello"), ("folder", None)],
)
def test_import_of_what_is_no_capture(folder: Path, name: str, data: bytes | None) -> None:
    """One line, no traceback, and no file is left behind."""
    if data is not None:
        (folder / name).write_bytes(data)
    if name == "folder":
        (folder / name).mkdir()
    before = sorted(folder.iterdir())
    done = falcotrace("import", name, cwd=folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert name in done.stderr
    assert sorted(folder.iterdir()) == before


def test_scan_of_a_file_as_it_is(folder: Path) -> None:
    """As of its import, but nothing is written; nobody promises that nothing was lost."""
    done = falcotrace("scan", "c.scap", "-r", "r.yaml", "--format", "json", cwd=folder)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["c.scap", "r.yaml"]
    falcotrace("import", "c.scap", cwd=folder)
    of_import = falcotrace("scan", "c.parquet", "-r", "r.yaml", "--format", "json", cwd=folder)
    assert of_import.stdout == done.stdout
    assert scanned(done)[1] == "/etc/shadow"


def test_scan_of_a_clean_file(folder: Path) -> None:
    """A format without an account of losses is not taken for a lossy one."""
    (folder / "r.yaml").write_text(RULES.replace("openat", "connect"))
    for name in ("c.scap", "c.parquet"):
        done = falcotrace("scan", name, "-r", "r.yaml", cwd=folder)
        assert (done.returncode, done.stdout.splitlines()[1:]) == (0, [])
        falcotrace("import", "c.scap", cwd=folder)


def test_scan_of_a_damaged_file(folder: Path) -> None:
    """What is missing is told behind the alerts."""
    (folder / "c.scap").write_bytes(capture_bytes(EVENTS)[:-10])
    done = falcotrace("scan", "c.scap", "-r", "r.yaml", "--format", "json", cwd=folder)
    assert done.returncode == 1
    assert len(scanned(done)) == 1
    assert "ends within a block" in done.stderr


def test_other_commands_say_what_they_need(folder: Path) -> None:
    """There is nothing to look into before a `.scap` file is imported."""
    done = falcotrace("info", "c.scap", cwd=folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "falcotrace import" in done.stderr
