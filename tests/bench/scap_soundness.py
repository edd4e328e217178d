"""Whether the tables of a state engine agree with each other.

In: a table of threads. Out: `UnsoundError` with the first thing that does not fit.
"""

from collections.abc import Mapping

from falcotrace.scap.threads import Thread, ThreadTable


class UnsoundError(Exception):
    """Something that must not be."""


def check_threads(table: ThreadTable) -> None:
    """Groups, children and followers are entries of the table, and know of it.

    Raises:
        UnsoundError: they do not.
    """
    for thread in table:
        _check_entries(table, thread.children, "a child")
        if any(child.ptid != thread.tid for child in thread.children.values()):
            raise UnsoundError("a child has another parent")
    for group in table._groups.values():
        _check_entries(table, group.threads, "a thread of a group")
        if any(one.group is not group for one in group.threads.values()):
            raise UnsoundError("a thread has another group")
        if group.alive_count != sum(not one.is_dead for one in group.threads.values()):
            raise UnsoundError("threads of a group are miscounted")
    for leader, led in table._led.items():
        _check_entries(table, led, "a follower")
        if any(leader not in {one.sid, one.vpgid, one.pgid} for one in led.values()):
            raise UnsoundError("a follower follows somebody else")


def _check_entries(table: ThreadTable, threads: Mapping[int, Thread], what: str) -> None:
    if any(table.get(tid) is not thread for tid, thread in threads.items()):
        raise UnsoundError(f"{what} is not in the table")
