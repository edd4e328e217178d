"""What this machine is: names and clocks for the footer."""

import os
import platform
import time
from pathlib import Path

from falcotrace.capture.footer import Host

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def describe_host() -> Host:
    """The machine that is being recorded."""
    machine = platform.uname()
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    return Host(
        hostname=machine.node,
        boot_id=boot_id,
        kernel=machine.release,
        architecture=machine.machine,
        cpu_count=os.cpu_count() or 0,
        boot_time_ns=boot_to_epoch_ns(),
    )


def boot_to_epoch_ns() -> int:
    """What to add to a time since boot to get one since the epoch, ns.

    The two clocks cannot be read at the same moment: of a few tries the one with the least time
    between two readings of the boot clock wins.
    """
    best: tuple[int, int] | None = None
    for _ in range(5):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        epoch = time.time_ns()
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if best is None or after - before < best[0]:
            best = (after - before, epoch - (before + after) // 2)
    assert best is not None
    return best[1]
