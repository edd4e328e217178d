"""The table of threads: groups, parents, and who gets the children of the dead."""

import pytest

from falcotrace.scap.threads import CLONE_THREAD, UNKNOWN_ID, Thread, ThreadTable
from unit.scap.scenarios import (
    CLONE_CHILD_IN_PIDNS,
    INIT,
    MACHINE,
    Process,
    begins,
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

UNKNOWN = "<NA>"


def parents(*gone: Process, leaving: tuple[int, ...], watched: int = 30) -> tuple[object, ...]:
    """Parent and ancestors of a thread after others have ended one after the other."""
    seen = replay(*map(exits, leaving), looks(watched), processes=gone)
    return seen.last("proc.ppid", "proc.aname")


REAPER = Process(tid=5, comm=b"reaper")
PARENT = Process(tid=20, ptid=10, comm=b"parent")
CHILD = Process(tid=30, ptid=20, comm=b"child")


def test_children_of_the_dead_go_to_the_reaper_that_the_kernel_names() -> None:
    """And its process then adopts in general."""
    processes = (*MACHINE, REAPER, PARENT, CHILD)
    seen = replay(exits(20, reaper_tid=5), looks(30), exits(5), looks(30), processes=processes)
    assert seen["proc.pname"] == ["shell", "reaper", "init", "init"]


def test_a_reaper_counts_only_where_there_are_children() -> None:
    """A thread without any makes nobody a reaper."""
    processes = (*MACHINE, REAPER, Process(tid=20, ptid=5), Process(tid=21, ptid=20))
    alone = (*MACHINE, REAPER, Process(tid=40, ptid=5))
    seen = replay(exits(40, reaper_tid=77), processes=alone)
    assert seen.engine.threads.get(77) is None
    seen = replay(exits(20, reaper_tid=77), looks(21), processes=processes)
    assert seen.engine.threads.get(77) is not None
    assert seen.last("proc.pname") == ("init",)


def test_a_reaper_that_has_gone_does_not_count() -> None:
    """The next ancestor that adopts is looked for."""
    processes = (*MACHINE, REAPER, PARENT, CHILD)
    seen = replay(exits(5), exits(20, reaper_tid=5), looks(30), processes=processes)
    assert seen.last("proc.pname") == ("init",)


def test_without_a_named_reaper_another_thread_adopts() -> None:
    """The first one that lives, of the same process."""
    thread = Process(tid=21, pid=20, ptid=10, comm=b"thread", flags=CLONE_THREAD)
    seen = replay(
        *(exits(20), looks(30), exits(21), looks(30)), processes=(*MACHINE, PARENT, thread, CHILD)
    )
    assert seen.rows("proc.ppid", "proc.pvpid")[1] == (20, 20)
    assert seen.last("proc.ppid", "proc.aname") == (1, ["init"])


def test_without_a_named_reaper_an_ancestor_adopts() -> None:
    """The nearest one whose process is known to adopt: init, or a subreaper."""
    processes = (*MACHINE, PARENT, CHILD)
    assert parents(*processes, leaving=(20,)) == (1, ["init"])
    subreaper = leaves("prctl", 10, res=0, option=36, arg2_int=1)
    seen = replay(subreaper, exits(20), looks(30), processes=processes)
    assert seen.last("proc.ppid", "proc.aname") == (10, ["shell", "init"])


def test_nobody_adopts_across_a_pid_namespace() -> None:
    """Then there is no parent any more."""
    inside = Process(tid=20, ptid=10, vtid=2, vpid=2, comm=b"parent")
    assert parents(*MACHINE, inside, CHILD, leaving=(20,)) == (None, [])


def test_the_first_process_of_a_pid_namespace_adopts() -> None:
    """Its number there is 1."""
    first = Process(tid=20, ptid=10, vtid=1, vpid=1, comm=b"first")
    second = Process(tid=21, ptid=20, vtid=2, vpid=2, comm=b"second")
    third = Process(tid=30, ptid=21, vtid=3, vpid=3, comm=b"third")
    assert parents(*MACHINE, first, second, third, leaving=(21,)) == (
        *(20, ["first", "shell", "init"]),
    )


def test_a_dead_ancestor_adopts_nobody() -> None:
    """Its own parent is asked, and that it adopts is passed on."""
    subreaper = leaves("prctl", 10, res=0, option=36, arg2_int=1)
    grandparent = Process(tid=15, ptid=10, comm=b"grandparent")
    processes = (*MACHINE, grandparent, Process(tid=20, ptid=15), CHILD)
    seen = replay(subreaper, exits(15), exits(10), exits(20), looks(30), processes=processes)
    assert seen.last("proc.ppid") == (1,)


def test_ancestors_that_go_in_circles() -> None:
    """A hostile capture may claim them; every search ends."""
    one, two = Process(tid=20, ptid=21), Process(tid=21, ptid=20)
    child = Process(tid=30, ptid=20)
    seen = replay(
        exits(20), looks(30), looks(21), exits(21), looks(30), processes=(one, two, child)
    )
    assert len(seen) == 5


def test_a_dead_first_thread_stays_for_the_others() -> None:
    """Directory and descriptors are its; it goes with the last one."""
    seen = replay(
        *(clones(10, 20, flags=CLONE_THREAD), clones(10, 21, flags=CLONE_THREAD)),
        *(opens(20, 3, "/f"), exits(10), reads(20, 3), looks(10), exits(21), looks(20)),
        *(exits(20), looks(20), looks(10)),
    )
    assert seen["fd.name"][4] == "/f"
    assert seen.rows("proc.name", "proc.cwd")[5] == ("shell", "/home/")
    assert seen["proc.nthreads"][:9] == [2, 3, 3, 2, 2, 2, 1, 1, 0]
    assert seen["proc.nchilds"][:9] == [1, 2, 2, 2, 2, 2, 1, 1, 0]
    assert seen["proc.name"][-3:] == ["shell", UNKNOWN, UNKNOWN]


def test_a_table_of_threads_shares_until_the_last_one_has_gone() -> None:
    """A thread that ends takes no descriptors with it."""
    seen = replay(
        *(clones(10, 20, flags=CLONE_THREAD), exits(20), opens(10, 3, "/f"), reads(10, 3)),
        *(closes(10, 3), reads(10, 3)),
    )
    assert seen["fd.name"][-3:] == ["/f", "/f", ""]


def test_threads_of_the_process_list() -> None:
    """They share their process's table; the parent of a process may stand behind it in the list."""
    thread = Process(tid=11, pid=10, flags=CLONE_THREAD, comm=b"thread")
    late = (CHILD, PARENT, thread, *MACHINE)
    seen = replay(opens(11, 3, "/f"), reads(10, 3), looks(30), looks(11), processes=late)
    assert seen["fd.name"][1] == "/f"
    assert seen["proc.aname"][2] == ["parent", "shell", "init"]
    assert seen.last("proc.nthreads", "proc.nchilds", "proc.cwd") == (2, 1, "/home/")


def test_a_parent_that_is_unknown_is_none() -> None:
    """Neither one that nobody listed, nor one of whom only the number is known."""
    seen = replay(looks(40), processes=(Process(tid=40, ptid=39),))
    assert seen.last("proc.ppid", "proc.aname") == (None, [])
    for first in (looks(39), looks(10)):
        seen = replay(first, begins(40, 39), looks(40), executes(39), looks(40))
        assert seen.last("proc.ppid", "proc.aname") == (None, [])


def test_a_parent_is_the_first_thread_of_its_process() -> None:
    """Though another thread of it has made the child."""
    thread = Process(tid=11, pid=10, flags=CLONE_THREAD, comm=b"thread")
    seen = replay(clones(11, 20), looks(20), processes=(*MACHINE, thread))
    assert seen.last("proc.ppid", "proc.pname", "proc.pvpid") == (10, "shell", 10)


def test_threads_that_an_exec_has_ended_may_come_up_again() -> None:
    """Their numbers are then those of unknown threads, whoever listed them before."""
    thread = Process(tid=20, pid=10, flags=CLONE_THREAD)
    seen = replay(executes(10), looks(20), opens(20, 3, "/f"), processes=(*MACHINE, thread))
    assert seen.last("proc.name", "fd.name") == (UNKNOWN, "/f")


def test_a_number_that_means_another_thread_later() -> None:
    """The new one has nothing of the old one, not even in the same batch."""
    seen = replay(
        *(clones(10, 20, comm="first"), opens(20, 3, "/f"), exits(20), reads(20, 3)),
        *(begins(20, 1, comm="second").at(5), reads(20, 3), looks(20)),
    )
    assert seen["proc.name"][3:] == [UNKNOWN, "second", "second", "second"]
    assert seen["fd.name"][5] == ""
    assert seen.last("proc.pname") == ("init",)


def test_a_thread_in_a_pid_namespace_finds_its_leaders_among_its_ancestors() -> None:
    """The number of a session is one of its namespace."""
    birth = begins(20, 10, flags=CLONE_CHILD_IN_PIDNS, comm="inside")
    seen = replay(birth, leaves("setsid", 20, res=10), looks(20))
    assert seen.last("proc.sid", "proc.sname") == (10, "")


@pytest.mark.parametrize("quiet", [enters("switch", 10, next=1), enters("procinfo", 10)])
def test_events_that_only_look_up(quiet: object) -> None:
    """They see the state that the thread has."""
    assert replay(quiet).last("proc.name") == ("shell",)  # type: ignore[arg-type]


def thread(tid: int, pid: int = 0, ptid: int = 1) -> Thread:
    """A thread with few fields."""
    pid = pid or tid
    return Thread(tid, pid, ptid, tid, pid, pgid=pid)


def table(*threads: Thread) -> ThreadTable:
    """A table of threads, in the order of the call."""
    made = ThreadTable()
    for one in threads:
        made.add(one)
    return made


def test_nothing_is_left_of_threads_that_have_gone() -> None:
    """A capture of days must not fill the memory."""
    made = table(thread(1, ptid=0))
    for tid in range(2, 50):
        made.add(thread(tid))
    for tid in range(2, 50):
        assert [one.tid for one in made.remove(tid)] == [tid]
    init = made.get(1)
    assert init is not None
    assert (len(made), len(init.children), list(made._groups)) == (1, 0, [1])
    assert made._led == {1: {1: init}}


def test_threads_of_a_process_go_with_their_first() -> None:
    """In any order: the first thread's entry is the last to go."""
    made = table(thread(1, ptid=0), thread(5), thread(6, 5), thread(7, 5))
    assert [one.tid for one in made.remove(5)] == []
    assert [one.tid for one in made.remove(6)] == [6]
    assert [one.tid for one in made.remove(7)] == [7, 5]
    assert made.remove(7) == []


def test_a_placeholder_goes_at_once() -> None:
    """It has no process that others could belong to."""
    made = table(Thread(9, UNKNOWN_ID, is_placeholder=True))
    assert [one.tid for one in made.remove(9)] == [9]


def test_gone_children_are_remembered_for_a_while() -> None:
    """A reaper is told for a process that has had any; libs forgets ten of them together."""
    parent = thread(1, ptid=0)
    made = table(parent)
    for tid in range(2, 11):
        made.add(thread(tid))
    for tid in range(2, 11):
        made.remove(tid)
    assert parent.remembered_children == 9
    made.add(thread(11))
    made.remove(11)
    assert parent.remembered_children == 0


def test_who_adopts() -> None:
    """The first process of the machine, and that of a pid namespace."""
    made = table(Thread(1, 1, 0), Thread(5, 5, 1, 1, 1), Thread(6, 6, 5, 2, 2))
    groups = [one.group for one in made]
    assert [group is not None and group.is_reaper for group in groups] == [True, True, False]


def test_placeholders_belong_to_nothing() -> None:
    """Not to each other either, though none has a known process."""
    made = table(*(Thread(tid, UNKNOWN_ID, is_placeholder=True) for tid in (8, 9)))
    assert [one.group for one in made] == [None, None]
    assert replay(looks(77), looks(78)).rows("proc.nthreads", "proc.nchilds") == [(0, 0)] * 2


def test_the_first_process_is_nobodys_child() -> None:
    """Whatever the list says."""
    parent = thread(5)
    made = table(parent, Thread(1, 1, 5))
    assert parent.children == {}
    assert len(made) == 2


def test_an_entry_replaces_another_one() -> None:
    """Nothing of the old one stays among its relatives."""
    parent, old, new = thread(1, ptid=0), thread(5), thread(5, ptid=0)
    made = table(parent, old, thread(6, 5), new)
    assert made.get(5) is new
    assert list(parent.children) == [6]
    group = new.group
    assert group is not None
    assert group.threads[5] is new
    assert group.alive_count == 2


def test_those_who_stay_in_a_session_are_followed() -> None:
    """When one of them goes, the others still show what becomes of their leader."""
    members = (Process(tid=20, sid=10), Process(tid=21, sid=10))
    seen = replay(*(exits(20), looks(21), executes(10), looks(21)), processes=(*MACHINE, *members))
    assert seen["proc.sname"][1::2] == ["shell", "tool"]


def test_whom_a_thread_concerns() -> None:
    """What changes in a process shows in its threads, its descendants and those it leads.

    Threads have children of their own, whose parent changes when they end.
    """
    leader, other = thread(2), thread(8)
    other.sid = 2
    made = table(
        thread(1, ptid=0), leader, thread(3, 2), thread(4, ptid=3), thread(5, ptid=4), other
    )
    assert {one.tid for one in made.affected_by(leader)} == {2, 3, 4, 5, 8}
    second = made.get(3)
    assert second is not None
    assert {one.tid for one in made.affected_by(second)} == {3, 4, 5}
    made.unfollow(other)
    other.sid = 7
    made.follow(other)
    assert {one.tid for one in made.affected_by(leader)} == {2, 3, 4, 5}


def test_init_of_the_process_list() -> None:
    """It has no parent, whatever the list says."""
    seen = replay(looks(1), processes=(Process(tid=1, ptid=1, comm=b"init"), INIT))
    assert seen.last("proc.ppid", "proc.pname") == (None, None)
