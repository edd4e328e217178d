"""A person at a terminal: types lines into a shell, waits for its prompt, reads what is asked.

In: a command to run on a new pseudo-terminal. Out: what it wrote, in a log. A line that does not
come back within its limit is interrupted, as a person would, and noted.
"""

import os
import pty
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

PROMPT = r"[\w.-]+@[\w.-]+:[^\r\n]*[$#] $"
"""The end of what Debian's shell writes when it waits for a line."""

_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07|\x1b[()=>][0-9A-B]?|\x07|\x0f")
_KEPT_BYTES = 1 << 16
_KEY_S = 0.01
_POLL_S = 0.1


class Terminal:
    """A program on a terminal of its own.

    Attributes:
        late_lines: lines that had to be interrupted.
    """

    def __init__(self, command: list[str], log: Path, answers: dict[str, str]) -> None:
        """Start it.

        Args:
            command: the program and its arguments.
            log: what it writes is appended here.
            answers: what is typed when the program's last words match.
        """
        self.late_lines: list[str] = []
        self._answers = {re.compile(asked): answer for asked, answer in answers.items()}
        self._written = b""
        self._lock = threading.Lock()
        self._log = log.open("ab", buffering=0)
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_open(self) -> bool:
        """Whether the program still has its terminal."""
        return self._reader.is_alive()

    def press(self, keys: str) -> None:
        """Type keys, one after the other."""
        for key in keys:
            try:
                os.write(self._master, key.encode())
            except OSError:
                return
            time.sleep(_KEY_S)

    def enter(self, line: str, limit_s: float, expected: str = PROMPT) -> bool:
        """Type a line and wait for what is expected; False if it had to be interrupted."""
        self._forget()
        self.press(f"{line}\r")
        if self.wait_for(expected, limit_s):
            return True
        self.late_lines.append(line)
        self.press("\x03")
        self.wait_for(PROMPT, 5)
        return False

    def wait_for(self, expected: str, limit_s: float) -> bool:
        """Wait until what was written ends so, answering what is asked."""
        pattern = re.compile(expected)
        end = time.monotonic() + limit_s
        while time.monotonic() < end and self.is_open:
            text = self._text()
            if pattern.search(text):
                return True
            for asked, answer in self._answers.items():
                if asked.search(text):
                    self._forget()
                    self.press(f"{answer}\r")
            time.sleep(_POLL_S)
        return False

    def close(self, limit_s: float = 10.0) -> None:
        """Hang up, and wait for the program; it is killed if it stays."""
        end = time.monotonic() + limit_s
        if self.is_open:
            os.kill(self.pid, signal.SIGHUP)
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                break
            time.sleep(_POLL_S)
        os.close(self._master)
        self._log.close()

    def wait_closed(self, limit_s: float) -> bool:
        """Wait until the program has left its terminal."""
        self._reader.join(limit_s)
        return not self.is_open

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self._master, 1 << 14)
            except OSError:
                return
            if not found:
                return
            with self._lock:
                self._written = (self._written + found)[-_KEPT_BYTES:]
            self._log.write(found)

    def _forget(self) -> None:
        with self._lock:
            self._written = b""

    def _text(self) -> str:
        with self._lock:
            written = self._written[-2000:]
        return _CONTROL.sub(b"", written).decode(errors="replace")


def think(mean_s: float, draw: random.Random, hold: Callable[[], None]) -> None:
    """The pause of a person between two lines; longer while the machine is to be quiet."""
    time.sleep(min(draw.expovariate(1 / mean_s), 6 * mean_s))
    hold()
