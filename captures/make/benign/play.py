# ruff: noqa: INP001 - a script beside others
"""Plays what benign.parquet shows, while it is recorded.

    falcotrace record -o raw.parquet -- python3 play.py FOLDER

In: a folder with the machine's `root`. Out: `pid_namespaces.json` there, which names the namespace
whose events stay. A line that does not come back ends the recording.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tests/bench"))

from ordinary.machine import HOSTNAME, PASSWORDS, boot_command, login_command  # noqa: E402
from ordinary.play import enter_network  # noqa: E402 - finds the folder above first
from ordinary.sessions import read_session  # noqa: E402
from ordinary.terminal import Terminal  # noqa: E402

ADDRESS, LAPTOP = "192.0.2.20", "198.51.100.7"
SPACES = "pid_namespaces.json"
PAUSE_S = 0.4
LIMIT_S = 60.0
VISIT_S = 3.0
"""Between two requests of those who use the web server."""

_ANSWERS = {r"\[sudo\] password for ops: $": PASSWORDS["ops"]}


def play(folder: Path) -> list[str]:
    """Boot, work, switch off; returns the lines that did not come back."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    console = Terminal(boot_command(folder / "root"), logs / "benign_console.txt", {})
    late: list[str] = []
    is_over = threading.Event()
    try:
        if not console.wait_for(rf"{HOSTNAME} login: $", LIMIT_S):
            return ["the machine did not boot"]
        (folder / SPACES).write_text(json.dumps([_pid_namespace(console.pid)]))
        console.enter("root", LIMIT_S, r"Password: $")
        console.enter(PASSWORDS["root"], LIMIT_S)
        threading.Thread(target=_visit, args=(is_over,), daemon=True).start()
        threads = [
            threading.Thread(target=_sit, args=(folder, user, late)) for user in ("ops", "dev")
        ]
        for thread in threads:
            thread.start()
        late += _type(console, "root")
        for thread in threads:
            thread.join()
        is_over.set()
        console.enter("systemctl poweroff", 1, r"\A(?!)")
        console.wait_closed(LIMIT_S)
    finally:
        if console.is_open:
            os.kill(console.pid, signal.SIGKILL)
        console.close()
    return [line for line in late if "poweroff" not in line]


def _sit(folder: Path, user: str, late: list[str]) -> None:
    """Log in from the laptop and do what the session says."""
    command = login_command(folder, user)
    command[-1:] = ["-b", LAPTOP, f"{user}@{ADDRESS}"]
    terminal = Terminal(command, folder / "logs" / f"benign_{user}.txt", _ANSWERS)
    if not terminal.wait_for(r"[$#] $", LIMIT_S):
        late.append(f"no login of {user}")
    late += _type(terminal, user)
    terminal.enter("exit", 2, r"\A(?!)")
    terminal.close()


def _type(terminal: Terminal, name: str) -> list[str]:
    draw = random.Random(name)  # noqa: S311 - pauses, not secrets
    for line in read_session(name, HERE).lines:
        time.sleep(line.pause_s + draw.uniform(0, 2 * PAUSE_S))
        if line.is_keys:
            terminal.press(line.text)
        else:
            terminal.enter(line.text, line.limit_s, *([line.expected] if line.expected else []))
    return terminal.late_lines.copy()


def _visit(is_over: threading.Event) -> None:
    """Ask the web server for pages, as visitors and monitoring do."""
    while not is_over.wait(VISIT_S):
        with suppress(OSError):
            urllib.request.urlopen(f"http://{ADDRESS}/", timeout=2).read()


def _pid_namespace(starter: int) -> int:
    """The machine's, which is that of its first process: a child of the one that boots it."""
    own = Path("/proc/self/ns/pid").stat().st_ino
    children = Path(f"/proc/{starter}/task/{starter}/children").read_text().split()
    found = (Path(f"/proc/{child}/ns/pid").stat().st_ino for child in children)
    return next(number for number in found if number != own)


def main() -> None:
    """The command line."""
    folder = Path(sys.argv[1])
    enter_network(folder)
    late = play(folder)
    if late:
        sys.exit(f"did not come back: {'; '.join(late)}")


if __name__ == "__main__":
    main()
