"""What is done about a recording's files while it goes on: conversion, parts, captures on request.

In: what is due. Out: captures that were written. All of it happens in one thread, a step at a time.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from falcotrace.capture.footer import Losses
from falcotrace.errors import RecordError
from falcotrace.record.conversion import Conversion, Ending
from falcotrace.record.converter import ROW_GROUP_EVENTS
from falcotrace.record.cost import Cost
from falcotrace.record.memory import give_back
from falcotrace.record.options import RecordOptions
from falcotrace.record.parts import WrittenCapture
from falcotrace.record.spool import Spool

NANO = 10**9

_FLOWING_SECONDS = 0.05
"""How long a sample may be on its way from the kernel to the journal."""


class Upkeep:
    """Steps of a recording's conversion, and what they lead to.

    Args:
        options: what is kept.
        conversion: the conversion.
        spool: what it follows.
        account: reads the account of losses.
        cost: knows what recording costs.
    """

    def __init__(
        self,
        options: RecordOptions,
        conversion: Conversion,
        spool: Spool,
        account: Callable[[], Losses],
        cost: Cost,
    ) -> None:
        self._options = options
        self._conversion = conversion
        self._spool = spool
        self._account = account
        self._cost = cost
        self.moved_bytes = 0

    def step(self) -> list[WrittenCapture]:
        """Convert what has gathered; begin another part where this one is full."""
        self._conversion.step()
        if self._spool.written_count - self._conversion.sample_count < ROW_GROUP_EVENTS:
            # Under load the next row group needs the memory at once.
            give_back()
        limit = self._options.part_bytes
        is_full = limit is not None and self._conversion.parts.newest_bytes >= limit
        return self._begin_part(time.time_ns()) if is_full else []

    def is_part_over(self) -> bool:
        """Whether the newest part has had its time."""
        seconds = self._options.part_s
        age_ns = time.time_ns() - self._conversion.parts.newest_began_ns
        return seconds is not None and age_ns >= seconds * NANO

    def end_part(self) -> list[WrittenCapture]:
        """Convert what has happened until now, and begin another part."""
        now_ns = time.time_ns()
        self._catch_up()
        return self._begin_part(now_ns)

    def drop_oldest(self) -> list[WrittenCapture]:
        """Make room: forget the oldest part, if there is another one."""
        if self._conversion.parts.drop_first():
            self._conversion.keep_parts()
        return []

    def seal(self, path: Path, reason: str) -> WrittenCapture:
        """Make a capture of what is kept, and go on.

        Args:
            path: the capture; whoever asks has made sure that nothing is overwritten.
            reason: why.

        Raises:
            CaptureError: it cannot be written.
        """
        now_ns = time.time_ns()
        self._catch_up()
        new = path.with_name(f".{path.name}.new")
        try:
            found = self._conversion.seal(
                new, self._ending(now_ns, reason), window_start_ns(self._options, now_ns)
            )
            new.rename(path)
        except OSError as error:
            raise RecordError(f"{path} cannot be made: {error.strerror}") from None
        finally:
            new.unlink(missing_ok=True)
        return dataclasses.replace(found, path=path)

    def _begin_part(self, now_ns: int) -> list[WrittenCapture]:
        parts = self._conversion.parts
        found = self._conversion.begin_part(
            self._ending(now_ns, "rotation"), is_capture=self._options.rotates
        )
        if found is None:
            parts.drop_before(window_start_ns(self._options, now_ns))
            self._conversion.keep_parts()
            return []
        (path,) = parts.move_finished(self._options.output)
        self.moved_bytes += found.size_bytes
        return [dataclasses.replace(found, path=path)]

    def _catch_up(self) -> None:
        """Convert everything that has happened until now."""
        time.sleep(_FLOWING_SECONDS)
        position = self._spool.position
        while self._conversion.position < position and self._conversion.step():
            pass

    def _ending(self, now_ns: int, reason: str) -> Ending:
        cost = self._cost
        return Ending(now_ns, reason, self._account(), cost.cpu_time_ns, cost.peak_memory_bytes)


def window_start_ns(options: RecordOptions, now_ns: int) -> int:
    """What ended before is not kept, ns since the epoch; 0 where everything is."""
    return now_ns - int(options.window_s * NANO) if options.window_s else 0
