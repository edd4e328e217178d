"""The table that says where each parameter is found."""

import pytest

from falcotrace.events.event_types import current_events
from falcotrace.record.argument_sources import (
    Source,
    directory_slot,
    own_descriptor,
    parse_source,
    sources,
)
from falcotrace.record.syscalls import load_syscalls


@pytest.mark.parametrize(
    ("text", "verb", "operands"),
    [
        ("ret", "ret", ()),
        ("a3", "a", ("3",)),
        ("path1@d0", "path", ("1", "0")),
        ("struct2:8:4", "struct", ("2", "8", "4")),
        ("const:0", "const", ("0",)),
        ("tuple:in", "tuple", ("in",)),
        ("openmode:3:2", "openmode", ("3", "2")),
        ("file.dev", "file", ("dev",)),
    ],
)
def test_cells(text: str, verb: str, operands: tuple[str, ...]) -> None:
    """Each form of a cell."""
    assert parse_source(text) == Source(verb, operands)


def test_every_row_is_a_parameter() -> None:
    """A row for a parameter that no event has would be dead."""
    events = current_events()
    for name, places in sources().items():
        if name in events:
            known = {param.name for param in events[name].params}
            assert places.keys() <= known, name


def test_what_is_read_travels() -> None:
    """A text, address or struct that is read here is one that the kernel side is told to send."""
    kinds = {"path": "text", "text": "text", "addr": "sockaddr", "struct": "bytes"}
    calls = {call.name: call for call in load_syscalls()}
    other_names = {"prlimit": "prlimit64", "pread": "pread64", "umount": "umount2"}
    for name, places in sources().items():
        call = calls.get(other_names.get(name, name))
        for source in places.values():
            wanted = kinds.get(source.verb)
            if call is not None and wanted is not None:
                sent = {(part.name, part.arg) for part in call.parts}
                assert (wanted, source.place) in sent, (name, source)


def test_directories_are_known() -> None:
    """A path relative to a descriptor names a slot that the call has."""
    calls = {call.name: call for call in load_syscalls()}
    for name, places in sources().items():
        for source in places.values():
            if source.verb == "path" and len(source.operands) > 1:
                assert int(source.operands[1]) < len(calls[name].dirs), name


def test_own_descriptor() -> None:
    """What `fd.num` is: usually the first descriptor that is no result, else Falco's choice."""
    events = current_events()
    wanted = {
        "read": "fd",
        "splice": "fd_out",
        "copy_file_range": "fdout",
        "sendfile": "out_fd",
        "mmap": "fd",
        "dup2": "oldfd",
        "newfstatat": "dirfd",
    }
    for name, param in wanted.items():
        own = own_descriptor(events[name])
        assert own is not None
        assert own.name == param, name
    assert own_descriptor(events["kill"]) is None


def test_directory_slots() -> None:
    """Which slot of a sample holds the directory behind a descriptor argument."""
    event = current_events()["renameat2"]
    slots = {param.name: directory_slot(event, param) for param in event.params}
    assert slots == {
        "res": None,
        "olddirfd": 0,
        "oldpath": None,
        "newdirfd": 1,
        "newpath": None,
        "flags": None,
    }
