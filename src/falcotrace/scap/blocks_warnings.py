"""Warnings about a capture that could not be read as a whole.

In: messages with the byte where something was found. Out: the same as data, repeated ones counted,
for the footer and the command line.
"""

from dataclasses import dataclass

MAX_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class ScapWarning:
    """Something that was skipped, cut or damaged.

    Attributes:
        offset: the first byte concerned, in the uncompressed capture.
        message: what was found and what was done about it.
        count: how many times.
    """

    offset: int
    message: str
    count: int = 1

    def __str__(self) -> str:
        times = f" ({self.count:,} times)" if self.count > 1 else ""
        return f"{self.message}{times}, at byte {self.offset}"


class Warnings:
    """Collects warnings; a message that comes again is counted."""

    def __init__(self) -> None:
        self._by_message: dict[str, ScapWarning] = {}

    def add(self, offset: int, message: str, count: int = 1) -> None:
        """Note a message that concerns the byte `offset`."""
        if message not in self._by_message and len(self._by_message) >= MAX_MESSAGES:
            message = "further warnings"
        known = self._by_message.get(message)
        if known is not None:
            offset, count = known.offset, known.count + count
        self._by_message[message] = ScapWarning(offset, message, count)

    def all(self) -> tuple[ScapWarning, ...]:
        """The warnings so far, in the order in which they came."""
        return tuple(self._by_message.values())
