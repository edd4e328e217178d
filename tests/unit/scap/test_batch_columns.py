"""Columns of a batch: which rows they have, and that each can be had by itself."""

import pyarrow as pa
import pytest

from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.schema import flat_type
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS
from falcotrace.scap.batch_columns import BatchColumns, wanted_names_of
from falcotrace.scap.footer import UNRECORDED
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.state import StateEngine
from unit.scap.made_batches import CODES, made_batch
from unit.scap.made_sockets import pair
from unit.scap.scenarios import (
    BEGIN_NS,
    STEP_NS,
    Happening,
    Process,
    adds_user,
    clones,
    closes,
    enters,
    executes,
    exits,
    interface,
    leaves,
    looks,
    opens,
    reads,
    replay,
)

EVENTS = (
    looks(10),
    adds_user(5, "ann"),
    clones(10, 20),
    enters("openat", 20, dirfd=-100, name="f", flags=1),
    opens(20, 3, "f"),
    reads(20, 3),
    enters("switch", 20, next=10),
    closes(20, 3),
    leaves("socket", 20, fd=4, domain=2, type=1),
    leaves("connect", 20, res=0, tuple=pair("10.0.0.1:5->10.0.0.2:80"), fd=4),
    leaves("rename", 20, res=0, oldpath="a", newpath="b"),
    leaves("poll", 20, res=1, fds=None, timeout=1),
    executes(20),
    enters("switch", 20, next=10),
    exits(20),
)


def plain(array: pa.Array) -> list[object]:
    """The values of an array, however it is coded."""
    values: list[object] = array.to_pylist()
    return values


def test_events_that_rules_do_not_see_have_no_row() -> None:
    """They are counted all the same."""
    seen = replay(*EVENTS)
    assert seen["evt.num"] == [1, 3, *range(5, 16)]
    assert seen["evt.time"] == [BEGIN_NS + (num - 1) * STEP_NS for num in seen["evt.num"]]
    assert seen["thread.tid"][:3] == [10, 10, 20]
    (part,) = seen.parts
    group = part.row_group()
    assert (group.row_count, group.first_num, group.last_num) == (13, 1, 15)
    assert (group.first_time_ns, group.last_time_ns) == (BEGIN_NS, BEGIN_NS + 14 * STEP_NS)


def test_all_columns_are_what_each_is_by_itself() -> None:
    """A scan asks for few of them, an import for all; types are those of captures."""
    (of_import,) = replay(*EVENTS).parts
    count = len(of_import)
    arrays = of_import.arrays()
    assert arrays.keys() <= COLUMNS.keys()
    for path in COLUMNS:
        if path in {column.path for column in PROCESS_COLUMNS}:
            continue
        (of_scan,) = replay(*EVENTS).parts
        alone = of_scan.array(path)
        found = arrays.get(path, pa.nulls(count, flat_type(path)))
        if isinstance(found, Sparse):
            values: list[object] = [None] * count
            for place, value in zip(found.places.tolist(), plain(found.values), strict=True):
                values[place] = value
        elif isinstance(found, Stepwise):
            values = plain(found.array(count))
        else:
            values = plain(found)
        assert plain(alone) == values, path
        if path in UNRECORDED:
            assert set(map(str, values)) == {"None"}


def test_columns_of_some_types_of_events() -> None:
    """A scan looks only at events that rules ask for; what these show is the same."""
    seen = replay(*EVENTS)
    (whole,) = seen.parts
    names = frozenset({"read", "switch", "connect"})
    types = plain(whole.array("evt.type"))
    wanted = [place for place, name in enumerate(types) if name in names]
    few = BatchColumns(whole._whole, whole._state, whole._interfaces, names)
    assert len(few) == len(wanted) == 4
    for path in COLUMNS:
        if path in {column.path for column in PROCESS_COLUMNS}:
            continue
        every = plain(whole.array(path))
        assert plain(few.array(path)) == [every[place] for place in wanted], path
    keys = set(few.process_states()["proc.key"].to_pylist())
    every_key = plain(whole.array("proc.key"))
    assert keys == {0, *(every_key[place] for place in wanted)}


def test_events_without_a_name_of_their_own_are_always_looked_at() -> None:
    """Which system call, or which plugin's event it is, stands in the event."""
    assert wanted_names_of(CODES["GENERIC_X"]) == frozenset()
    assert wanted_names_of(CODES["ASYNCEVENT_E"]) == frozenset()
    assert wanted_names_of(CODES["SYSCALL_OPENAT_2_X"]) == {"openat"}


def test_states_of_processes() -> None:
    """One row for each state of the batch, and one of nulls for events without a process."""
    (part,) = replay(*EVENTS).parts
    table = part.processes()
    assert table.column_names == ["proc.key", *(column.path for column in PROCESS_COLUMNS)]
    keys = table["proc.key"].to_pylist()
    assert keys == sorted(keys)
    assert set(keys) == {0, *part.array("proc.key").to_pylist()}
    for column in PROCESS_COLUMNS:
        assert table[column.path][0].as_py() is None


@pytest.mark.parametrize(
    ("event", "name", "raw", "number"),
    [
        (leaves("openat", 10, fd=-2, dirfd=-100, name="../x", flags=1), "/x", "../x", -2),
        (leaves("openat", 10, fd=-2, dirfd=9, name="x", flags=1), "x", "x", -2),
        (leaves("open", 10, fd=-2, name="./x", flags=1), "/home/x", "./x", -2),
        (leaves("creat", 10, fd=-2, name="/x/../y", mode=0), "/x/../y", "/x/../y", -2),
        (leaves("read", 10, res=-9, fd=3), "", "", 3),
        (leaves("connect", 10, res=0, tuple=pair("10.0.0.1:5->10.0.0.2:80"), fd=9), None, None, 9),
    ],
)
def test_names_where_nothing_is_known_of_the_descriptor(
    event: Happening, name: str | None, raw: str | None, number: int
) -> None:
    """An event that failed to make one is called after what it asked for."""
    seen = replay(event)
    if name is None:
        name = raw = "10.0.0.1:5->10.0.0.2:80"
    assert seen.last("fd.name", "fd.type") == (name, None)
    assert seen.last("fd.nameraw") == (raw,)
    assert seen.last("fd.num")[0] in {number, -1}


def test_events_that_are_about_no_descriptor() -> None:
    """They have none, not even an unknown one."""
    fields = ("fd.num", "fd.name", "fd.nameraw", "fd.type", "fd.name_changed")
    assert replay(looks(10)).last(*fields) == (None,) * 5


ID = "0123456789ab"
DOCKER = b"cpu=/docker/" + ID.encode() + b"0" * 52 + b"\0"


def test_local_addresses_of_a_container() -> None:
    """Its own address counts, as its metadata tell it, and not only those of the host."""
    inside = Process(tid=20, cgroups=DOCKER)
    taken = pair("10.0.0.9:999->172.17.0.2:80")
    told = b'{"container": {"id": "%s", "ip": "172.17.0.2"}}\0' % ID.encode()
    seen = replay(
        enters("asyncevent", -1, plugin_id=1, name="container", data=told),
        *(leaves("accept", tid, fd=4, tuple=taken) for tid in (10, 20)),
        processes=(Process(tid=10), inside),
        further=interface(bytes((10, 0, 0, 1))),
    )
    assert seen["fd.is_server"] == [None, False, True]


def test_an_empty_batch() -> None:
    """Nothing has rows where rules see nothing."""
    batch = made_batch(("USER_ADDED_E", {"uid": 1, "name": "x"}), hidden=[0])
    engine = StateEngine(Metadata())
    columns = BatchColumns(batch, engine.run(batch), Interfaces())
    assert len(columns) == 0
    assert plain(columns.array("evt.num")) == plain(columns.array("fd.name")) == []


def test_texts_that_are_not_utf_8() -> None:
    """Each byte that is none stands for itself."""
    seen = replay(clones(10, 20, comm=b"a\xff\0", exe=b"\xfe\0"), looks(20))
    assert seen.last("proc.name", "proc.exe") == ("a\U0010feff", "\U0010fefe")
