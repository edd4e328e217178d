"""A recorder that is told to stop stops, whatever it is doing at that moment."""

import subprocess
import sys

PROGRAM = """
import subprocess, sys
from falcotrace.record.loop import signals_taken

SENDER = '''
import os, random, signal, time
for _ in range(5000):
    time.sleep(random.random() * 0.0004)
    os.kill(os.getppid(), signal.SIGINT)
'''
with signals_taken() as signals:
    sender = subprocess.Popen([sys.executable, "-c", SENDER])
    asked = 0
    while sender.poll() is None:
        for _ in range(50):
            if signals.is_stop_wanted:
                signals.is_stop_wanted = False
                asked += 1
            signals.wait(0.00002)
print("asked" if asked > 100 else asked)
"""


def test_a_signal_may_come_at_any_moment() -> None:
    """Thousands of them, also in the middle of a wait: none makes it wait for itself."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "asked\n", done.stderr[-2000:]
