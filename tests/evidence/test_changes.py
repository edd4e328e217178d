"""Any changed byte of a sealed capture is found, and what it belongs to is named."""

import dataclasses
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import duckdb
import msgspec
import polars
import pyarrow.parquet as pq
import pytest

from chained_captures import CAPTURES, Layout, chain_anew, chain_in_groups, write_unchained
from falcotrace.capture.chain import NO_HEAD, ChainBuilder, Link
from falcotrace.capture.footer import METADATA_KEY, encode_footer
from falcotrace.capture.parquet.file import MAGIC
from falcotrace.capture.reader import open_capture, read_footer
from falcotrace.capture.writer import CaptureWriter, begins
from falcotrace.errors import CaptureError
from falcotrace.evidence.findings import Finding, Place, Status, Verdict
from falcotrace.evidence.verify import verify_capture

GROUPS = {"first_light": 5, "intrusion": 3, "ordinary": 1, "shop_network": 8}
FLIPS = 250
"""Of each capture."""


@pytest.fixture(scope="module", params=sorted(GROUPS))
def sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture that ships, with a chain."""
    name = request.param
    target = tmp_path_factory.mktemp("sealed") / f"{name}.parquet"
    chain_anew(CAPTURES / f"{name}.parquet", target, GROUPS[name])
    return target


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with eight row groups."""
    target = tmp_path_factory.mktemp("shop") / "shop.parquet"
    chain_anew(CAPTURES / "shop_network.parquet", target, GROUPS["shop_network"])
    return target


def names(verdict: Verdict) -> list[str]:
    """What is named as changed; row groups with their number."""
    return [_name(finding) for finding in verdict.findings]


def _name(finding: Finding) -> str:
    return f"row group {finding.row_group}" if finding.row_group else str(finding.place)


def verdict_of(folder: Path, raw: bytes) -> Verdict:
    """The verdict on these bytes."""
    path = folder / "changed.parquet"
    path.write_bytes(raw)
    return verify_capture(path)


def flipped(raw: bytes, offset: int, bit: int) -> bytes:
    """The bytes with one bit the other way."""
    changed = bytearray(raw)
    changed[offset] ^= 1 << bit
    return bytes(changed)


def test_an_untouched_capture_is_intact(sealed: Path) -> None:
    """Nothing is found where nothing was changed, and the numbers are the capture's."""
    verdict = verify_capture(sealed)
    assert (verdict.status, verdict.findings, verdict.signature) == (Status.INTACT, [], None)
    with open_capture(sealed) as capture:
        assert verdict.event_count == capture.row_count
        assert verdict.row_group_count == len(capture.row_groups)


def test_every_flipped_bit_is_found_and_named(sealed: Path, tmp_path: Path) -> None:
    """Wherever in the file it is: in pages, tables of processes, the chain, the footer, magics."""
    raw = sealed.read_bytes()
    layout = Layout(raw)
    chosen = random.Random(sealed.name)
    for _ in range(FLIPS):
        offset = chosen.randrange(len(raw))
        verdict = verdict_of(tmp_path, flipped(raw, offset, chosen.randrange(8)))
        assert (verdict.status, names(verdict)) == (Status.CHANGED, [layout.place(offset)]), offset


def test_every_byte_of_what_holds_it_together(shop: Path, tmp_path: Path) -> None:
    """The magics, the whole chain and the footer's length, byte by byte."""
    raw = shop.read_bytes()
    layout = Layout(raw)
    chosen = random.Random(1)
    places = [*range(4), *range(layout.chain, layout.footer), *range(len(raw) - 8, len(raw))]
    for offset in places:
        verdict = verdict_of(tmp_path, flipped(raw, offset, chosen.randrange(8)))
        assert (verdict.status, names(verdict)) == (Status.CHANGED, [layout.place(offset)]), offset


def test_rows_and_times_of_a_changed_row_group_are_told(shop: Path, tmp_path: Path) -> None:
    """As the capture's own footer has them."""
    raw = shop.read_bytes()
    offset = Layout(raw).groups[2] + 100
    (finding,) = verdict_of(tmp_path, flipped(raw, offset, 0)).findings
    with open_capture(shop) as capture:
        group = capture.row_groups[2]
    assert finding == Finding(
        place=Place.ROW_GROUP,
        row_group=3,
        row_count=group.row_count,
        first_num=group.first_num,
        last_num=group.last_num,
        first_time_ns=group.first_time_ns,
        last_time_ns=group.last_time_ns,
    )


def cut(raw: bytes, begin: int, end: int) -> bytes:
    """The bytes without some of them."""
    return raw[:begin] + raw[end:]


CHANGES: dict[str, tuple[Callable[[bytes, Layout], bytes], list[str]]] = {
    "cut in the footer": (lambda raw, at: raw[: at.footer + 100], ["footer"]),
    "cut by a byte": (lambda raw, _: raw[:-1], ["footer"]),
    "cut behind the chain": (lambda raw, at: raw[: at.footer], ["footer"]),
    "cut in the chain": (lambda raw, at: raw[: at.chain + 50], ["file"]),
    "cut in a row group": (lambda raw, at: raw[: at.groups[3] + 10], ["file"]),
    "cut to the magic": (lambda raw, _: raw[:4], ["file"]),
    "a byte appended": (lambda raw, _: raw + b"x", ["file"]),
    "much appended": (lambda raw, _: raw + raw[-5000:], ["file"]),
    "row groups exchanged": (
        lambda raw, at: (
            raw[: at.groups[1]]
            + raw[at.groups[2] : at.groups[3]]
            + raw[at.groups[1] : at.groups[2]]
            + raw[at.groups[3] :]
        ),
        ["row group 2", "row group 3"],
    ),
    "a row group taken out": (
        lambda raw, at: cut(raw, at.groups[4], at.groups[5]),
        ["row group 5", "file"],
    ),
    "a byte put in": (
        lambda raw, at: raw[: at.groups[6] + 7] + b"x" + raw[at.groups[6] + 7 :],
        ["row group 7", "file"],
    ),
    "the chain taken out": (lambda raw, at: cut(raw, at.chain, at.footer), ["chain"]),
    "the chain overwritten": (
        lambda raw, at: raw[: at.chain] + bytes(at.footer - at.chain) + raw[at.footer :],
        ["chain"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_larger_changes(shop: Path, tmp_path: Path, name: str) -> None:
    """Cut, appended, exchanged, taken out: found, and named as far as it can be told."""
    change, expected = CHANGES[name]
    raw = shop.read_bytes()
    changed = change(raw, Layout(raw))
    assert changed != raw
    verdict = verdict_of(tmp_path, changed)
    assert (verdict.status, names(verdict)) == (Status.CHANGED, expected)


def test_a_row_group_of_another_capture(shop: Path, tmp_path: Path) -> None:
    """Put in the place of one of the same length, with its own digest right for its bytes."""
    other = tmp_path / "other.parquet"
    chain_anew(CAPTURES / "first_light.parquet", other, 8)
    raw, strange = shop.read_bytes(), other.read_bytes()
    layout, theirs = Layout(raw), Layout(strange)
    begin, end = layout.groups[1:3]
    piece = strange[theirs.groups[1] : theirs.groups[1] + end - begin]
    verdict = verdict_of(tmp_path, raw[:begin] + piece + raw[end:])
    assert names(verdict) == ["row group 2"]
    # The whole row group and its link: its neighbours' links do not fit.
    link = theirs.links[1]
    spliced = raw[:begin] + strange[theirs.groups[1] : theirs.groups[2]] + raw[end : layout.chain]
    size = 112
    place = layout.chain + 48 + size
    chain = bytearray(raw[layout.chain : layout.footer])
    at = place - layout.chain
    source = theirs.chain + 48 + size
    chain[at : at + size] = strange[source : source + size]
    assert link.digest in chain
    verdict = verdict_of(tmp_path, spliced + bytes(chain) + raw[layout.footer :])
    assert verdict.status is Status.CHANGED
    assert "chain" in names(verdict)


def test_a_row_group_that_a_footer_made_anew_leaves_out(tmp_path: Path) -> None:
    """A Parquet file that every reader takes, with its chain as it was, or with none."""
    source = tmp_path / "whole.parquet"
    written = chain_in_groups(CAPTURES / "shop_network.parquet", source, 4)
    raw = source.read_bytes()
    layout = Layout(raw)
    footer = read_footer(source)
    target = tmp_path / "less.parquet"
    with source.open("rb") as file, CaptureWriter(target) as writer:
        for index, (begin, group) in enumerate(zip(begins(written), written, strict=True)):
            if index != 1:
                writer.copy(file.fileno(), begin, group)
        entries = [group.entry for group in writer._groups]
        less = msgspec.structs.replace(footer, row_groups=entries)
        last = writer._parquet.footer({METADATA_KEY: encode_footer(less)})
        groups = target.read_bytes()
        rows = sum(group.entry.row_count for group in writer._groups)
    for block in (raw[layout.chain : layout.footer], b""):
        target.write_bytes(groups + block + last)
        assert pq.read_metadata(target).num_rows == rows
        verdict = verify_capture(target)
        assert verdict.status is Status.CHANGED
        expected = ["row group 2", "file", "footer"] if block else ["chain"]
        assert names(verdict) == expected


def test_a_chain_made_anew_is_not_found_without_a_key(shop: Path, tmp_path: Path) -> None:
    """It says what a chain is worth: whoever makes it anew is not found out, but has another head.

    With a signature it is found (`test_signatures.py`).
    """
    raw = shop.read_bytes()
    forged = with_chain_made_anew(raw, Layout(raw).groups[2] + 100)
    verdict = verdict_of(tmp_path, forged)
    assert verdict.status is Status.INTACT
    assert verdict.head != verify_capture(shop).head


def with_chain_made_anew(raw: bytes, offset: int, after: bytes = NO_HEAD) -> bytes:
    """A byte changed by somebody who knows the format."""
    layout = Layout(raw)
    changed = flipped(raw, offset, 0)
    chain = ChainBuilder(after)
    for begin, link in zip(layout.groups, layout.links, strict=False):
        digest = sha256(changed[begin : begin + link.size_bytes]).digest()
        chain.add(Link(**{name: getattr(link, name) for name in _NUMBERS}, digest=digest))
    footer = changed[layout.footer :]
    return changed[: layout.chain] + chain.block(footer) + footer


_NUMBERS = ("size_bytes", "row_count", "first_num", "last_num", "first_time_ns", "last_time_ns")


def test_an_older_capture_has_no_chain(tmp_path: Path) -> None:
    """And that is what is said of it: neither intact nor changed."""
    path = tmp_path / "old.parquet"
    write_unchained(CAPTURES / "shop_network.parquet", path, 2)
    verdict = verify_capture(path)
    assert (verdict.status, verdict.row_group_count) == (Status.NO_CHAIN, 2)
    assert verdict_of(tmp_path, flipped(path.read_bytes(), 5000, 1)).status is Status.NO_CHAIN


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"PAR", bytes(1000), b"x" * 100 + MAGIC], ids=["", "text", "3", "0", "M"]
)
def test_what_is_no_capture_is_an_error(tmp_path: Path, raw: bytes) -> None:
    """Of one line, and not a verdict."""
    with pytest.raises(CaptureError):
        verdict_of(tmp_path, raw)
    with pytest.raises(CaptureError, match="is no regular file"):
        verify_capture(tmp_path)


def test_numbers_that_a_hostile_chain_claims(shop: Path, tmp_path: Path) -> None:
    """Sizes and counts beyond the file cost neither memory nor time."""
    raw = shop.read_bytes()
    layout = Layout(raw)
    for begin in range(layout.chain + 40, layout.footer - 8, 8):
        for number in (0, (1 << 64) - 1, 1 << 63, 1 << 40, 1 << 31):
            changed = raw[:begin] + number.to_bytes(8, "little") + raw[begin + 8 :]
            verdict = verdict_of(tmp_path, changed)
            assert (verdict.status is Status.CHANGED) == (changed != raw)


def test_events_that_a_hostile_chain_claims(shop: Path, tmp_path: Path) -> None:
    """A chain that is whole may say any number of rows; the answer is still JSON."""
    raw = shop.read_bytes()
    layout = Layout(raw)
    chain = ChainBuilder()
    for link in layout.links:
        chain.add(dataclasses.replace(link, row_count=(1 << 64) - 1, last_time_ns=-(1 << 63)))
    footer = raw[layout.footer :]
    verdict = verdict_of(tmp_path, raw[: layout.chain] + chain.block(footer) + footer)
    assert msgspec.json.decode(msgspec.json.encode(verdict))["event_count"] == (1 << 63) - 1


def test_other_tools_do_not_see_the_chain(sealed: Path) -> None:
    """Readers of Parquet find the same rows as before."""
    with open_capture(sealed) as capture:
        count = capture.row_count
    assert pq.read_table(sealed, columns=["evt.num"]).num_rows == count
    query = f"SELECT count(*), count(DISTINCT evt.num) FROM '{sealed}'"
    found = duckdb.connect().execute(query).fetchall()
    assert found == [(count, count)]
    assert polars.scan_parquet(sealed).select(polars.len()).collect().item() == count
