"""The captures that ship: complete, small, and nothing in them about the machine that recorded."""

import errno
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.capture.footer import (
    Chained,
    Footer,
    Group,
    Host,
    Losses,
    Recording,
    RowGroupEntry,
    User,
)
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.events.capabilities import CAPABILITIES
from shipped_captures import BUFFERS, CAPTURES, TALES, Tale, texts_of, words_of

RECORDERS = Path(ft.__file__).parent
PROGRAM_COLUMNS = (
    *("proc.name", "proc.pname", "proc.aname", "proc.comm", "proc.sname"),
    *("proc.vpgid_name", "proc.pgid_name", "evt.arg.comm"),
)
FOOTER_WORDS = frozenset(
    name
    for part in (Chained, Footer, Group, Host, Losses, Recording, RowGroupEntry, User)
    for name in part.__struct_fields__
)


SHIPPED = sorted(path.name for path in CAPTURES.glob("*.parquet"))
MOST_BYTES = 1_000_000
LONGEST_WORD = 60
"""What is longer between two blanks is encoded."""


@dataclass(frozen=True)
class Shipped:
    """A capture that ships, opened.

    Attributes:
        tale: what it is about.
        texts: every distinct text by column.
    """

    path: Path
    capture: Capture
    tale: Tale
    texts: dict[str, set[str]]


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Iterator[Shipped]:
    """Each capture that ships."""
    path = CAPTURES / request.param
    with open_capture(path) as opened:
        yield Shipped(path, opened, TALES[path.name], texts_of(opened))


@pytest.fixture(scope="module")
def known_words() -> frozenset[str]:
    """Words of the recorder's tables and of the captures' makers."""
    makers = [path for path in (CAPTURES / "make").rglob("*") if path.suffix != ".pyc"]
    files = [*RECORDERS.rglob("*.tsv"), *(path for path in makers if path.is_file())]
    words = words_of("\n".join(path.read_text() for path in files))
    return frozenset({*words, *FOOTER_WORDS, *errno.errorcode.values(), *CAPABILITIES})


def is_text(value: str) -> bool:
    """Whether bytes that went through a socket are something to read."""
    printable = all(character.isprintable() or character in "\r\n\t" for character in value)
    return printable and all(len(word) < LONGEST_WORD for word in value.split())


def test_every_capture_has_its_tale() -> None:
    """Whoever adds a capture says what may be in it."""
    assert set(TALES) == set(SHIPPED)


def test_capture_is_small_and_has_its_provenance(shipped: Shipped) -> None:
    """The file stays below 1 MB, and PROVENANCE.md is about this very file."""
    raw = shipped.path.read_bytes()
    assert len(raw) < MOST_BYTES
    assert hashlib.sha256(raw).hexdigest() in (CAPTURES / "PROVENANCE.md").read_text()


def test_every_program_is_of_the_tale(shipped: Shipped) -> None:
    """No process of the recording machine is there, not as an ancestor or a leader either."""
    programs, texts = shipped.tale.programs, shipped.texts
    for path in PROGRAM_COLUMNS:
        assert texts[path] <= programs | {""}, path
    by_pid = {"evt.arg.pid", "evt.arg.ptid", "evt.arg.tid", "evt.arg.pgid", "evt.arg.reaper_tid"}
    for path in by_pid:
        assert {text for text in texts[path] if not re.fullmatch(r"-?\d+", text)} <= programs, path


def test_every_path_and_address_is_of_the_tale(shipped: Shipped) -> None:
    """No folder, control group or address of the recording machine is in any text."""
    for path, values in shipped.texts.items():
        whole = "\n".join(filter(is_text, values) if path in BUFFERS else values)
        folders = re.findall(r"(?<![\w.<])/[\w./+-]*", re.sub(r"https?://[\w./-]+", "", whole))
        if path not in BUFFERS:
            strange = [item for item in folders if not shipped.tale.folders.match(item)]
            assert strange == [], path
        addresses = set(re.findall(r"\d+\.\d+\.\d+\.\d+", whole))
        assert addresses <= shipped.tale.addresses, path


def test_every_word_is_the_recorders_or_the_makers(
    shipped: Shipped, known_words: frozenset[str]
) -> None:
    """A word that the tables, the files in captures/make and the tale lack came from elsewhere.

    Names of users, hosts, folders, variables of the environment and kernels are such words.
    """
    known = known_words | set(words_of(shipped.tale.words))
    strange = {
        path: set(words_of("\n".join(filter(is_text, values) if path in BUFFERS else values)))
        - known
        for path, values in shipped.texts.items()
    }
    assert {path: words for path, words in strange.items() if words} == {}


def test_footer_names_nobody(shipped: Shipped) -> None:
    """Host, users and settings are those of the tale."""
    host, recording = shipped.capture.footer.host, shipped.capture.footer.recording
    assert (host.hostname, host.boot_id, host.boot_time_ns) == (shipped.tale.hostname, "", 0)
    assert re.fullmatch(r"[\d.]+", host.kernel)
    assert (recording.settings, recording.left_out_pids) == ({}, [])
    assert tuple(user.name for user in shipped.capture.footer.users) == shipped.tale.users


def test_capture_is_complete_and_numbered(shipped: Shipped) -> None:
    """Nothing was lost, and `evt.num` counts from 1 without gaps."""
    capture = shipped.capture
    assert capture.footer.losses.is_known
    assert capture.footer.losses.lost_count == 0
    numbers = [
        number
        for group in capture.row_groups
        for number in capture.read(group.index, ["evt.num"])["evt.num"].to_pylist()
    ]
    assert sorted(numbers) == list(range(1, capture.row_count + 1))
