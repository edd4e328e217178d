"""Looking containers up while samples come."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from falcotrace.record.descriptions import control_groups_of
from falcotrace.record.ring import Batch
from falcotrace.record.runtimes.container_log import ContainerLog, ContainerLogReader, Record
from falcotrace.record.runtimes.description import Container
from falcotrace.record.runtimes.sighting import Host, Sighting
from falcotrace.record.runtimes.table import Answer
from falcotrace.record.runtimes.watch import ContainerWatch, pick_control_groups
from unit.record.made_samples import Stream, started, text
from unit.record.runtimes.state_files import ID, SANDBOX, Docker, put, runc_state

Ask = Callable[[Host, Sighting], Answer]


def batch_with(*groups: str, first_id: int = 1) -> Batch:
    """Samples among which some name control groups."""
    stream = started()
    stream.call("openat", ret=3, parts=[text("/etc/passwd")])
    for number, group in enumerate(groups, first_id):
        stream.call("getuid")
        stream.control_groups(number, group)
    return stream.batch()


def records(folder: Path) -> list[Record]:
    """Everything in the log."""
    return ContainerLogReader(folder).take()


def known(name: str, full_id: str = ID) -> Answer:
    """An answer."""
    return Answer(Container(container_id=full_id[:12], full_id=full_id, name=name))


def watch(tmp_path: Path, ask: Ask) -> ContainerWatch:
    """A watch with its log in a folder."""
    return ContainerWatch(ContainerLog(tmp_path), Host(tmp_path / "root"), ask)


def test_only_control_groups_are_picked() -> None:
    """All of them, with their texts, and nothing where there are none."""
    batch = batch_with("a=/x", "b=/docker/y" * 20)
    picked = pick_control_groups(batch)
    assert picked is not None
    assert list(control_groups_of(picked)) == [(1, ("a=/x",)), (2, ("b=/docker/y" * 20,))]
    assert not np.shares_memory(picked.data, batch.raw)
    stream = started()
    stream.call("getuid")
    assert pick_control_groups(stream.batch()) is None
    assert pick_control_groups(Stream().batch()) is None


def test_each_container_is_looked_up_once(tmp_path: Path) -> None:
    """However many sets of control groups name it."""
    asked: list[str] = []

    def ask(_: Host, sighting: Sighting) -> Answer:
        asked.append(sighting.full_id)
        return known("web", sighting.full_id)

    with watch(tmp_path, ask) as one:
        for number in range(1, 4):
            one.see(batch_with(f"cpu=/docker/{ID}", f"cpu=/docker/{SANDBOX}", first_id=number))
        assert one.wait()
        assert [record.container_id for record in records(tmp_path)] == [ID[:12], SANDBOX[:12]]
    assert asked == [ID, SANDBOX]


def test_files_that_come_late(tmp_path: Path) -> None:
    """Asked again until they are there; who waits sees the description."""
    answers = [Answer(None, False), Answer(None, False), known("web")]
    with watch(tmp_path, lambda *_: answers.pop(0)) as one:
        one.see(batch_with(f"cpu=/docker/{ID}"))
        assert one.wait()
        (record,) = records(tmp_path)
    assert record.container is not None
    assert record.container.name == "web"


def test_a_better_answer_replaces_the_first(tmp_path: Path) -> None:
    """The first one is kept already: the container and the recorder may end at any moment."""
    first = Answer(Container(container_id=ID[:12], name="web"), False)
    answers = [first, first, Answer(None, False), known("web, running")]
    with watch(tmp_path, lambda *_: answers.pop(0)) as one:
        one.see(batch_with(f"cpu=/docker/{ID}"))
        assert one.wait()
        names = [record.container and record.container.name for record in records(tmp_path)]
    assert names == ["web", "web, running"]


def test_what_nobody_knows_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; another set of the same container has it looked up once more."""
    monkeypatch.setattr("falcotrace.record.runtimes.watch.PATIENCE_SECONDS", 0.05)
    with watch(tmp_path, lambda *_: Answer(None, False, "no JSON")) as one:
        one.see(batch_with(f"cpu=/docker/{ID}"))
        assert one.wait()
        (record,) = records(tmp_path)
        assert (record.container, record.container_id) == (None, ID[:12])
        assert record.problem == "no JSON"
        one.see(batch_with(f"cpu=/docker/{ID}", first_id=2))
        assert one.wait()
        assert len(records(tmp_path)) == 2


def test_a_reader_that_fails(tmp_path: Path) -> None:
    """It costs the description and not the recording."""

    def ask(_: Host, sighting: Sighting) -> Answer:
        if sighting.full_id == ID:
            raise ZeroDivisionError
        return known("web", sighting.full_id)

    with watch(tmp_path, ask) as one:
        one.see(batch_with(f"cpu=/docker/{ID}", f"cpu=/docker/{SANDBOX}"))
        assert one.wait()
        first, second = records(tmp_path)
    assert (first.problem, first.container) == ("ZeroDivisionError", None)
    assert second.container is not None


def test_waiting_has_a_limit(tmp_path: Path) -> None:
    """A file system that hangs holds up neither conversion nor the end of the recording."""
    release = threading.Event()

    def ask(*_: object) -> Answer:
        release.wait(20)
        return Answer()

    began = time.monotonic()
    with watch(tmp_path, ask) as one:
        one.see(batch_with(f"cpu=/docker/{ID}"))
        assert not one.wait(0.1)
        release.set()
        assert one.wait()
    assert time.monotonic() - began < 15


def test_later_containers_are_not_waited_for(tmp_path: Path) -> None:
    """Only what was handed over before: else new containers could hold conversion up for ever."""
    goes_on = threading.Event()

    def ask(_: Host, sighting: Sighting) -> Answer:
        is_first = sighting.full_id == ID
        return known("web") if is_first or goes_on.is_set() else Answer(None, False)

    with watch(tmp_path, ask) as one:
        one.see(batch_with(f"cpu=/docker/{ID}"))
        assert one.wait()
        waiter = threading.Thread(target=one.wait)
        one.see(batch_with(f"cpu=/docker/{SANDBOX}"))
        waiter.start()
        waiter.join(0.05)
        assert waiter.is_alive()
        goes_on.set()
        waiter.join(5)
        assert not waiter.is_alive()


def test_at_the_end_everything_is_tried_once_more(tmp_path: Path) -> None:
    """What was handed over last is looked up too."""
    with watch(tmp_path, lambda *_: known("web")) as one:
        one.see(batch_with(f"cpu=/docker/{ID}"))
    assert len(records(tmp_path)) == 1


def test_names_are_looked_up_for_each_set(tmp_path: Path) -> None:
    """A container's name comes back: the set of control groups tells which one it is."""
    root = tmp_path / "root"
    state = runc_state("box", "/box")
    put(root / "run/runc/box/state.json", state)
    with ContainerWatch(ContainerLog(tmp_path), Host(root)) as one:
        one.see(batch_with("memory=/box", "memory=/system.slice/cron.service"))
        assert one.wait()
        state["config"]["mask_paths"] = None
        put(root / "run/runc/box/state.json", {**state, "config": {**state["config"]}})
        one.see(batch_with("memory=/box", first_id=7))
        assert one.wait()
        found = [(record.cgroups_id, record.container_id) for record in records(tmp_path)]
    assert found == [(1, "box"), (7, "box")]


def test_a_state_that_is_there_for_a_moment(tmp_path: Path) -> None:
    """The file is awaited: runc removes it as soon as the container's program ends."""
    root = tmp_path / "root"
    folder = root / "run/runc/box"
    folder.mkdir(parents=True)
    with ContainerWatch(ContainerLog(tmp_path), Host(root)) as one:
        one.see(batch_with("memory=/box"))
        time.sleep(0.1)
        state = put(folder / "new", runc_state("box", "/box")).rename(folder / "state.json")
        assert one.wait(1.5)
        state.unlink()
        (record,) = records(tmp_path)
    assert record.container is not None


def test_a_name_that_a_runtime_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder without a state tells that there was a container, if not what it was."""
    monkeypatch.setattr("falcotrace.record.runtimes.watch.PATIENCE_SECONDS", 0.05)
    root = tmp_path / "root"
    (root / "run/runc/box").mkdir(parents=True)
    with ContainerWatch(ContainerLog(tmp_path), Host(root)) as one:
        one.see(batch_with("memory=/box"))
        assert one.wait()
        (record,) = records(tmp_path)
    assert (record.container_id, record.cgroups_id, record.container) == ("box", 1, None)


def test_sets_of_one_container(tmp_path: Path) -> None:
    """A process joins one group after another; all of these sets have the description."""
    first = Answer(None, False, name="box")
    groups = frozenset({"/box"})
    answers = [first, first, replace(known("box", "box"), groups=groups)]

    def ask(_: Host, sighting: Sighting) -> Answer:
        is_box = ("", "box") in sighting.names
        return answers.pop(0) if is_box and answers else Answer()

    stream = started()
    stream.control_groups(1, "cpu=/box")
    stream.control_groups(2, "cpu=/box", "memory=/box")
    with watch(tmp_path, ask) as one:
        one.see(stream.batch())
        assert one.wait()
        stream = started()
        stream.control_groups(3, "cpu=/box", "memory=/box", "io=/box")
        stream.control_groups(4, "memory=/other/box")
        one.see(stream.batch())
        assert one.wait()
        found = [(record.cgroups_id, record.container_id) for record in records(tmp_path)]
    assert sorted(found) == [(1, "box"), (2, "box"), (3, "box")]


def test_samples_that_come_when_the_container_is_gone(tmp_path: Path) -> None:
    """On a busy machine they wait; what came into a runtime's folder was looked up meanwhile."""
    root = tmp_path / "root"
    (root / "run/runc").mkdir(parents=True)
    with ContainerWatch(ContainerLog(tmp_path), Host(root)) as one:
        state = put(root / "run/runc/box/state.json", runc_state("box", "/box"))
        time.sleep(0.3)
        state.unlink()
        state.parent.rmdir()
        one.see(batch_with("memory=/box", "memory=/other/box"))
        assert one.wait()
        (record,) = records(tmp_path)
        assert (record.cgroups_id, record.container_id) == (1, "box")
    assert record.container is not None


def test_a_container_that_is_only_made(tmp_path: Path) -> None:
    """Nobody waits for one that came into a folder and does not start; its start is looked up."""
    root = tmp_path / "root"
    (root / "var/lib/docker/containers").mkdir(parents=True)
    with ContainerWatch(ContainerLog(tmp_path), Host(root)) as one:
        made = Docker(Host(root))
        made.config["State"]["Running"] = False
        made.config["NetworkSettings"] = {}
        made.write()
        time.sleep(0.3)
        began = time.monotonic()
        assert one.wait()
        assert time.monotonic() - began < 1
        made = Docker(Host(root))
        made.write()
        one.see(batch_with(f"cpu=/docker/{ID}"))
        assert one.wait()
        found = [record.container and record.container.ip for record in records(tmp_path)]
    assert found[0] == ""
    assert found[-1] == "172.17.0.2"


def test_a_flood_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may make groups that look like containers; the rest is given up and counted."""
    monkeypatch.setattr("falcotrace.record.runtimes.watch.MOST_PENDING", 5)
    monkeypatch.setattr("falcotrace.record.runtimes.watch.PATIENCE_SECONDS", 0.1)
    with watch(tmp_path, lambda *_: Answer(None, False)) as one:
        one.see(batch_with(*(f"cpu=/docker/{number:064}" for number in range(50))))
        assert one.wait()
        found = records(tmp_path)
    assert len(found) == 50
    assert sum(record.problem == "too many at once" for record in found) == 45
