"""Fixture files and captures that are meant to hurt: one clear error and exit code 2."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile_capture import write_hostile

MEMORY_LIMIT_BYTES = 4 << 30
"""Address space of the command: an allocation that follows the input fails the test."""

RULES = """
- rule: Secret opened
  desc: d
  condition: evt.type = openat and fd.name = /etc/shadow and not proc.name startswith x
  output: o
  priority: INFO
"""
HEAD = "fixtures:\n- {rule: Secret opened, capture: ../c.parquet, fires: "


def alias_bomb() -> str:
    """Nine lines that stand for a billion conditions."""
    lines = [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10 if n else ['x'] * 10)}]" for n in range(9)
    ]
    return "\n".join(lines) + "\nfixtures: *a8\n"


def bomb_of_conditions() -> str:
    """The same, as conditions of one fixture."""
    inner = ", ".join(["&a [" + ", ".join(["x"] * 1000) + "]"] + ["*a"] * 1000)
    return f"{HEAD}[{inner}]}}\n"


def deep_yaml() -> str:
    """YAML nested ten thousand deep."""
    return "fixtures: " + "[" * 10_000 + "]" * 10_000 + "\n"


def deep_condition() -> str:
    """A condition nested ten thousand deep."""
    return f"{HEAD}['{'(' * 10_000}proc.name=a{')' * 10_000}']}}\n"


def list_of_millions() -> str:
    """A list of a fixture with more items than a condition may have."""
    items = ", ".join(["aaaaaaaa"] * 600_000)
    return f"{HEAD}[proc.name=a], lists: {{l: [{items}]}}}}\n"


def huge_file() -> str:
    """Fifty megabytes of captures."""
    return "benign:\n" + "  - ../c.parquet\n" * 3_400_000


def not_utf8() -> bytes:
    """Bytes that are no text."""
    return b"benign: [\xff\xfe]\n"


def nul_in_a_name() -> str:
    """A capture whose name no file can have."""
    return 'benign: ["a\\0b"]\n'


def device() -> str:
    """A capture that never ends."""
    return "benign: [/dev/zero]\n"


CASES: list[Callable[[], str | bytes]] = [
    alias_bomb,
    bomb_of_conditions,
    deep_yaml,
    deep_condition,
    list_of_millions,
    huge_file,
    not_utf8,
    nul_in_a_name,
    device,
]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command, with a limit of memory."""
    return subprocess.run(
        [sys.executable, "-m", "falcotrace", "rules", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES)
        ),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules, and a capture of which every text is hostile."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "fixtures").mkdir()
    write_hostile(tmp_path / "c.parquet").close()
    return tmp_path


@pytest.mark.parametrize("make", CASES, ids=lambda case: case.__name__)
def test_hostile_fixtures_get_one_clear_error(
    make: Callable[[], str | bytes], folder: Path
) -> None:
    """No traceback, no hang, no unbounded allocation: an error with a code and a place."""
    content = make()
    path = folder / "fixtures" / "one.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run(folder, "test", "rules.yaml")
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "error[LOAD_ERR" in done.stderr
    assert "one.yaml" in done.stderr
    assert len(done.stderr) < 5_000


@pytest.mark.parametrize("output_format", ["table", "json", "tap", "junit"])
def test_recorded_text_cannot_speak_to_the_terminal(folder: Path, output_format: str) -> None:
    """What stood in the way is told with the attacker's values, as plain characters."""
    (folder / "fixtures" / "one.yaml").write_text(f"{HEAD}[fd.name=/etc/shadow and evt.num=-1]}}\n")
    done = run(folder, "test", "rules.yaml", "--format", output_format)
    assert done.returncode == 1, done.stderr
    assert all(line.replace("\t", "").isprintable() for line in done.stdout.splitlines())
    assert "pwned" in done.stdout


def test_hostile_values_are_tuned_away_or_left(folder: Path) -> None:
    """The file that is proposed loads, and its rule has the alerts that were promised."""
    done = run(folder, "tune", "--baseline", "c.parquet", "-r", "rules.yaml", "-o", "t.yaml")
    assert done.returncode in {0, 1}, done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert all(line.isprintable() for line in (folder / "t.yaml").read_text().splitlines())
    checked = run(folder, "check", "rules.yaml", "t.yaml")
    assert checked.stdout.startswith("1 rules (1 enabled), 0 errors"), checked.stdout
