"""What the footer says of the machine."""

import os
import time
from pathlib import Path

from falcotrace.record.host import boot_to_epoch_ns, describe_host


def test_clocks_fit_together() -> None:
    """A time since boot plus the offset is the time of day."""
    offset_ns = boot_to_epoch_ns()
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + offset_ns
    assert abs(now_ns - time.time_ns()) < 50_000_000


def test_this_machine() -> None:
    """Name, kernel, processors and the boot's own number."""
    host = describe_host()
    assert host.hostname == os.uname().nodename
    assert host.kernel == os.uname().release
    assert host.cpu_count == os.cpu_count()
    assert host.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
