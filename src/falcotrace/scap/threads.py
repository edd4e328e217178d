"""The table of threads: who exists, who belongs together, who is whose child.

In: entries that process events make. Out: the same table that libsinsp would have at that event,
with groups of threads, parents and reapers. What an event says is read elsewhere
(`process_events`); what rules see of a thread is made elsewhere (`views`).

Source: libs 48dfd53c, userspace/libsinsp/threadinfo.cpp, thread_manager.cpp, thread_group_info.h.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from falcotrace.scap.descriptor_table import DescriptorTable

UNKNOWN_ID = -1
"""A number that nobody told."""

UNKNOWN_TEXT = "<NA>"
"""Name and program of a thread of which only the number is known; a text, as in Falco."""

UNSET_LOGIN_UID = 0xFFFFFFFF

CLONE_NEWPID = 1 << 6
CLONE_PARENT = 1 << 8
CLONE_THREAD = 1 << 13
CLONE_INVERTED = 1 << 16
CLONE_NEWUSER = 1 << 20
CLONE_VFORK = 1 << 27
CLONE_CHILD_IN_PIDNS = 1 << 29
"""Flags of a clone in Falco's numbers (FLAG_TABLES, `clone_flags`)."""


MOST_THREADS = 262_144
"""Entries that the table takes, as Falco's does (libs 48dfd53c, thread_manager.h)."""

_MOST_CLIMBED = 1000
_MOST_HANDED_OVER = 4096
"""Ancestors among which a reaper is looked for, and children that one gets at once; more are only
in captures made to cost time."""

_FORGOTTEN_TOGETHER = 10
"""So many children that have gone are forgotten together."""


@dataclass(slots=True, eq=False)
class Thread:
    """One thread as the state engine knows it. Ids are those of the host's pid namespace.

    `args` begin behind argv[0]; capabilities are bit sets; `started_ns` (`clone_ts` in libs) is the
    time of the event that made the entry, 0 for threads that existed before the capture.
    `is_listed`: it stands in the capture's list of processes. `face` is what others show of it,
    kept by `views` until it changes. `remembered_children` counts those that have gone as well,
    until libs cleans up its list.
    """

    tid: int
    pid: int
    ptid: int = UNKNOWN_ID
    vtid: int = UNKNOWN_ID
    vpid: int = UNKNOWN_ID
    sid: int = UNKNOWN_ID
    vpgid: int = UNKNOWN_ID
    pgid: int = UNKNOWN_ID
    comm: str = UNKNOWN_TEXT
    exe: str = UNKNOWN_TEXT
    exepath: str = ""
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    cwd: str = ""
    root: str = "/"
    cgroups: tuple[str, ...] = ()
    container_id: str = ""
    fd_limit: int = UNKNOWN_ID
    flags: int = 0
    uid: int = 0xFFFFFFFF
    gid: int = 0xFFFFFFFF
    login_uid: int = UNSET_LOGIN_UID
    tty: int = 0
    cap_inheritable: int = 0
    cap_permitted: int = 0
    cap_effective: int = 0
    is_exe_writable: bool = False
    is_exe_upper_layer: bool = False
    is_exe_lower_layer: bool = False
    is_exe_from_memfd: bool = False
    exe_ino: int = 0
    exe_ino_ctime_ns: int = 0
    exe_ino_mtime_ns: int = 0
    ctime_before_start_ns: int | None = None
    ctime_after_pidns_ns: int = 0
    started_ns: int = 0
    pidns_start_ns: int = 0
    is_placeholder: bool = False
    is_inverted: bool = False
    is_listed: bool = False
    is_dead: bool = False
    reaper_tid: int = UNKNOWN_ID
    group: "Group | None" = None
    children: "dict[int, Thread]" = field(default_factory=dict)
    remembered_children: int = 0
    descriptors: DescriptorTable = field(default_factory=DescriptorTable)
    usage: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    face: object = None

    @property
    def is_main(self) -> bool:
        """Whether it is the first thread of its process."""
        return self.tid == self.pid

    @property
    def is_in_pidns(self) -> bool:
        """Whether it lives in a pid namespace of its own; after an exec only the ids tell."""
        return bool(self.flags & CLONE_CHILD_IN_PIDNS) or self.tid != self.vtid


@dataclass(slots=True, eq=False)
class Group:
    """The threads of one process."""

    pid: int
    is_reaper: bool
    threads: dict[int, Thread] = field(default_factory=dict)
    alive_count: int = 0


class ThreadTable:
    """Threads by number, their groups, and who is led by whom."""

    def __init__(self) -> None:
        self._threads: dict[int, Thread] = {}
        self._groups: dict[int, Group] = {}
        self._led: dict[int, dict[int, Thread]] = {}

    def __len__(self) -> int:
        return len(self._threads)

    def __iter__(self) -> Iterator[Thread]:
        return iter(self._threads.values())

    @property
    def is_full(self) -> bool:
        """Whether no entry can be added."""
        return len(self._threads) >= MOST_THREADS

    def get(self, tid: int) -> Thread | None:
        """The entry of a thread."""
        return self._threads.get(tid)

    def main_thread(self, thread: Thread) -> Thread | None:
        """The first thread of a thread's process, even when it has ended; None if unknown.

        A placeholder has no process, so it has no working directory either.
        """
        if thread.is_main:
            return thread
        group = thread.group
        return None if group is None else group.threads.get(thread.pid)

    def descriptors_of(self, thread: Thread) -> DescriptorTable | None:
        """The table of descriptors that a thread uses: its process's, or a placeholder's own."""
        holder = thread if thread.is_placeholder else self.main_thread(thread)
        return None if holder is None else holder.descriptors

    def parent_process(self, thread: Thread) -> Thread | None:
        """The main thread of a thread's parent.

        The way leads from the process's own main thread to the thread that made it, and from there
        to that one's main thread.
        """
        main = self.main_thread(thread)
        parent = None if main is None else self._threads.get(main.ptid)
        return None if parent is None else self.main_thread(parent)

    def register(self, thread: Thread) -> None:
        """Put an entry into the table; its relatives may still be unknown.

        One that was there under its number goes: a first thread that has ended may have stayed for
        the others of its process.
        """
        before = self._threads.get(thread.tid)
        if before is not None and before is not thread:
            self.end(before)
            self._erase(before)
        self._threads[thread.tid] = thread

    def add(self, thread: Thread) -> None:
        """Put an entry into the table and give it its group and parent."""
        self.register(thread)
        self.link(thread)
        self.follow(thread)

    def link(self, thread: Thread) -> None:
        """Find group and parent of an entry; a placeholder has neither."""
        if thread.is_placeholder:
            return
        group = self._groups.get(thread.pid)
        if group is None:
            is_reaper = thread.pid == 1 or thread.vpid == 1
            group = self._groups[thread.pid] = Group(thread.pid, is_reaper)
        group.threads[thread.tid] = thread
        group.alive_count += 1
        thread.group = group
        if thread.tid == 1:
            return
        parent = self._threads.get(thread.ptid)
        if parent is None or parent.is_placeholder:
            thread.ptid = 0
        else:
            self._add_child(parent, thread)

    def _add_child(self, parent: Thread, child: Thread) -> None:
        parent.children[child.tid] = child
        parent.remembered_children += 1

    def follow(self, thread: Thread) -> None:
        """Remember whose session and process groups a thread belongs to."""
        for leader in {thread.sid, thread.vpgid, thread.pgid}:
            if leader != UNKNOWN_ID:
                self._led.setdefault(leader, {})[thread.tid] = thread

    def unfollow(self, thread: Thread) -> None:
        """Forget it, before its numbers change or it goes."""
        for leader in {thread.sid, thread.vpgid, thread.pgid}:
            led = self._led.get(leader, {})
            led.pop(thread.tid, None)
            if not led:
                self._led.pop(leader, None)

    def affected_by(self, thread: Thread) -> Iterator[Thread]:
        """Threads whose fields show something of this one: itself, descendants, those it leads."""
        yield thread
        seen = {thread.tid}
        waiting = [thread.children]
        if thread.is_main and thread.group is not None:
            waiting.append(thread.group.threads)
        while waiting:
            for tid, one in waiting.pop().items():
                if tid not in seen:
                    seen.add(tid)
                    waiting.append(one.children)
                    yield one
        yield from (one for tid, one in self._led.get(thread.tid, {}).items() if tid not in seen)

    def end(self, thread: Thread) -> None:
        """Mark a thread as dead; its entry is removed later."""
        if not thread.is_dead:
            thread.is_dead = True
            if thread.group is not None:
                thread.group.alive_count -= 1

    def revive(self, thread: Thread) -> None:
        """Take that back: another thread of its process has taken its number over."""
        if thread.is_dead:
            thread.is_dead = False
            if thread.group is not None:
                thread.group.alive_count += 1

    def remove(self, tid: int) -> list[Thread]:
        """Remove an entry and give its children a new parent; returns the entries that are gone.

        A dead main thread stays until the last thread of its process has gone.
        """
        thread = self._threads.get(tid)
        if thread is None:
            return []
        if thread.is_placeholder or thread.group is None:
            return [self._erase(thread)]
        self.end(thread)
        if thread.children:
            self._hand_over(thread)
        group = thread.group
        gone = []
        if not thread.is_main or group.alive_count == 0:
            gone.append(self._erase(thread))
        main = group.threads.get(group.pid)
        if group.alive_count == 0 and main is not None and main.is_dead:
            gone.append(self._erase(main))
        return gone

    def _erase(self, thread: Thread) -> Thread:
        self._threads.pop(thread.tid, None)
        self.unfollow(thread)
        parent = self._threads.get(thread.ptid)
        if parent is not None and parent.children.get(thread.tid) is thread:
            del parent.children[thread.tid]
            if parent.remembered_children - len(parent.children) >= _FORGOTTEN_TOGETHER:
                parent.remembered_children = len(parent.children)
        group = thread.group
        if group is not None:
            group.threads.pop(thread.tid, None)
            if not group.threads and self._groups.get(group.pid) is group:
                del self._groups[group.pid]
        return thread

    def _hand_over(self, thread: Thread) -> None:
        reaper = self._threads.get(thread.reaper_tid) if thread.reaper_tid > 0 else None
        if reaper is None or reaper.is_placeholder:
            reaper = self._find_reaper(thread)
        if len(thread.children) > _MOST_HANDED_OVER:
            reaper = None
        for child in thread.children.values():
            child.ptid = 0 if reaper is None else reaper.tid
            if reaper is not None:
                self._add_child(reaper, child)
        if reaper is not None and reaper.group is not None and reaper.pid != thread.pid:
            reaper.group.is_reaper = True
        thread.children = {}

    def _find_reaper(self, thread: Thread) -> Thread | None:
        group = thread.group
        assert group is not None
        alive = _first_alive(group)
        if alive is not None:
            return alive
        seen = {thread.tid}
        parent = self._threads.get(thread.ptid)
        while parent is not None and parent.tid not in seen and parent.group is not None:
            if len(seen) > _MOST_CLIMBED:
                return None
            if parent.is_in_pidns != thread.is_in_pidns:
                return None
            if parent.group.is_reaper:
                alive = _first_alive(parent.group)
                if alive is not None:
                    return alive
            seen.add(parent.tid)
            parent = self._threads.get(parent.ptid)
        return None


def _first_alive(group: Group) -> Thread | None:
    return next((thread for thread in group.threads.values() if not thread.is_dead), None)
