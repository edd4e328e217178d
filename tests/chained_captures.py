"""Captures that ship, written anew with a chain and as many row groups as wanted."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from falcotrace.capture.chain import decode_chain, size_of_block
from falcotrace.capture.footer import METADATA_KEY, encode_footer
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.capture.writer import CaptureWriter, WrittenRowGroup
from falcotrace.events.columns import COLUMNS, Scope

CAPTURES = Path(__file__).parents[1] / "captures"

_EVENT_COLUMNS = tuple(
    path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS
)


def chain_anew(source: Path, target: Path, group_count: int) -> bytes:
    """Write a capture with its events in so many row groups; returns the chain's head."""
    with open_capture(source) as capture, CaptureWriter(target) as writer:
        _write_row_groups(capture, writer, group_count)
        return writer.close(capture.footer)


def chain_in_groups(source: Path, target: Path, group_count: int) -> list[WrittenRowGroup]:
    """The same; returns what was told of the row groups."""
    with open_capture(source) as capture, CaptureWriter(target) as writer:
        _write_row_groups(capture, writer, group_count)
        writer.close(capture.footer)
        return writer._groups


def write_unchained(source: Path, target: Path, group_count: int) -> None:
    """The same as captures were written before they had a chain."""
    with open_capture(source) as capture, CaptureWriter(target) as writer:
        _write_row_groups(capture, writer, group_count)
        entries = [group.entry for group in writer._groups]
        footer = msgspec.structs.replace(capture.footer, row_groups=entries, chained=None)
        writer._parquet.close({METADATA_KEY: encode_footer(footer)})
        writer._file.close()


def _write_row_groups(capture: Capture, writer: CaptureWriter, group_count: int) -> None:
    (group,) = capture.row_groups
    columns = capture.read(group.index, _EVENT_COLUMNS)
    events = {path: array for path, array in columns.items() if array.null_count < len(array)}
    processes = capture.process_table(group.index)
    order = np.argsort(np.asarray(events["evt.num"]))
    for rows in np.array_split(order, group_count):
        places = pa.array(np.sort(rows))
        writer.write_row_group(
            {path: array.take(places) for path, array in events.items()}, processes
        )


class Layout:
    """What stands where in a file with a chain.

    Attributes:
        footer: first byte behind the chain.
        chain: first byte of the chain.
        groups: first bytes of row groups, and the first byte behind the last.
    """

    def __init__(self, raw: bytes) -> None:
        self.footer = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
        size = size_of_block(raw[: self.footer])
        assert size is not None
        self.chain = self.footer - size
        self.links = decode_chain(raw[self.chain : self.footer]).links
        self.groups = [4]
        for link in self.links:
            self.groups.append(self.groups[-1] + link.size_bytes)
        assert self.groups[-1] == self.chain

    def place(self, offset: int) -> str:
        """What a byte belongs to, as `verify` calls it; row groups with their number."""
        if offset < 4:
            return "beginning"
        if offset >= self.footer:
            return "footer"
        if offset >= self.chain:
            return "chain"
        return f"row group {sum(begin <= offset for begin in self.groups)}"
