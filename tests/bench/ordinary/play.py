"""Plays ordinary work on the machine: people at their seats, visitors, and what cron and timers do.

In: a folder with a fresh `root` (`machine.new_root`), and the network namespace of
`machine.network`. Out: the logs of every seat in `FOLDER/logs`, and which lines did not come back.
"""

import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ordinary.containers import Container
from ordinary.machine import HOSTNAME, PASSWORDS, boot_command, login_command, namespace_of
from ordinary.seats import SEATS, Seat
from ordinary.sessions import Line, Session, read_session
from ordinary.terminal import Terminal, think
from ordinary.visitors import Visitors

BOOT_S, LOGIN_S, OFF_S = 120.0, 30.0, 90.0
THINKING_S = 4.0
HOLD_S = 480.0
"""The longest that the play stands still for others."""

_CLONE_NEWNET = 0x40000000
_ANSWERS = {
    r"\[sudo\] password for ops: $": PASSWORDS["ops"],
    r"\[sudo\] password for dev: $": PASSWORDS["dev"],
    r"[\r\n]Password: $": PASSWORDS["root"],
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to play.

    Attributes:
        folder: what `machine.prepare` made.
        duration_s: when nobody begins anything any more.
        seed: decides the pauses.
        pace: pauses are so many times as long.
        hold: while this file exists everybody waits.
        seats: whose seats are played, `container` for the one beside; all if empty.
    """

    folder: Path
    duration_s: float
    seed: int
    pace: float = 1.0
    hold: Path | None = None
    seats: tuple[str, ...] = ()


class Play:
    """One run of the machine."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._root = plan.folder / "root"
        self._end = time.monotonic() + plan.duration_s
        self._logs = plan.folder / "logs"
        self._logs.mkdir(exist_ok=True)
        self._told = (self._logs / "play.txt").open("a", buffering=1)

    def run(self) -> None:
        """Boot, work, and switch off."""
        console = Terminal(boot_command(self._root), self._logs / "console.txt", {})
        try:
            self._log_in_at(console)
            visitors = Visitors(self._plan.seed, self._hold)
            visitors.start()
            self._work(console)
            visitors.stop()
            console.enter("systemctl poweroff", OFF_S, r"\A(?!)")
        finally:
            if not console.wait_closed(OFF_S):
                os.kill(console.pid, signal.SIGKILL)
            console.close()

    def _log_in_at(self, console: Terminal) -> None:
        if not console.wait_for(rf"{HOSTNAME} login: $", BOOT_S):
            sys.exit(f"the machine did not boot: see {self._logs / 'console.txt'}")
        console.enter("root", LOGIN_S, r"Password: $")
        console.enter(PASSWORDS["root"], LOGIN_S)

    def _work(self, console: Terminal) -> None:
        chosen = [seat for seat in SEATS if not self._plan.seats or seat.name in self._plan.seats]
        threads = [
            threading.Thread(target=self._sit, args=(seat, console, number), daemon=True)
            for number, seat in enumerate(chosen)
        ]
        if not self._plan.seats or "container" in self._plan.seats:
            beside = Container(self._plan.folder, self._has_time, self._hold)
            threads.append(threading.Thread(target=beside.run, daemon=True))
        for thread in threads:
            thread.start()
            time.sleep(2)
        for thread in threads:
            thread.join(max(0.0, self._end + 120 - time.monotonic()))

    def _sit(self, seat: Seat, console: Terminal, number: int) -> None:
        draw = random.Random(self._plan.seed * 100 + number)
        names = list(seat.sessions)
        while names and self._has_time():
            for name in tuple(names):
                session = read_session(name)
                self._attend(seat, session, console, draw)
                if session.is_once:
                    names.remove(name)

    def _attend(self, seat: Seat, session: Session, console: Terminal, draw: random.Random) -> None:
        """Play one session, at the console or in a login of its own."""
        while not all(os.path.lexists(f"{self._root}{path}") for path in session.needs):
            if not self._has_time():
                return
            time.sleep(2)
        if not self._has_time():
            return
        self._tell(f"{seat.name}: {session.name}")
        terminal = console
        if seat.user != "console":
            log = self._logs / f"{seat.name}.txt"
            terminal = Terminal(login_command(self._plan.folder, seat.user), log, _ANSWERS)
            if not terminal.wait_for(r"[$#] $", LOGIN_S):
                self._tell(f"{seat.name}: no login")
        late = len(terminal.late_lines)
        for line in session.lines:
            if not self._has_time() or not terminal.is_open:
                break
            self._type(terminal, line, draw)
        for text in terminal.late_lines[late:]:
            self._tell(f"{seat.name}: {session.name}: late: {text}")
        if terminal is not console:
            terminal.enter("exit", LOGIN_S, r"\A(?!)") if terminal.is_open else None
            terminal.close()

    def _type(self, terminal: Terminal, line: Line, draw: random.Random) -> None:
        think(THINKING_S * self._plan.pace, draw, self._hold)
        time.sleep(line.pause_s)
        if line.is_keys:
            terminal.press(line.text)
        elif line.expected:
            terminal.enter(line.text, line.limit_s, line.expected)
        else:
            terminal.enter(line.text, line.limit_s)

    def _has_time(self) -> bool:
        return time.monotonic() < self._end

    def _hold(self) -> None:
        if self._plan.hold is not None:
            wait_while(self._plan.hold.exists, HOLD_S)

    def _tell(self, text: str) -> None:
        self._told.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")


def wait_while(condition: Callable[[], bool], limit_s: float) -> None:
    """Wait until a condition no longer holds, or for so long."""
    end = time.monotonic() + limit_s
    while condition() and time.monotonic() < end:
        time.sleep(1)


def enter_network(folder: Path) -> None:
    """Enter the network namespace of a folder's machine; the threads that follow are in it too."""
    with namespace_of(folder).open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def play(plan: Plan) -> None:
    """Play it, at low priority."""
    os.nice(10)
    enter_network(plan.folder)
    Play(plan).run()
