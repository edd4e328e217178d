"""What recording costs: the recorder's own CPU time and memory."""

import re
import time
from pathlib import Path

_ANONYMOUS = re.compile(rb"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_STATUS = Path("/proc/self/status")


class Cost:
    """Keeps the greatest memory that it has seen."""

    def __init__(self) -> None:
        self.peak_memory_bytes = 0

    def look(self) -> None:
        """See how much memory there is now.

        What is mapped does not count: that is the kernel's ring, twice, and programs' files.
        """
        found = _ANONYMOUS.search(_STATUS.read_bytes())
        if found:
            self.peak_memory_bytes = max(self.peak_memory_bytes, int(found.group(1)) << 10)

    @property
    def cpu_time_ns(self) -> int:
        """CPU time so far."""
        return time.process_time_ns()
