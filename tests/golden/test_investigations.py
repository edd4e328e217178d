"""What the commands that investigate print of the shipped capture, whole, in a pipe.

Each file of `investigate/` has the command in its first line. With FALCOTRACE_UPDATE_GOLDEN=1 in
the environment the expectations are written anew: read the diff.
"""

import os
import shlex
from pathlib import Path

import pytest

from unit.cli.test_commands import falcotrace

ROOT = Path(__file__).parents[2]
FILES = sorted((Path(__file__).parent / "investigate").glob("*.txt"))
UPDATES = os.environ.get("FALCOTRACE_UPDATE_GOLDEN") == "1"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_commands_print_what_they_printed(file: Path) -> None:
    """No answer changes unnoticed: lines, their order, their events."""
    command, _, expected = file.read_text().partition("\n")
    done = falcotrace(*shlex.split(command)[1:], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    if UPDATES:
        file.write_text(f"{command}\n{done.stdout}")
    assert done.stdout == expected
