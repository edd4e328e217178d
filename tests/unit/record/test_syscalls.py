"""The table of system calls: what the kernel side is told about each."""

import platform
import re
from pathlib import Path

import numpy as np
import pytest

from falcotrace.events.event_types import SYSCALLS
from falcotrace.record.layout import PARTS, PartKind
from falcotrace.record.syscalls import (
    ROWS,
    UNLIMITED,
    Limits,
    build_table,
    load_syscalls,
    parse_part,
    syscalls_by_number,
)


def test_numbers_agree_with_falcos_table() -> None:
    """Both tables of this project give a call the same number."""
    ours = {call.name: call.numbers.get("x86_64") for call in load_syscalls()}
    for syscall in SYSCALLS:
        if syscall.name in ours and syscall.x86_64 is not None:
            assert ours[syscall.name] == syscall.x86_64, syscall.name


@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks at this machine's headers")
def test_numbers_agree_with_the_headers() -> None:
    """The numbers are those of the kernel's own header."""
    for directory in ("/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"):
        header = Path(directory) / "unistd_64.h"
        if header.exists():
            break
    else:
        pytest.skip("needs the kernel's headers")
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", header.read_text()))
    table = {call.name: call.numbers.get("x86_64") for call in load_syscalls()}
    assert {name: table.get(name) for name in numbers} == {n: int(v) for n, v in numbers.items()}


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_each_number_is_one_call(arch: str) -> None:
    """No number stands twice, and all fit the kernel's array."""
    numbers = [call.numbers[arch] for call in load_syscalls() if arch in call.numbers]
    assert len(set(numbers)) == len(numbers) > 300
    assert max(numbers) < ROWS


def test_rows_are_possible() -> None:
    """Arguments are one of six, parts no more than a sample has room for, limits not 0."""
    for call in load_syscalls():
        arguments = [call.fd, call.second, call.pair, call.when_arg, *call.dirs]
        assert all(-1 <= arg < 6 for arg in arguments), call.name
        assert len(call.dirs) <= 2
        assert len(call.parts_sent(1)) <= PARTS, call.name
        for part in call.parts:
            assert part.arg < 6
            if part.name not in UNLIMITED | {"argv", "env"} and not part.is_buffer:
                assert 0 < part.limit <= 4096, call.name


def test_part_with_everything() -> None:
    """Kind, argument, size, limit and marks are read from one word."""
    part = parse_part("bytes3:*a4:32!")
    assert (part.kind, part.arg, part.size, part.limit) == (PartKind.BYTES, 3, "*a4", 32)
    assert part.on_success
    assert not part.decides


@pytest.mark.parametrize("word", ["", "nothing1", "text1:", "bytes1:2:3:4", "Text1"])
def test_nonsense_is_refused(word: str) -> None:
    """A mistake in the table is an error when it is read, not a silent gap in recordings."""
    with pytest.raises(ValueError, match="not a part"):
        parse_part(word)


def test_unknown_number_travels_plainly() -> None:
    """A call that the table does not know is recorded with its numbers and nothing else."""
    row = build_table("x86_64")[511]
    assert row["data_when"] == 0
    assert row["fd_arg"] == -1
    assert row["part_count"] == 0


def test_buffers_only_on_request() -> None:
    """Contents do not leave the kernel unless they are asked for, and then up to the limit."""
    write = next(call for call in load_syscalls() if call.name == "write").numbers["x86_64"]
    assert build_table("x86_64")[write]["part_count"] == 0
    row = build_table("x86_64", Limits(data=80))[write]
    assert (row["part_count"], row["data_when"]) == (1, 1)
    # 2: left out while the ring is filling.
    assert row["part"][0].tolist()[:5] == (PartKind.BYTES, 1, 1, 2, 80)


def test_sizes() -> None:
    """A size is a number, the result, an argument, or pointed to."""
    calls = syscalls_by_number("x86_64")
    table = build_table("x86_64", Limits(data=80))
    rules = {
        calls[number].name: table[number]["part"][0].tolist()[:5]
        for number in calls
        if table[number]["part_count"]
    }
    assert rules["setrlimit"][2:] == (0, 0, 16)
    assert rules["read"][2:] == (1, 2, 80)
    assert rules["connect"][2:] == (8 + 2, 0, 128)
    assert rules["recvfrom"][2:] == (16 + 5, 1, 128)


def test_commands_with_descriptors_as_results() -> None:
    """Only some commands of fcntl and bpf return a descriptor."""
    numbers = {call.name: number for number, call in syscalls_by_number("x86_64").items()}
    row = build_table("x86_64")[numbers["fcntl"]]
    assert (row["when_arg"], row["when_below_64"], row["when_value"]) == (1, 1, 1030)
    row = build_table("x86_64")[numbers["bpf"]]
    assert row["when_below_64"] & np.uint64(1 << 5)
    assert not row["when_below_64"] & np.uint64(1 << 2)


def test_parts_of_some_commands_only() -> None:
    """What an argument points to may depend on the command: bits of its values, and a shift."""
    numbers = {call.name: number for number, call in syscalls_by_number("x86_64").items()}
    table = build_table("x86_64")
    rules = table[numbers["quotactl"]]["part"]
    assert rules[0]["when_mask"] == 0
    assert (rules[1]["when_arg"], rules[1]["when_shift"], rules[1]["when_mask"]) == (0, 8, 1 << 2)
    assert table[numbers["semop"]]["part"][1]["when_mask"] == (1 << 64) - 4
    with pytest.raises(ValueError, match="values are below 64"):
        parse_part("text1@0=64")
