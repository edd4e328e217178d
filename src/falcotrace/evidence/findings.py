"""What verification says of a capture.

In: nothing. Out: types. They are the answer of `falcotrace verify --json` as they stand; times are
in ns since the epoch, digests in hexadecimal.
"""

import enum

import msgspec


class Place(enum.StrEnum):
    """What of a capture was changed."""

    BEGINNING = "beginning"
    ROW_GROUP = "row group"
    CHAIN = "chain"
    FOOTER = "footer"
    FILE = "file"
    RECORDING = "recording"
    SERIES = "series"


class Status(enum.StrEnum):
    """Whether a capture is as it was sealed."""

    INTACT = "intact"
    CHANGED = "changed"
    NO_CHAIN = "no chain"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is not as it was sealed.

    Attributes:
        place: what it is about.
        text: what was found, in words; empty where the place says it all.
        row_group: which one, from 1; 0 for none.
        row_count: its rows.
        first_num: its smallest `evt.num`.
        last_num: its largest `evt.num`.
        first_time_ns: its smallest `evt.time`.
        last_time_ns: its largest `evt.time`.
    """

    place: Place
    text: str = ""
    row_group: int = 0
    row_count: int = 0
    first_num: int = 0
    last_num: int = 0
    first_time_ns: int = 0
    last_time_ns: int = 0


class SignatureFound(msgspec.Struct, frozen=True, kw_only=True):
    """A signature beside a capture.

    Attributes:
        fingerprint: of the key, as `ssh-keygen -l` prints it; empty where it cannot be read.
        key_type: such as `ssh-ed25519`.
        is_checked: whether it could be checked at all.
        is_valid: whether that key has signed these bytes.
        is_trusted: whether the key is one of those that were named; None: none was.
        principals: whose key it is, as the allowed signers say.
        problem: why it is not valid or not trusted; empty if it is.
    """

    fingerprint: str = ""
    key_type: str = ""
    is_checked: bool = False
    is_valid: bool = False
    is_trusted: bool | None = None
    principals: list[str] = msgspec.field(default_factory=list)
    problem: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of one capture.

    Attributes:
        path: the file.
        status: of its bytes.
        findings: what was changed.
        row_group_count: row groups that the chain has.
        event_count: their events.
        head: of the chain; whoever has noted it can tell this capture from any other.
        is_recovered: whether it was made of a recording that did not come to its end.
        series: of a rotation, empty without one.
        number: its place there, from 1.
        after: the head of the capture before it there.
        goes_on: whether the rotation went on behind it.
        signature: None where there is none.
        notes: what else there is to say.
    """

    path: str
    status: Status
    findings: list[Finding] = msgspec.field(default_factory=list)
    row_group_count: int = 0
    event_count: int = 0
    head: str = ""
    is_recovered: bool = False
    series: str = ""
    number: int = 0
    after: str = ""
    goes_on: bool = False
    signature: SignatureFound | None = None
    notes: list[str] = msgspec.field(default_factory=list)

    @property
    def is_signed_well(self) -> bool:
        """Whether there is a signature, it is valid, and no key was named that did not make it."""
        found = self.signature
        return found is not None and found.is_valid and found.is_trusted is not False
