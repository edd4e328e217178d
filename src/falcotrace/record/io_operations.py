"""Which operations of io_uring are recorded, and the system calls that they stand for.

In comes `io_operations.tsv`, out goes an array of the kernel side's `struct ft_operation`. To cover
another operation, write a row there.

Source: `bpf/io_uring.bpf.h`, struct ft_operation, checked by a test.
"""

import dataclasses
import functools
from importlib.resources import files
from typing import Final

import numpy as np

from falcotrace.record.layout import ARGS
from falcotrace.record.syscalls import ROWS, syscalls_by_number

OPERATIONS: Final = 64
"""Numbers of operations are below this."""

OPERATION: Final = np.dtype([("nr", "<u2"), ("source", "u1", (ARGS,))])
_MEMBERS: Final = {
    name: code
    for code, name in enumerate(("", "fd", "off", "addr", "len", "flags", "index", "addr3"))
}


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table: an operation, its call, and where the call's arguments are."""

    number: int
    name: str
    call: str
    members: tuple[str, ...]


@functools.cache
def load_operations() -> tuple[Operation, ...]:
    """Read the table."""
    text = (files("falcotrace.record") / "io_operations.tsv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        Operation(int(number), name, call, tuple(members.split()))
        for number, name, call, members in lines[1:]
    )


def build_operations(arch: str) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Make the kernel side's array for an architecture (`x86_64`, `aarch64`)."""
    numbers = {call.name: number for number, call in syscalls_by_number(arch).items()}
    table = np.zeros(OPERATIONS, OPERATION)
    table["nr"] = ROWS
    for operation in load_operations():
        row = table[operation.number]
        row["nr"] = numbers[operation.call]
        row["source"][: len(operation.members)] = [_MEMBERS[name] for name in operation.members]
    return table
