# ruff: noqa: INP001 - a script beside others
"""Gives captures that were recorded before there were hash chains one, where they lie.

In: captures. Out: the same files with a chain: every row group stays as it is, byte for byte; the
footer says that there is a chain. Their hashes in PROVENANCE.md follow. A capture that has a chain
stays as it is.

    chain.py CAPTURE ...
"""

import argparse
import hashlib
import sys
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from falcotrace.capture.chain import ChainBuilder, Link
from falcotrace.capture.footer import METADATA_KEY, Chained, Footer, encode_footer
from falcotrace.capture.parquet.file import MAGIC
from falcotrace.capture.parquet.thrift import varint
from falcotrace.capture.reader import read_footer
from falcotrace.errors import CaptureError

PROVENANCE = Path(__file__).parents[1] / "PROVENANCE.md"


def with_chain(path: Path) -> bytes:
    """The bytes of a capture with a chain.

    Raises:
        CaptureError: it is no capture, has a chain, or its row groups do not follow each other.
    """
    footer = read_footer(path)
    said = pq.read_metadata(path).metadata[METADATA_KEY]
    if footer.chained is not None:
        raise CaptureError(path, "has a chain")
    raw = path.read_bytes()
    end = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    last = _footer(path, raw[end:-8], said, footer)
    chain = ChainBuilder()
    begin = len(MAGIC)
    for entry in footer.row_groups:
        behind = entry.processes_offset + entry.processes_bytes
        digest = hashlib.sha256(raw[begin:behind]).digest()
        chain.add(Link.of(entry, behind - begin, digest))
        begin = behind
    if begin != end:
        raise CaptureError(path, "has something else between its row groups and its footer")
    return raw[:end] + chain.block(last) + last


def _footer(path: Path, raw: bytes, said: bytes, footer: Footer) -> bytes:
    """Parquet's footer with another text of ours in it: a text stands behind its length."""
    new = encode_footer(msgspec.structs.replace(footer, chained=Chained()))
    before = varint(len(said)) + said
    if raw.count(before) != 1:
        raise CaptureError(path, "has no footer of the form that FalcoTrace writes")
    raw = raw.replace(before, varint(len(new)) + new)
    return raw + len(raw).to_bytes(4, "little") + MAGIC


def main(captures: list[Path]) -> None:
    """Write the captures anew, and what PROVENANCE.md says of them."""
    for path in captures:
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        try:
            raw = with_chain(path)
        except CaptureError as error:
            sys.stdout.write(f"{error}\n")
            continue
        path.write_bytes(raw)
        text = PROVENANCE.read_text().replace(before, hashlib.sha256(raw).hexdigest())
        PROVENANCE.write_text(text)
        sys.stdout.write(f"{path}: has a chain now\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", type=Path, nargs="+")
    main(parser.parse_args().captures)
