# ruff: noqa: INP001, S603 - a script beside others; it runs fixed programs of Debian
"""Plays a tactic while it is recorded: the steps of its script, in order.

    falcotrace record -o raw.parquet -- python3 play.py FOLDER NETWORK TACTIC

In: a folder with bundles, which `record.py` makes. Out: `pid_namespaces.json` there, which names
the namespaces whose events stay. A step is a function of the script. Where its name begins with
`host_`, `container_`, `privileged_` (the machines), it is done there by root; `internet_` is done
by others, outside. The next word may say how: `HOST_cron_` by cron, `HOST_tty_` on a terminal,
`HOST_ops_` by the user ops. A step that ends with an error ends the recording.
"""

import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from peers import serve_internet  # noqa: E402 - finds the folder above first
from sandboxes import drain, enter_network, start, write_namespaces  # noqa: E402
from stage import machine_names  # noqa: E402

SCRIPT = "/opt/tactic.sh"
STEP_S = 0.2
"""Between two steps."""

DEADLINE_S = 60
_STEP = re.compile(r"^((host|container|privileged|internet)_\w+)\(\) [{(]", re.MULTILINE)


def steps_of(tactic: str) -> list[str]:
    """Names of a tactic's steps, in order."""
    return [found[0] for found in _STEP.findall((HERE / f"{tactic}.sh").read_text())]


def play(folder: Path, tactic: str) -> None:
    """Play it; the machines go on afterwards.

    Raises:
        SystemExit: a step ended with an error.
    """
    names = machine_names(tactic)
    for name in names:
        start(folder, name)
    write_namespaces(folder, names)
    for step in steps_of(tactic):
        time.sleep(STEP_S)
        command, terminal = _command(folder, tactic, step)
        code, said = _on_terminal(command) if terminal else _run(command)
        if code:
            sys.exit(f"{step} ended with {code}: {said}")
    time.sleep(STEP_S)


def _command(folder: Path, tactic: str, step: str) -> tuple[list[str], bool]:
    """The command that does a step, and whether it has a terminal."""
    machine, how = step.split("_")[:2]
    if machine == "internet":
        return ["/bin/bash", str(HERE / f"{tactic}.sh"), step], False
    options = ["--cwd", "/root"]
    program = ["/bin/bash", SCRIPT, step]
    if how == "tty":
        options, program = [*options, "--tty"], ["/bin/bash", "-l", SCRIPT, step]
    elif how == "cron":
        program = ["/usr/local/sbin/cron", *program]
    elif how == "ops":
        options = ["--cwd", "/home/ops", "--user", "1000:1000", "--env", "HOME=/home/ops"]
    runtime = ["runc", "--root", str(folder / "runc"), "exec", *options]
    return [*runtime, machine, *program], how == "tty"


def _run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE_S,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _on_terminal(command: list[str]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    threading.Thread(target=drain, args=(ours,), daemon=True).start()
    try:
        done = subprocess.run(
            command, check=False, stdin=theirs, stdout=theirs, stderr=theirs, timeout=DEADLINE_S
        )
    finally:
        os.close(theirs)
    return done.returncode, "on a terminal"


def main() -> None:
    """The command line."""
    folder, network, tactic = sys.argv[1:]
    enter_network(network)
    serve_internet()
    play(Path(folder), tactic)


if __name__ == "__main__":
    main()
