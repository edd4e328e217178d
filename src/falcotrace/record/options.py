"""What a recording is told, and what it tells while it goes on and when it has ended."""

from dataclasses import dataclass
from pathlib import Path

from falcotrace.alerts import Alert
from falcotrace.capture.footer import Losses
from falcotrace.errors import RecordError
from falcotrace.record.parts import WrittenCapture
from falcotrace.record.rights import Capability, needed_to_write
from falcotrace.record.room import DEFAULT_FREE_BYTES
from falcotrace.rules.plan import Plan, Priority

_PARTS_OF_WINDOW = 8
"""A window is kept in so many parts; the oldest goes when those behind it fill the window."""

_LEAST_PART_SECONDS = 2.0

_STEPS_OF_PART = 2
_MOST_SECONDS = 60.0
"""What happens is converted at least that often where old parts go or are handed out."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What to record and where to.

    Attributes:
        output: the capture to write.
        overwrite: whether a file there may be replaced.
        duration_s: when to end; None for when it is told to.
        ring_bytes: size of the kernel's ring buffer, a power of two.
        command: follow only this command and its descendants, and end with it.
        event_names: record only these events, as `evt.type` has them, and ends of processes; None:
            every event.
        data_bytes: how much of what is read and written; 0 none.
        socket_data_bytes: the same for what goes through sockets; None: as of others.
        argv_bytes: how much of a program's arguments.
        env_bytes: how much of its environment; 0 none.
        max_bytes: end before capture and journal are larger together, or with a window drop what is
            oldest; 0 no limit.
        free_bytes: the same before less room than this is left on the disk.
        window_s: keep only what happened in so many last seconds; 0: everything.
        rotate_s: go on with another capture after so many seconds; 0: never.
        rotate_bytes: the same when a capture is that large.
        plan: rules to ask while recording; None for none.
        seal_priority: an alert that is at least so severe makes a capture of what is kept; None:
            none does.
        seal_delay_s: how long after the alert, so that what follows is in it.
        gives_up_rights: whether the calling thread gives up the rights that it no longer needs when
            recording has begun, for good; the recorder's own threads always do.
    """

    output: Path
    overwrite: bool = False
    duration_s: float | None = None
    ring_bytes: int = 256 << 20
    command: tuple[str, ...] = ()
    event_names: frozenset[str] | None = None
    data_bytes: int = 0
    socket_data_bytes: int | None = None
    argv_bytes: int = 4096
    env_bytes: int = 4096
    max_bytes: int = 0
    free_bytes: int = DEFAULT_FREE_BYTES
    window_s: float = 0
    rotate_s: float = 0
    rotate_bytes: int = 0
    plan: Plan | None = None
    seal_priority: Priority | None = None
    seal_delay_s: float = 10.0
    gives_up_rights: bool = False

    def check(self) -> None:
        """Check what can be told from the options alone.

        Raises:
            RecordError: they cannot be followed; says what to do.
        """
        if self.ring_bytes < 1 << 16 or self.ring_bytes & (self.ring_bytes - 1):
            raise RecordError(
                "the buffer must be a power of two of at least 64 KiB, "
                f"found {self.ring_bytes} bytes"
            )
        if self.window_s and self.rotates:
            raise RecordError(
                "a recording either keeps its last minutes or goes on from capture to capture",
                "Take --ring or --rotate, not both.",
            )
        if self.seal_priority is not None and self.plan is None:
            raise RecordError(
                "no rules are asked while recording, so no alert can make a capture",
                "Name them with --rules.",
            )

    @property
    def needed_rights(self) -> frozenset[Capability]:
        """What is needed once recording has begun.

        Reading the counters takes the right to bpf() where others must not use it.
        """
        return self.folder_rights | {Capability.BPF}

    @property
    def folder_rights(self) -> frozenset[Capability]:
        """What is needed to write to the recording's folder, and beside it."""
        return needed_to_write(self.output.absolute().parent)

    @property
    def rotates(self) -> bool:
        """Whether it goes on from capture to capture."""
        return bool(self.rotate_s or self.rotate_bytes)

    @property
    def part_s(self) -> float | None:
        """After how many seconds another part begins; None for never."""
        if self.window_s:
            return max(_LEAST_PART_SECONDS, self.window_s / _PARTS_OF_WINDOW)
        return self.rotate_s or None

    @property
    def part_bytes(self) -> int | None:
        """The same as a size."""
        if self.window_s:
            return self.max_bytes // _PARTS_OF_WINDOW or None
        return self.rotate_bytes or None

    @property
    def step_s(self) -> float | None:
        """How long what happened may wait for its conversion; None for until much has gathered."""
        if not self.window_s and not self.rotates:
            return None
        return min(_MOST_SECONDS, (self.part_s or _MOST_SECONDS) / _STEPS_OF_PART)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording stands; `unconverted_count` samples wait for their conversion."""

    elapsed_s: float
    event_count: int
    events_per_s: float
    lost_count: int
    file_bytes: int
    unconverted_count: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recording came to, and why it ended; `exit_code` is the followed command's, or 0."""

    path: Path
    elapsed_s: float
    event_count: int
    size_bytes: int
    losses: Losses
    ended_by: str
    exit_code: int


class Observer:
    """Is told what happens while a recording goes on, in the thread that records."""

    def progressed(self, progress: Progress) -> None:
        """How far it is, a few times a second."""

    def wrote(self, capture: WrittenCapture) -> None:
        """A capture was written, and recording goes on."""

    def noted(self, text: str) -> None:
        """Something did not go as asked, and recording goes on."""

    def alerted(self, alert: Alert) -> None:
        """A rule has fired. This one is called in another thread."""
