"""A recorder that is told to stop stops, whatever it is doing at that moment."""

import subprocess
import sys

PROGRAM = """
import os, signal, threading, time
from falcotrace.record.loop import signals_taken

COUNT = 2000

with signals_taken() as signals:
    answered = threading.Semaphore(0)

    def send():
        for _ in range(COUNT):
            os.kill(os.getpid(), signal.SIGINT)
            answered.acquire()

    threading.Thread(target=send, daemon=True).start()
    for _ in range(COUNT):
        while not signals.is_stop_wanted:
            signals.wait(0.00001)
        signals.is_stop_wanted = False
        answered.release()
print("stopped")
"""


def test_a_signal_may_come_at_any_moment() -> None:
    """Thousands of them, most in the middle of a wait: none makes it wait for itself."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "stopped\n", done.stderr
