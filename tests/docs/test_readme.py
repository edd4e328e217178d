"""The README's commands run, and print what it shows.

A block marked `console` holds commands behind `$ ` and below each what it prints. A line `...`
stands for any lines; figures that differ from run to run (times, sizes, numbers of a recording) are
compared as figures of the same form. Blocks marked `python` run as scripts.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
NEEDS_ROOT = ("falcotrace record", "make demo")
SKIPPED = ("make ", "git clone", "pip install", "sudo ")


_FIGURE = r"\d(?:[\d,.]*\d)?"


@dataclass(frozen=True)
class Step:
    """One command of the README and what it says that it prints."""

    command: str
    output: str


def blocks(kind: str) -> list[str]:
    """The code blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def steps() -> list[Step]:
    """All commands, in order."""
    found: list[Step] = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append(Step(command, output))
    return found


def same(shown: str, printed: str) -> bool:
    """Whether what is printed has the form of what is shown."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else _line(line) + r"\n"
        for line in shown.strip("\n").splitlines()
    )
    return re.fullmatch(pattern, printed.strip("\n") + "\n") is not None


def _line(line: str) -> str:
    """A pattern for one line: figures and their units may differ, a trailing `...` cuts it."""
    cut = line.endswith("...")
    words = re.split(_FIGURE, line.removesuffix("..."))
    pattern = _FIGURE.join(map(re.escape, words))
    pattern = re.sub(r"\b(?:Ki|Mi)B\b", "(?:Ki|Mi)B", pattern)
    pattern = re.sub(r"\bm?s\b", "m?s", pattern)
    pattern = re.sub(r"(\\ )+", r"\\s+", pattern)
    # A busy machine's recording may have a text that was cut, and says so behind the losses.
    return pattern + (".*" if cut else r"(?:; incomplete: .*)?")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a reader has after the first commands.

    Captures and rules, and a place to write.
    """
    folder = tmp_path_factory.mktemp("readme")
    for name in ("captures", "rules"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def environment() -> dict[str, str]:
    """The reader's environment: the commands of this installation on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "100"}


def can_record() -> bool:
    """Whether this machine can be recorded."""
    return os.geteuid() == 0 and Path("/sys/kernel/btf/vmlinux").exists()


def test_console_blocks_print_what_they_show(workplace: Path) -> None:
    """Every command of the README works as it stands, in its order."""
    ran = 0
    for step in steps():
        if step.command.startswith(SKIPPED):
            continue
        if any(word in step.command for word in NEEDS_ROOT) and not can_record():
            if os.environ.get("CI"):
                pytest.fail("CI's machine must be able to record")
            continue
        done = subprocess.run(
            ["bash", "-c", step.command],
            capture_output=True,
            text=True,
            cwd=workplace,
            env=environment(),
            timeout=120,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode in {0, 1, 3}, f"{step.command}\n{printed}"
        if step.output.strip():
            assert same(step.output, printed), f"{step.command} printed\n{printed}"
        ran += 1
    assert ran >= 5


def test_python_blocks_run(workplace: Path) -> None:
    """The Python of the README runs as a script."""
    scripts = blocks("python")
    assert scripts
    for script in scripts:
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            cwd=workplace,
            env=environment(),
            timeout=120,
            stdout=subprocess.DEVNULL,
        )


def test_every_command_is_in_the_readme() -> None:
    """A command that the README does not name does not exist for users."""
    from falcotrace.cli.app import app

    names = [command.name for command in app.registered_commands]
    assert all(f"falcotrace {name}" in README for name in names if name)


def test_differences_from_falco_are_listed() -> None:
    """Each `# DIFFERS:` in the code has a row in ARCHITECTURE.md, and the other way round."""
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "bpf").glob("*.[ch]")]
    marked = {file.relative_to(ROOT).as_posix() for file in files if "DIFFERS:" in file.read_text()}
    section = (ROOT / "ARCHITECTURE.md").read_text().split("## 6. Where we differ")[1]
    listed = set(re.findall(r"^\| `([^`]+)` \|", section.split("\n## ")[0], re.MULTILINE))
    assert marked == listed


def test_documents_speak_of_the_project_alone() -> None:
    """No path of a developer's machine in what is shipped."""
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text()
        assert "/work/" not in text
        assert "/root/" not in text.replace("/root/.ssh", "")
