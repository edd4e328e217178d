"""The numpy types are those of the compiled objects, member for member."""

import json
import re
import shutil
import subprocess
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from falcotrace.record import io_operations, layout, syscalls

ARCHES = ("x86_64", "aarch64")
STRUCTS = {
    "ft_event": layout.EVENT,
    "ft_event_data": layout.EVENT_DATA,
    "ft_process": layout.PROCESS,
    "ft_image": layout.IMAGE,
    "ft_file": layout.FILE,
    "ft_cgroups": layout.CGROUPS,
    "ft_exit": layout.EXIT,
    "ft_usage": layout.USAGE,
    "ft_backlog": layout.BACKLOG,
    "ft_polled": layout.POLLED,
    "ft_counters": layout.COUNTERS,
    "ft_syscall": syscalls.SYSCALL,
    "ft_part_rule": syscalls.PART_RULE,
    "ft_operation": io_operations.OPERATION,
}
ENUMS = {
    "ft_sample_type": ("FT_", layout.SampleType),
    "ft_header_flag": ("FT_", layout.HeaderFlag),
    "ft_part_kind": ("FT_PART_", layout.PartKind),
    "ft_part_flag": ("FT_PART_", layout.PartFlag),
    "ft_process_flag": ("FT_PROCESS_", layout.ProcessFlag),
    "ft_image_flag": ("FT_IMAGE_", layout.ImageFlag),
    "ft_file_kind": ("FT_FILE_", layout.FileKind),
    "ft_file_flag": ("FT_FILE_", layout.FileFlag),
    "ft_role": ("FT_ROLE_", layout.Role),
}


@cache
def _btf(arch: str) -> dict[int, dict[str, Any]]:
    tool = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin")
    if tool is None:
        pytest.skip("needs bpftool")
    path = files("falcotrace.record") / f"recorder.{arch}.bpf.o"
    command = [tool, "-j", "btf", "dump", "file", str(path)]
    dump = subprocess.run(command, capture_output=True, check=True).stdout
    return {kind["id"]: kind for kind in json.loads(dump)["types"]}


def _flatten(btf: dict[int, dict[str, Any]], struct: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Members with offset and size; the header and the event that a sample begins with dissolve."""
    found: dict[str, tuple[int, int]] = {}
    for member in struct["members"]:
        kind, count = _resolve(btf, member["type_id"])
        offset = member["bits_offset"] // 8
        if member["name"] in {"header", "event"}:
            inner = _flatten(btf, kind)
            found |= {name: (offset + at, size) for name, (at, size) in inner.items()}
        else:
            found[member["name"]] = (offset, kind["size"] * count)
    return found


def _resolve(btf: dict[int, dict[str, Any]], type_id: int) -> tuple[dict[str, Any], int]:
    kind, count = btf[type_id], 1
    while kind["kind"] in {"TYPEDEF", "VOLATILE", "CONST", "ARRAY"}:
        count *= kind.get("nr_elems", 1)
        kind = btf[kind["type_id"]]
    return kind, count


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", STRUCTS)
def test_struct(arch: str, name: str) -> None:
    """Each member has the place and the size that the kernel side gives it."""
    btf = _btf(arch)
    (struct,) = [t for t in btf.values() if t["kind"] == "STRUCT" and t["name"] == name]
    dtype = STRUCTS[name]
    fields = {key: (value[1], value[0].itemsize) for key, value in (dtype.fields or {}).items()}
    assert fields == _flatten(btf, struct)
    assert dtype.itemsize == struct["size"]


@pytest.mark.parametrize("name", ENUMS)
def test_numbers(name: str) -> None:
    """Each constant has the header's number: the two files cannot drift apart."""
    prefix, enum = ENUMS[name]
    text = _source().split(f"enum {name} {{", 1)[1].split("}", 1)[0]
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"(\w+) =\s(\d+)", text)
    values = {word.removeprefix(prefix): int(number) for word, number in found}
    assert values == {item.name: item.value for item in enum}


def _source() -> str:
    from pathlib import Path

    path = Path(__file__).parents[3] / "bpf" / "event.h"
    if not path.exists():
        pytest.skip("needs the sources of the kernel side")
    return path.read_text()


def test_strings_are_members() -> None:
    """The lengths of a sample's strings are members of its fixed part, 16 bits each."""
    for kind, names in layout.STRINGS.items():
        for name in names:
            assert layout.SAMPLES[kind][name] == np.dtype("<u2"), (kind, name)


def test_samples_are_packed() -> None:
    """No type has gaps: what the kernel does not set would leak its memory."""
    for kind, dtype in layout.SAMPLES.items():
        sizes = sum(field[0].itemsize for field in (dtype.fields or {}).values())
        assert sizes == dtype.itemsize, kind
