"""Hostile `.scap` captures through the whole import: clear errors, bounded time, bounded memory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.capture import descriptor_lists
from falcotrace.capture.containers import MOST_ITEMS, parse_container_event
from falcotrace.capture.reader import open_capture
from falcotrace.scap import (
    batch_sizes,
    descriptor_tables,
    parameters,
    start,
    threads,
    views,
)
from falcotrace.scap.descriptor_table import MOST_ENTRIES
from falcotrace.scap.importer import import_scap
from falcotrace.scap.reader import open_scap
from falcotrace.scap.state import StateEngine
from unit.scap.made_batches import poll_list
from unit.scap.scap_bytes import (
    EVENT_V1_WITH_FLAGS,
    EVENT_V2,
    block,
    event,
    machine,
    section,
)
from unit.scap.scenarios import (
    MACHINE,
    Process,
    capture_bytes,
    clones,
    closes,
    enters,
    executes,
    exits,
    leaves,
    looks,
    opens,
    reads,
    replay,
)

BENCH = Path(__file__).parents[1] / "bench"
sys.path.insert(0, str(BENCH))

from scap_storms import STORMS  # noqa: E402 - lies beside the benches

RULES = Path(__file__).parents[2] / "rules"
MOST_64 = (1 << 64) - 1
THREAD = 1 << 13
"""Flag of a clone that makes a thread."""


def test_fuzzed_captures(shared: Path) -> None:
    """Changed captures are imported or refused; scans of them and of their imports agree."""
    command = [sys.executable, str(BENCH / "fuzz_scap.py"), "--seed", "42", "--count", "300"]
    environment = {**os.environ, "FALCOTRACE_SHARED": str(shared)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=500, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 cases" in done.stdout


# The command line


def text(path: Path) -> None:
    """Some other file."""
    path.write_text("not a capture\nat all\n")


def empty(path: Path) -> None:
    """Nothing."""
    path.write_bytes(b"")


def header_of_packets(path: Path) -> None:
    """A capture of packets begins with the same block."""
    path.write_bytes(section(1, 0) + block(1, bytes(8)))


def other_version(path: Path) -> None:
    """A format that is not known."""
    path.write_bytes(section(2, 0) + machine())


def big_endian(path: Path) -> None:
    """From another kind of machine."""
    path.write_bytes(section().replace(b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d") + machine())


def folder(path: Path) -> None:
    """No file at all."""
    path.mkdir()


def missing(path: Path) -> None:
    """Not even that."""


def unreadable(path: Path) -> None:
    """A file whose bytes cannot be had, whoever asks."""
    path.symlink_to("/proc/self/mem")


FOREIGN = (text, empty, header_of_packets, other_version, big_endian, folder, missing, unreadable)


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", ["import", "scan"])
def test_what_is_no_capture_gets_one_line(
    make: Callable[[Path], None], command: str, tmp_path: Path
) -> None:
    """And exit code 2; nothing is written."""
    make(tmp_path / "c.scap")
    before = sorted(tmp_path.iterdir())
    options = ["-o", "c.parquet"] if command == "import" else ["-r", str(RULES)]
    done = falcotrace(command, "c.scap", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "c.scap: " in done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["import", "scan"])
def test_a_cut_capture_gives_what_is_before_the_cut(command: str, tmp_path: Path) -> None:
    """With a warning and exit code 3."""
    data = capture_bytes([opens(10, 3, "/a"), reads(10, 3), closes(10, 3)])
    (tmp_path / "c.scap").write_bytes(data[:-30])
    options = ["-o", "c.parquet"] if command == "import" else ["-r", str(RULES), "--summary"]
    done = falcotrace(command, "c.scap", *options, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "ends within a block: everything before is kept" in done.stderr
    assert "Traceback" not in done.stderr
    if command == "import":
        with open_capture(tmp_path / "c.parquet") as capture:
            assert capture.row_count == 2


def test_a_full_disk_gets_one_line(tmp_path: Path) -> None:
    """The writer works in another thread; its error comes through."""
    (tmp_path / "c.scap").write_bytes(capture_bytes([looks(10)]))
    done = falcotrace("import", "c.scap", "-o", "/dev/full", "--force", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "falcotrace: /dev/full: cannot be written: No space left on device"
    ]


def falcotrace(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "falcotrace", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


# Numbers at the ends of their types


def test_counters_of_64_bits() -> None:
    """A child that claims all page faults there can be."""
    faults = {"pgft_maj": MOST_64 - 1, "pgft_min": 1 << 63}
    seen = replay(clones(10, 30, **faults), looks(30))
    assert [value % (1 << 64) for value in seen.last("thread.pfmajor", "thread.pfminor")] == [
        MOST_64 - 1,
        1 << 63,
    ]


@pytest.mark.parametrize("batch_events", [1, 1000])
def test_inodes_of_64_bits(batch_events: int) -> None:
    """Of files that were opened in this batch and in an earlier one."""
    events = (opens(10, 3, "/a", ino=MOST_64, dev=0xFFFFFFFF), reads(10, 3))
    seen = replay(*events, batch_events=batch_events)
    assert seen["fd.ino"] == [-1, -1]
    assert seen["fd.dev"] == [-1, -1]


def test_numbers_of_descriptors_beyond_32_bits() -> None:
    """They are no descriptors of others."""
    big = (1 << 62) + 3
    seen = replay(opens(10, big, "/a"), reads(10, 3), reads(10, big), closes(10, -1))
    assert seen["fd.num"] == [big, 3, big, -1]
    assert seen["fd.name"][2] == "/a"


def test_a_thread_that_is_its_own_ancestor() -> None:
    """Also by way of others, and after it has ended."""
    loop = (*MACHINE, Process(tid=20, ptid=30), Process(tid=30, ptid=20), Process(tid=40, ptid=40))
    seen = replay(
        *(clones(20, 20), looks(20), looks(30), looks(40), exits(30, reaper_tid=30)),
        *(exits(20, reaper_tid=20), looks(20), looks(30), looks(40), exits(40), looks(40)),
        processes=loop,
    )
    assert len(seen) == 11
    assert len(seen["proc.aname"][3]) <= 1


def test_a_number_that_is_given_again_while_its_process_lives() -> None:
    """The dead first thread that stayed for the others goes; so does what only it had."""
    group = (Process(tid=20, files={3: "/a", 4: "/b"}), Process(tid=21, pid=20))
    seen = replay(
        *(reads(21, 4), exits(20), reads(21, 4), clones(10, 20, flags=THREAD), looks(20)),
        *(leaves("recvfrom", 21, res=1, fd=4), leaves("fchdir", 21, res=0, fd=4), looks(21)),
        processes=(*MACHINE, *group),
        batch_events=1,
    )
    assert seen["fd.name"][2] == "/b"
    assert seen["proc.pid"][4] == 10


def test_events_from_the_end_of_time(tmp_path: Path) -> None:
    """And from before the epoch; times that fit no type."""
    times = (MOST_64, 0, 1 << 63, (1 << 63) - 1)
    kind = looks(10).code
    data = section() + machine(boot_time_ns=(1 << 63) - 1)
    for time_ns in times:
        signed = time_ns - (1 << 64) if time_ns >> 63 else time_ns
        data += event(kind, [b"\0\0\0\0"], time=signed, tid=10)
    (tmp_path / "c.scap").write_bytes(data)
    assert import_scap(tmp_path / "c.scap", tmp_path / "c.parquet").event_count == len(times)


# Limits


def test_a_table_of_descriptors_has_a_limit() -> None:
    """As in Falco: numbers beyond it stay unknown, those that are there can change."""
    many = [opens(10, fd, f"/{fd}") for fd in range(3, 3 + MOST_ENTRIES)]
    beyond = 3 + MOST_ENTRIES
    seen = replay(
        *(*many, opens(10, beyond, "/beyond"), reads(10, beyond), reads(10, 3)),
        *(leaves("dup", 10, res=beyond, oldfd=3), opens(10, 3, "/other"), reads(10, 3)),
        *(closes(10, 4), opens(10, beyond, "/beyond"), reads(10, beyond)),
    )
    assert seen["fd.name"][-1] == "/beyond"
    assert seen["fd.name"][-4] == "/other"
    assert seen["fd.name"][MOST_ENTRIES + 1] == ""
    assert max(seen["proc.fdopencount"]) == MOST_ENTRIES


def test_children_get_descriptors_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand children of a process with thousands do not fill the memory."""
    monkeypatch.setattr(descriptor_tables, "_MOST_PASSED_ON", 5)
    opened = [opens(10, fd, f"/{fd}") for fd in range(3, 6)]
    seen = replay(*opened, clones(10, 30), clones(10, 31), reads(30, 3), reads(31, 3))
    assert seen["fd.name"][-2:] == ["/3", ""]


def test_the_table_of_threads_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of the others belong to no thread; when one goes, there is room for another."""
    monkeypatch.setattr(threads, "MOST_THREADS", 3)
    monkeypatch.setattr(start, "MOST_THREADS", 3)
    seen = replay(
        *(looks(20), looks(21), clones(10, 30), executes(31), clones(32, 33), looks(31)),
        *(exits(20), looks(40), looks(41)),
    )
    assert [pid is not None for pid in seen["proc.pid"]] == [
        *(True, False, True, False, False, False, True, True, False)
    ]


def test_lists_of_words_have_a_limit() -> None:
    """No recorder stores so many; each would stand in each state of the process."""
    words = b"a\0" * 30_000
    seen = replay(executes(10, args=words, env=words, cgroups=words), looks(10))
    argv, env = seen.last("proc.argv", "proc.env")
    assert len(argv) == len(env) == parameters.MOST_TEXTS


def test_lists_of_all_states_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind it states have no lists, but everything else."""
    monkeypatch.setattr(views, "_MOST_WORDS", 30)
    changes = [leaves("setuid", 10, res=0, uid=uid) for uid in range(1, 6)]
    seen = replay(*changes)
    assert seen["proc.env"][0] == ["HOME=/home"]
    assert seen.last("proc.env", "proc.argv", "proc.pname", "user.uid") == ([], [], "init", 5)


def test_long_texts_of_ancestors_are_not_repeated(tmp_path: Path) -> None:
    """Twenty ancestors with 60 KB of environment each, seen by a thousand states: 1.2 GB."""
    chain = [Process(tid=100 + n, ptid=99 + n, env=b"E" * 60_000) for n in range(20)]
    changes = [leaves("setuid", 119, res=0, uid=uid) for uid in range(1, 1000)]
    path, out = tmp_path / "c.scap", tmp_path / "c.parquet"
    path.write_bytes(capture_bytes(changes, (*MACHINE, *chain)))
    command = [sys.executable, "-c", _IMPORT_WITHIN_LIMIT, str(path), str(out)]
    subprocess.run(command, check=True, timeout=60)
    with open_capture(out) as capture:
        assert capture.row_count == len(changes)


_IMPORT_WITHIN_LIMIT = """
import resource, sys
from pathlib import Path
from falcotrace.scap.importer import import_scap
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
import_scap(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("name", STORMS)
def test_costs_grow_with_the_number_of_events(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times as many take four times as long, and not sixteen."""
    # What is limited by number costs the same for each event only where the limit is reached.
    monkeypatch.setattr(descriptor_tables, "MOST_ENTRIES", 100)
    monkeypatch.setattr(views, "_MOST_ANCESTORS", 50)
    monkeypatch.setattr(threads, "_MOST_HANDED_OVER", 100)
    seconds = [min(_seconds(name, count, tmp_path) for _ in range(2)) for count in (1500, 6000)]
    assert seconds[1] < 9 * seconds[0] + 0.2


def _seconds(name: str, count: int, folder_: Path) -> float:
    path = folder_ / "c.scap"
    storm = (one.encoded() for one in STORMS[name](500, count))
    path.write_bytes(section() + machine() + b"".join(storm))
    started = time.process_time()
    with open_scap(path) as file:
        for part in file:
            engine = StateEngine(part.metadata)
            for batch in part:
                engine.run(batch)
    return time.process_time() - started


def test_container_events_with_any_json() -> None:
    """What is no text is none; a document of any depth is refused."""
    documents = (
        b"[" * 100_000,
        b'{"container":' * 5000 + b"1" + b"}" * 5000,
        b'{"container":{"id":["a"],"labels":{"a":1e999},"Mounts":[[],1,{"RW":"x"}]}}',
        b'{"container":{"id":"\\ud800abc","type":99999999999999999999,"ip":"1.2.3.4.5"}}',
        b"\xff\xfe",
        b"",
    )
    for document in documents:
        told = enters("asyncevent", 10, plugin_id=0, name="container", data=document + b"\0")
        assert len(replay(told, looks(10))) == 2


def test_lists_of_a_container_have_a_limit() -> None:
    """Each item would stand in each state of each of its processes."""
    labels = {f"k{n}": "v" for n in range(5000)}
    mounts = [{"Source": "/a", "RW": True}] * 5000
    document = {"container": {"id": "a" * 12, "labels": labels, "Mounts": mounts}}
    told = json.dumps(document).encode() + b"\0"
    found = parse_container_event(told)
    assert found is not None
    lists = [value for value in found.columns.values() if isinstance(value, list)]
    assert max(map(len, lists)) == MOST_ITEMS


def test_names_in_poll_lists_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten bytes stand for a name of a thousand; what is beyond the limit is left out."""
    monkeypatch.setattr(descriptor_lists, "_MOST_CHARACTERS", 2500)
    name = "/" + "x" * 999
    lists = [poll_list((3, 1), *[(4, 1)] * count) for count in range(5)]
    seen = replay(opens(10, 3, name), *(leaves("poll", 10, res=1, fds=one) for one in lists))
    assert [one is not None for one in seen["fdlist.names"]] == [False, *[True] * 2, *[False] * 3]


@pytest.mark.parametrize("kind", [EVENT_V1_WITH_FLAGS, EVENT_V2])
def test_many_changes_are_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    """States of processes have a limit in memory; the events are the same ones."""
    monkeypatch.setattr(batch_sizes, "MOST_CHANGES", 10)
    change, look = leaves("setuid", 10, res=0).code, looks(10).code
    events = [
        event(change, [bytes(8), n.to_bytes(4, "little")], kind=kind, tid=10)
        + event(look, [bytes(4)], kind=kind, tid=10)
        for n in range(35)
    ]
    path = tmp_path / "c.scap"
    path.write_bytes(section() + machine() + b"".join(events))
    with open_scap(path) as file:
        batches = [batch for part in file for batch in part]
    assert [len(batch) for batch in batches] == [20, 20, 20, 10]
    assert [num for batch in batches for num in batch.nums.tolist()] == list(range(1, 71))
