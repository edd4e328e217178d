"""What a capture says about itself: host, recorder, losses, and where the process tables lie.

The footer is one JSON document under the key `falcotrace` of the Parquet file's metadata. It is
typed here and nowhere else; decoding is strict about types and lenient about keys that a newer
version of the same format added.
"""

from typing import Final

import msgspec

FORMAT_VERSION: Final = 1
"""Version of the file format. A newer version only adds columns and keys."""

METADATA_KEY: Final = b"falcotrace"
"""Key of the footer in the Parquet file's key/value metadata."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that was recorded; `boot_id` tells one boot from the next."""

    hostname: str = ""
    boot_id: str = ""
    kernel: str = ""
    architecture: str = ""
    cpu_count: int = 0
    boot_time_ns: int = 0


class LossInterval(msgspec.Struct, frozen=True, kw_only=True):
    """When events were lost: between two readings of the counters, a second apart as a rule.

    Attributes:
        from_ns: the reading before, ns since the epoch.
        to_ns: the reading at which they were found.
        by_class: lost events by what they are about.
    """

    from_ns: int
    to_ns: int
    by_class: dict[str, int]


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """The loss account.

    Attributes:
        is_known: whether the counters could be read; if not, the numbers mean nothing.
        is_told: whether the source keeps an account at all; `.scap` files and cuts do not.
        is_cut: events were left out on purpose (`Footer.cut_from`).
        made_count: events that the kernel made.
        lost_count: events among them that did not reach the capture.
        by_cause: lost events by cause.
        by_cpu: lost events by CPU number.
        by_class: lost events by what they are about (processes, files, reads and writes ...).
        intervals: when they were lost; empty where nobody took it down.
        incomplete: other things that were missed (a path cut, a process not described), by cause.
    """

    is_known: bool = False
    is_told: bool = True
    is_cut: bool = False
    made_count: int = 0
    lost_count: int = 0
    by_cause: dict[str, int] = msgspec.field(default_factory=dict)
    by_cpu: list[int] = msgspec.field(default_factory=list)
    by_class: dict[str, int] = msgspec.field(default_factory=dict)
    intervals: list[LossInterval] = msgspec.field(default_factory=list)
    incomplete: dict[str, int] = msgspec.field(default_factory=dict)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """How the capture was made.

    Attributes:
        tool: name and version of what wrote it.
        settings: options of the recorder, as text.
        started_ns: when recording began, ns since the epoch.
        ended_ns: when it ended, ns since the epoch.
        ended_by: why it ended; empty where nobody knows.
        first_event_ns: time of the first event that was no message of the recorder, which
            `evt.reltime` starts from; 0: the smallest `evt.time`.
        boot_to_epoch_ns: what was added to the kernel's boot clock to give time since the epoch.
        left_out_pids: processes that were left out (the recorder itself).
        event_names: events that were on; None means every event.
        cpu_time_ns: the recorder's own CPU time.
        peak_memory_bytes: the most memory that the recorder had beside the kernel's ring; 0 where
            nobody knows.
        journal_bytes: what the kernel told, before it was converted; 0 where nobody knows.
    """

    tool: str = ""
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    started_ns: int = 0
    ended_ns: int = 0
    ended_by: str = ""
    first_event_ns: int = 0
    boot_to_epoch_ns: int = 0
    left_out_pids: list[int] = msgspec.field(default_factory=list)
    event_names: list[str] | None = None
    cpu_time_ns: int = 0
    peak_memory_bytes: int = 0
    journal_bytes: int = 0


class PartlyBlind(msgspec.Struct, frozen=True, kw_only=True):
    """A process that acted past the system calls, through rings of io_uring.

    Attributes:
        pid: the host's; 0 stands for processes that were not described, and for those beyond a
            limit.
        start_ns: when it began, ns since boot.
        name: `proc.name` when it was found.
        exepath: `proc.exepath` then.
        ring_count: rings that it was seen to make or to have.
        request_count: its requests that are events of the capture.
    """

    pid: int
    start_ns: int = 0
    name: str = ""
    exepath: str = ""
    ring_count: int = 0
    request_count: int = 0


class CutFrom(msgspec.Struct, frozen=True, kw_only=True):
    """The capture that this one was cut out of: most of its events are not there.

    Attributes:
        sha256: of that capture's file, in hexadecimal digits.
        event_count: its events.
        lost_count: events that it had lost; None where its account is not known.
        context: what was kept beside the events of alerts: `none`, `process` or `tree`.
        is_redacted: whether names and contents were replaced.
    """

    sha256: str
    event_count: int = 0
    lost_count: int | None = None
    context: str = ""
    is_redacted: bool = False


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the host at the time of recording."""

    uid: int
    name: str
    gid: int = 0
    home: str = ""
    shell: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of the host at the time of recording."""

    gid: int
    name: str


class RowGroupEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Where a row group's process table lies in the file, and the span that its rows cover.

    Attributes:
        row_count: rows of the row group.
        first_num: smallest `evt.num`.
        last_num: largest `evt.num`.
        first_time_ns: smallest `evt.time`.
        last_time_ns: largest `evt.time`.
        processes_offset: first byte of the table of process states between this row group and the
            next (`capture/process_table.py`); other Parquet readers never look there.
        processes_bytes: its length; 0 if there is none, as beside small row groups, where the first
            row of each state says the same.
        process_count: its rows.
    """

    row_count: int
    first_num: int
    last_num: int
    first_time_ns: int
    last_time_ns: int
    processes_offset: int
    processes_bytes: int
    process_count: int


class Chained(msgspec.Struct, frozen=True, kw_only=True):
    """Says that a capture has a hash chain (`capture/chain.py`), and where it stands in a rotation.

    Attributes:
        series: a number of the rotation that it belongs to, in hexadecimal; empty without one.
        number: its place in the rotation, from 1; 0 without one.
        after: the head of the capture before it in the rotation, in hexadecimal; empty without one.
        changed: what was changed between its recording and its recovery.
    """

    series: str = ""
    number: int = 0
    after: str = ""
    changed: list[str] = msgspec.field(default_factory=list)


class Footer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a capture says about itself.

    Attributes:
        chained: None in captures that are older than the hash chain.
        unrecorded: columns that this kind of recording never fills: their null says nothing.
        event_counts: events by type.
        partly_blind: processes that did things which the capture does not have.
        cut_from: the capture of which this one is a part that somebody chose; None for a whole one.
    """

    format_version: int = FORMAT_VERSION
    host: Host = Host()
    recording: Recording = Recording()
    losses: Losses = Losses()
    users: list[User] = msgspec.field(default_factory=list)
    groups: list[Group] = msgspec.field(default_factory=list)
    unrecorded: list[str] = msgspec.field(default_factory=list)
    event_counts: dict[str, int] = msgspec.field(default_factory=dict)
    partly_blind: list[PartlyBlind] = msgspec.field(default_factory=list)
    cut_from: CutFrom | None = None
    chained: Chained | None = None
    row_groups: list[RowGroupEntry] = msgspec.field(default_factory=list)


def encode_footer(footer: Footer) -> bytes:
    """Serialise a footer as JSON."""
    return msgspec.json.encode(footer)


def decode_footer(raw: bytes) -> Footer:
    """Parse and check a footer.

    Raises:
        ValueError: not a footer, with what was expected and where in the document.
    """
    try:
        return msgspec.json.decode(raw, type=Footer)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
