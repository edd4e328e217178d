"""The table of system calls: what the kernel side is told about each."""

import re
from pathlib import Path

import numpy as np
import pytest

from falcotrace.events.event_types import SYSCALLS
from falcotrace.record.compat_calls import (
    X32_OFFSET,
    build_compat_table,
    build_socket_calls,
    compat_by_number,
    compat_syscalls,
    load_compat_calls,
    x32_names,
)
from falcotrace.record.coverage import numbers_of
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


HEADERS = [Path("/usr/include/x86_64-linux-gnu"), Path("/usr/include")]


def _header(name: str) -> str:
    found = [path / name for path in HEADERS if (path / name).exists()]
    if not found:
        pytest.skip(f"needs the kernel's header {name}")
    return found[0].read_text()


def _numbers(text: str, prefix: str = "") -> dict[str, int]:
    pattern = rf"#define __NR_(\w+)\s+\(?{prefix}\s*\+?\s*(\d+)\)?"
    return {name: int(number) for name, number in re.findall(pattern, text)}


def test_numbers_agree_with_the_headers() -> None:
    """The numbers are those of the kernel's own header."""
    numbers = _numbers(_header("asm/unistd_64.h"))
    table = {call.name: call.numbers.get("x86_64") for call in load_syscalls()}
    assert {name: table.get(name) for name in numbers} == numbers


def test_numbers_of_arm64_agree_with_the_headers() -> None:
    """arm64 has the generic table, whose calls of two sizes are the 64-bit ones."""
    text = _header("asm-generic/unistd.h")
    wide, narrow = text.split("#if __BITS_PER_LONG == 64 && !defined(__SYSCALL_COMPAT)")[-1].split(
        "#else", 1
    )
    both = dict(re.findall(r"#define (__NR3264_\w+) (\d+)", text))
    numbers = _numbers(text.replace(wide, "").replace(narrow, ""))
    numbers |= {
        name: int(both[source])
        for name, source in re.findall(r"#define __NR_(\w+) (__NR3264_\w+)", wide)
        if source in both
    }
    others = {"syscalls", "arch_specific_syscall", "sync_file_range2", "clock_adjtime64"}
    expected = {
        name: number
        for name, number in numbers.items()
        if name not in others and not re.search(r"(time|gettime|settime)64$", name)
    }
    table = {call.name: call.numbers.get("aarch64") for call in load_syscalls()}
    assert len(expected) > 300
    assert {name: table.get(name) for name in expected} == expected


def test_numbers_of_32_bit_programs_agree_with_the_headers() -> None:
    """i386's table by the kernel's names; two calls have another form there and another name."""
    numbers = _numbers(_header("asm/unistd_32.h"))
    numbers["old_mmap"], numbers["old_select"] = numbers.pop("mmap"), numbers.pop("select")
    table = {call.name: call.numbers.get("i386") for call in load_compat_calls()}
    assert {name: table.get(name) for name in numbers} == numbers


def test_numbers_of_x32_agree_with_the_headers() -> None:
    """x32 has the 64-bit numbers, and from 512 on some of its own."""
    numbers = _numbers(_header("asm/unistd_x32.h"), r"__X32_SYSCALL_BIT")
    names = {number - X32_OFFSET: name for number, name in x32_names().items()}
    assert len(numbers) > 300
    assert {number: names.get(number) for number in numbers.values()} == {
        number: name for name, number in numbers.items()
    }


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_32_bit_calls_have_rows(arch: str) -> None:
    """Each number is one call; what travels of it are parts that both kinds of programs share."""
    calls = [
        call for call in load_compat_calls() if {"x86_64": "i386"}.get(arch, "arm") in call.numbers
    ]
    assert len(compat_by_number(arch)) == len(calls) > 380
    assert max(compat_by_number(arch)) < ROWS
    for call in compat_syscalls(arch).values():
        assert all(part.is_portable for part in call.parts), call.name
    table = build_compat_table(arch, Limits())
    number = {"x86_64": 5, "aarch64": 5}[arch]
    assert table[number]["flags"] & 1  # open's result is a descriptor


def test_socketcall_is_taken_apart() -> None:
    """Every call of socketcall has a number, those that i386 lacks one that no program can ask."""
    table = build_socket_calls()
    names = compat_by_number("x86_64")
    assert names[int(table[1])].name == "socket"
    assert [names[int(number)].name for number in table[[5, 9, 10]]] == ["accept", "send", "recv"]
    assert min(table[[5, 9, 10]]) >= 509
    assert table[0] == table[31] == ROWS


def test_chosen_32_bit_calls() -> None:
    """`--syscalls execve` records the 32-bit execve too, and no other."""
    numbers = numbers_of(frozenset({"execve"}), "x86_64")
    table = build_compat_table("x86_64", Limits(), numbers)
    is_on = table["flags"] & 1024 == 0
    names = compat_by_number("x86_64")
    assert {names[number].name for number in np.flatnonzero(is_on).tolist()} == {
        *("execve", "execveat")
    }


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
